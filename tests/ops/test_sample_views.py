from __future__ import annotations

import pytest
import torch

from scene3d.ops.sample_views import sample_views


def test_convention_a_pixel_centre_lies_at_half():
    row = torch.tensor([10.0, 20.0, 30.0]).reshape(1, 1, 3, 1)
    # Centres at 0.5, 1.5, 2.5; halfway between the last two is 2.0; beyond the border the border's value.
    pixels = torch.tensor([[[0.5, 0.5], [1.5, 0.5], [2.0, 0.5], [-4.0, 0.5], [9.0, 0.5]]])
    torch.testing.assert_close(sample_views(row, pixels).flatten(), torch.tensor([10.0, 20.0, 25.0, 10.0, 30.0]))


def test_it_is_grid_sample_with_border_padding():
    maps, pixels = torch.randn(2, 5, 7, 3), torch.rand(2, 40, 2) * torch.tensor([9.0, 7.0]) - 1
    grid = pixels * torch.tensor([2 / 7, 2 / 5]) - 1
    expected = torch.nn.functional.grid_sample(
        maps.permute(0, 3, 1, 2), grid[:, :, None], padding_mode="border", align_corners=False
    )
    torch.testing.assert_close(sample_views(maps, pixels), expected[..., 0].mT)


def test_positions_that_are_not_numbers_touch_no_memory_out_of_range():
    pixels = torch.tensor([[[float("nan"), 1.0], [float("inf"), -float("inf")]]])
    assert torch.isfinite(sample_views(torch.randn(1, 4, 4, 2), pixels)).all()


@pytest.mark.parametrize(("height", "width", "count"), [(5, 6, 7), (1, 1, 3), (1, 4, 2), (3, 3, 0)])
def test_the_operator_obeys_its_contract(height: int, width: int, count: int):
    maps = torch.randn(2, height, width, 3, dtype=torch.float64, requires_grad=True)
    pixels = torch.rand(2, count, 2, dtype=torch.float64) * torch.tensor([width, height])
    pixels = pixels.double().requires_grad_()
    torch.library.opcheck(torch.ops.scene3d.sample_views, (maps, pixels))
    if count:
        assert torch.autograd.gradcheck(sample_views, (maps, pixels))
