from __future__ import annotations

import torch

from scene3d.volume.sampling import inverse_distances


def test_samples_are_even_in_inverse_distance():
    # Middles of 2 strata between 1/2 and 1/10: 1/2 - 0.1 = 0.4 and 1/2 - 0.3 = 0.2.
    distances = inverse_distances(2.0, 10.0, 2, (1,), jitter=False, like=torch.zeros(()))
    torch.testing.assert_close(distances, torch.tensor([[1 / 0.4, 1 / 0.2]]))


def test_jittered_samples_ascend_and_stay_within_their_strata():
    distances = inverse_distances(3.0, 80.0, 16, (50,), jitter=True, like=torch.zeros(()))
    edges = 1 / torch.linspace(1 / 3, 1 / 80, 17)
    assert (distances.diff(dim=-1) > 0).all()
    assert (distances >= edges[:-1] - 1e-4).all() and (distances <= edges[1:] + 1e-4).all()


def test_a_generator_makes_the_draw_repeatable():
    draws = [
        inverse_distances(3.0, 80.0, 8, (4,), jitter=torch.Generator().manual_seed(7), like=torch.zeros(()))
        for _ in range(2)
    ]
    assert torch.equal(*draws)
