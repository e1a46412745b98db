from __future__ import annotations

import math

import torch

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.planes import Plane
from scene3d.geometry.se3 import rigid, rotation_of, transform
from scene3d.structures.object_region import ObjectRegion
from scene3d.volume import SurfaceSample
from scene3d.volume.background import BackgroundSample
from scene3d.volume.object_space import ObjectSpace, ObjectSurroundings, WithinBox

TURN = rotation_of(torch.tensor([0.4, -0.2, 0.7], dtype=torch.float64))
MIDDLE = torch.tensor([5.0, -3, 2], dtype=torch.float64)
HALF = torch.tensor([2.0, 1.0, 1.5], dtype=torch.float64)


def a_region(plane: bool = True) -> ObjectRegion:
    box = OrientedBox(box_to_world=rigid(TURN, MIDDLE), half=HALF)
    foot = MIDDLE - HALF[2] * TURN[:, 2]
    return ObjectRegion(
        points=box.corners(),
        colours=torch.zeros(8, 3, dtype=torch.uint8),
        foreground=torch.ones(8, dtype=torch.bool),
        box=box,
        plane=Plane(normal=TURN[:, 2], offset=TURN[:, 2] @ foot) if plane else None,
    )


def settled(margin: float, plane: bool = True) -> tuple[ObjectSpace, torch.Tensor]:
    unit_to_world = torch.eye(4, dtype=torch.float64)
    unit_to_world[:3, :3] *= margin * HALF.norm()
    unit_to_world[:3, 3] = MIDDLE
    space = ObjectSpace()
    space.settle(a_region(plane), unit_to_world, 0.3)
    return space, unit_to_world


def test_the_box_lies_in_units_where_it_lay_in_the_world():
    space, unit_to_world = settled(1.4)
    torch.testing.assert_close(
        transform(unit_to_world, space.box.corners().double()), a_region().box.corners(), atol=1e-5, rtol=0
    )


def test_the_slab_reaches_from_the_foot_of_the_box_down_and_as_far_as_the_ball():
    space, _ = settled(1.4)
    box, slab = space.box, space.slab
    assert slab is not None
    up = box.box_to_world[:3, 2]
    heights = slab.corners() @ up
    foot = (box.corners() @ up).min()
    torch.testing.assert_close(heights.max(), foot, atol=1e-6, rtol=0)
    torch.testing.assert_close(foot - heights.min(), 0.3 * 2 * space.box_half[2], atol=1e-6, rtol=0)
    # All that lies in the ball between its top and its bottom.
    points = torch.nn.functional.normalize(torch.randn(500, 3), dim=1) * torch.rand(500, 1) ** (1 / 3)
    between = ((points @ up) < foot) & ((points @ up) > heights.min())
    assert between.any() and torch.equal(slab.contains(points), between)


def test_without_a_plane_there_is_no_slab():
    assert settled(1.4, plane=False)[0].slab is None
    assert ObjectSpace().slab is None


def test_both_are_part_of_the_state():
    space, _ = settled(1.4)
    other = ObjectSpace()
    other.load_state_dict(space.state_dict())
    assert torch.equal(other.box.corners(), space.box.corners()) and torch.equal(other.slab.half, space.slab.half)


def test_each_field_is_asked_for_its_own_points():
    space, _ = settled(1.4)
    asked = {}

    def field(name: str, density: float):
        def ask(points: torch.Tensor, directions: torch.Tensor) -> BackgroundSample:
            asked[name] = points
            return BackgroundSample(torch.full((len(points),), density), directions.abs())

        return ask

    surroundings = ObjectSurroundings(space, field("under", 1.0), field("around", 2.0))
    points = torch.nn.functional.normalize(torch.randn(200, 3), dim=1) * torch.rand(200, 1) ** (1 / 3)
    directions = torch.rand(200, 3)
    found = surroundings(points, directions)
    below = space.slab.contains(points)
    assert 0 < below.sum() < 200
    assert torch.equal(found.density, torch.where(below, 1.0, 2.0))
    assert torch.equal(found.colour, directions)
    assert asked["under"].abs().max() <= 1 and torch.equal(asked["around"], points[~below])
    alone = ObjectSurroundings(settled(1.4, plane=False)[0], field("under", 1.0), field("around", 2.0))
    assert (alone(points, directions).density == 2).all()


def test_a_surface_ends_at_the_faces_of_its_box():
    class Ball:
        def distance(self, points: torch.Tensor) -> torch.Tensor:
            return points.norm(dim=1) - 0.9

        def __call__(self, points: torch.Tensor) -> SurfaceSample:
            return SurfaceSample(self.distance(points), points, points)

    box = OrientedBox(box_to_world=torch.eye(4), half=torch.full((3,), 0.5))
    cut = WithinBox(Ball(), box)
    points = torch.tensor([[0.0, 0, 0], [0.6, 0, 0], [0.5, 0.5, 0.5], [0.0, 0, 0.95]])
    torch.testing.assert_close(cut.distance(points), torch.tensor([-0.5, 0.1, 0.0, 0.45]), atol=1e-6, rtol=0)
    torch.testing.assert_close(cut(points).sdf, cut.distance(points))
    assert math.isclose(float(cut.distance(torch.tensor([[0.49, 0.0, 0.0]]))), -0.01, abs_tol=1e-6)
