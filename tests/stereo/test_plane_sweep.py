from __future__ import annotations

import pytest
import torch

from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import rigid
from scene3d.nn.windows import normalise
from scene3d.stereo.plane_sweep import UNSEEN, matching_cost

HEIGHT, WIDTH, FOCAL, BASELINE = 12, 40, 20.0, 0.5
NEARNESS = torch.tensor([0.0, 0.1, 0.2, 0.3])  # disparities of 0, 1, 2, 3 pixels


def a_pair(disparity: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noise, and the same noise as a camera to the right sees it at that disparity."""
    picture = torch.rand(3, HEIGHT, WIDTH + 8)
    return picture[..., :WIDTH], picture[..., disparity : WIDTH + disparity]


def cost(image: torch.Tensor, source: torch.Tensor, cam_to_source: torch.Tensor) -> torch.Tensor:
    K = pinhole(FOCAL, HEIGHT, WIDTH).K
    return matching_cost(image, K, source[None], K[None], cam_to_source[None], NEARNESS)[0]


def to_the_right() -> torch.Tensor:
    return rigid(torch.eye(3), torch.tensor([-BASELINE, 0.0, 0.0]))


@pytest.mark.parametrize("disparity", [0, 1, 2, 3])
def test_the_cost_is_least_where_the_disparity_says(disparity: int):
    found = cost(*a_pair(disparity), to_the_right())
    inner = found[:, 3:-3, 8:-3]
    assert (inner.argmin(dim=0) == disparity).all()
    # Equal windows correlate fully, up to what normalising each pixel by its own window leaves.
    assert inner[disparity].mean() < 0.05
    assert inner[disparity - 1].mean() > 0.4


def test_what_the_source_does_not_show_costs_as_much_as_what_has_nothing_in_common():
    found = cost(*a_pair(0), to_the_right())
    # At a disparity of 3 pixels the first three columns lie left of the source's image.
    assert (found[3, :, :3] == UNSEEN).all()
    assert (found[0, :, :3] != UNSEEN).all()


def test_what_lies_behind_the_source_is_not_seen():
    ahead = rigid(torch.eye(3), torch.tensor([0.0, 0.0, -5.0]))  # the source stands 5 m further ahead
    found = cost(*a_pair(0), ahead)
    # 1 / 0.3 m = 3.3 m lies behind it.
    assert (found[3] == UNSEEN).all()
    # At infinity the two see the same.
    assert found[0, 3:-3, 3:-3].mean() < 0.05


def test_brightness_and_contrast_do_not_matter_and_flat_windows_match_nothing():
    image, source = a_pair(1)
    plain = cost(image, source, to_the_right())
    torch.testing.assert_close(cost(image, 0.5 * source + 0.3, to_the_right()), plain, atol=2e-3, rtol=0.0)
    flat = cost(torch.full_like(image, 0.5), source, to_the_right())
    assert flat.min() == pytest.approx(UNSEEN, abs=1e-3)


def test_a_normalised_window_has_mean_0_and_deviation_1():
    found = normalise(torch.rand(2, 3, 40, 40), 5)
    assert found.shape == (2, 1, 40, 40)
    assert found.mean().item() == pytest.approx(0.0, abs=0.05)
    assert found.std().item() == pytest.approx(1.0, abs=0.1)
