from __future__ import annotations

import torch

from scene3d.losses.smoothness import edge_aware_slope, edge_aware_smoothness


def test_a_flat_wall_is_free_and_a_step_is_not():
    image = torch.zeros(1, 3, 4, 6)
    wall = torch.full((1, 4, 6), 0.2)
    step = torch.cat([wall[..., :3], 3 * wall[..., 3:]], dim=-1)
    assert edge_aware_smoothness(wall, image) == 0
    # Mean disparity 0.4, so the step is 0.4 / 0.4 = 1 high, on one of five columns of differences.
    torch.testing.assert_close(edge_aware_smoothness(step, image), torch.tensor(1 / 5))


def test_scale_does_not_matter():
    disparity, image = torch.rand(2, 8, 8) + 0.1, torch.rand(2, 3, 8, 8)
    torch.testing.assert_close(edge_aware_smoothness(7 * disparity, image), edge_aware_smoothness(disparity, image))


def test_an_edge_of_the_image_forgives_the_step():
    values = torch.zeros(1, 1, 4, 6)
    values[..., 3:] = 1
    image = torch.zeros(1, 3, 4, 6)
    image[..., 3:] = 1
    # One of five columns differs by 1, forgiven by exp(-2).
    torch.testing.assert_close(edge_aware_slope(values, image, sharpness=2.0), torch.exp(torch.tensor(-2.0)) / 5)
