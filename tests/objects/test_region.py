from __future__ import annotations

import torch

from scene3d.objects.region import ROOM, grown_box, object_box, supporting_plane


def block() -> torch.Tensor:
    """Points on the upper half of a block of 2 x 1 x 1 that stands on z = 0."""
    return torch.rand(400, 3, dtype=torch.float64) * torch.tensor([2, 1, 0.8]).double() + torch.tensor([0, 0, 0.2])


def floor(height: float = 0.0, number: int = 300) -> torch.Tensor:
    plan = 4 * torch.rand(number, 2, dtype=torch.float64) - 1.5
    return torch.cat([plan, torch.full((number, 1), height, dtype=torch.float64)], dim=1)


def test_the_floor_under_a_block_is_found_with_the_block_above_it():
    plane = supporting_plane(block(), floor(), 0.01, torch.Generator().manual_seed(0))
    torch.testing.assert_close(plane.normal, torch.tensor([0.0, 0, 1]).double(), atol=1e-6, rtol=0)
    assert plane.offset.abs() < 1e-6


def test_walls_through_the_block_and_floors_far_below_do_not_hold_it():
    wall = torch.stack([torch.full((300,), 1.0).double(), *torch.rand(2, 300, dtype=torch.float64)], dim=1)
    assert supporting_plane(block(), wall, 0.01, torch.Generator().manual_seed(0)) is None
    assert supporting_plane(block(), floor(-1.5), 0.01, torch.Generator().manual_seed(0)) is None
    both = torch.cat([wall, floor(number=200)])
    assert supporting_plane(block(), both, 0.01, torch.Generator().manual_seed(0)).normal[2] > 0.999


def test_without_background_nothing_is_stood_on():
    assert supporting_plane(block(), block()[:0], 0.01) is None
    assert supporting_plane(block(), floor(number=5), 0.01) is None


def test_the_box_stands_on_the_plane_with_room_at_the_sides_and_above():
    points = block()
    plane = supporting_plane(points, floor(), 0.01, torch.Generator().manual_seed(0))
    box = object_box(points, plane)
    # Sides of 2 and 1 with a tenth more; the upper face lies a twentieth of the points' 0.8 above 1.
    torch.testing.assert_close(2 * box.half, torch.tensor([2.2, 1.1, 1.04]).double(), atol=0.05, rtol=0)
    low, high = box.bounds()[:, 2]
    assert abs(low) < 1e-6 and abs(high - 1.04) < 0.02 and box.contains(points).all()


def test_without_a_plane_the_box_has_room_all_around():
    points = block()
    box = object_box(points, None)
    assert box.contains(points).double().mean() > 0.98 and ROOM == 0.1
    torch.testing.assert_close(2 * box.half[0], torch.tensor(2.2).double(), atol=0.25, rtol=0)


def test_a_box_grows_about_its_middle_or_on_its_foot():
    box = object_box(torch.randn(50, 3, dtype=torch.float64), None)
    about, up = grown_box(box, 1.5, standing=False), grown_box(box, 1.5, standing=True)
    torch.testing.assert_close(about.half, 1.5 * box.half)
    torch.testing.assert_close(about.box_to_world, box.box_to_world)
    axis = box.box_to_world[:3, 2]
    torch.testing.assert_close((up.corners() @ axis).min(), (box.corners() @ axis).min())
    torch.testing.assert_close((up.corners() @ axis).max() - (box.corners() @ axis).max(), box.half[2])
