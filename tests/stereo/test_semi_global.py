from __future__ import annotations

import pytest
import torch

from scene3d.stereo.semi_global import semi_global


def along_one_row(cost: list[list[float]], small: float, large: float) -> torch.Tensor:
    """Four paths of an image of one row: those along its single column are the cost itself."""
    volume = torch.tensor(cost).T[None, :, None, :]
    return semi_global(volume, small, large)[0, :, 0]


def test_a_path_worked_by_hand():
    # Two pixels, three hypotheses; the first pixel prefers 0 by 1.
    found = along_one_row([[0.0, 1.0, 1.0], [0.5, 0.5, 0.5]], small=0.1, large=0.4)
    # Second pixel, path from the left: 0.5 + min(0, 1.1, 1.4) = 0.5; 0.5 + min(1, 0 + 0.1) = 0.6; 0.5 + 0.4 = 0.9.
    # Path from the right starts there: 0.5 each; the two along the column: 0.5 each.
    torch.testing.assert_close(found[:, 1], torch.tensor([0.5 + 1.5, 0.6 + 1.5, 0.9 + 1.5]) / 4)


def test_without_prices_nothing_is_shared():
    cost = torch.rand(2, 4, 5, 6)
    found = semi_global(cost, 0.0, 0.0)
    # A free step lets every path start anew: its cost is the pixel's own.
    torch.testing.assert_close(found, cost)


def test_a_noisy_pixel_follows_its_neighbours_and_an_edge_stays():
    cost = torch.full((1, 6, 9, 12), 0.5)
    cost[0, 1, :, :6] = 0.2
    cost[0, 4, :, 6:] = 0.2
    cost[0, :, 4, 3] = torch.tensor([0.5, 0.45, 0.5, 0.5, 0.5, 0.4])
    best = semi_global(cost, 0.1, 0.4)[0].argmin(dim=0)
    assert (best[:, :6] == 1).all()
    assert (best[:, 6:] == 4).all()
    assert cost[0, :, 4, 3].argmin() == 5


def test_images_do_not_touch_each_other():
    cost = torch.rand(3, 4, 5, 6)
    whole = semi_global(cost, 0.1, 0.3)
    for one, alone in zip(whole, cost, strict=True):
        torch.testing.assert_close(one, semi_global(alone[None], 0.1, 0.3)[0])


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 1, 5), (1, 3, 5, 1)])
def test_the_smallest_images_work(shape: tuple[int, ...]):
    assert semi_global(torch.rand(shape), 0.1, 0.3).shape == shape
