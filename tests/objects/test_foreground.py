from __future__ import annotations

import torch

from scene3d.objects.foreground import choose_foreground


def parts(flat: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """A block, and beside it another or a flat plate."""
    one, other = torch.rand(80, 3, dtype=torch.float64), torch.rand(80, 3, dtype=torch.float64) + 3
    if flat:
        other[:, 2] = 0.001 * other[:, 2]
    return torch.cat([one, other]), torch.arange(160) < 80


def test_what_the_cameras_keep_in_view_is_the_object():
    points, side = parts(flat=False)
    in_view = torch.where(side, 0.6, 0.9).double()
    assert torch.equal(choose_foreground(points, side, in_view, 0.01), ~side)
    assert torch.equal(choose_foreground(points, ~side, in_view, 0.01), ~side)


def test_of_two_parts_in_view_the_flat_one_is_the_ground():
    points, side = parts(flat=True)
    in_view = torch.ones(160, dtype=torch.float64)
    assert torch.equal(choose_foreground(points, side, in_view, 0.01, torch.Generator().manual_seed(0)), side)
    assert torch.equal(choose_foreground(points, ~side, in_view, 0.01, torch.Generator().manual_seed(0)), side)


def test_of_two_parts_in_view_that_are_both_solid_both_are_the_object():
    points, side = parts(flat=False)
    assert choose_foreground(points, side, torch.ones(160).double(), 0.01).all()


def test_a_part_of_two_points_is_not_flat():
    points, side = parts(flat=False)
    few = torch.cat([points[:80], points[80:82]])
    assert choose_foreground(few, torch.arange(82) < 80, torch.ones(82).double(), 0.01).all()
