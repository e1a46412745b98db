from __future__ import annotations

import math

import pytest
import torch

from scene3d.errors import DataError
from scene3d.geometry.normalisation import (
    similarity_of_ball,
    similarity_of_box,
    similarity_of_cameras,
    similarity_of_points,
)
from scene3d.geometry.se3 import is_rigid, rigid, transform
from tests.data.photograph_trees import CENTRE, RADIUS, orbit

HALF = math.asin(0.25)


def circle(number: int = 6) -> torch.Tensor:
    return torch.stack([orbit(i, number) for i in range(number)])


def halves(cameras: torch.Tensor) -> torch.Tensor:
    return torch.full((len(cameras),), HALF, dtype=torch.float64)


def looking(*rays: tuple[tuple[float, float, float], tuple[float, float, float]]) -> torch.Tensor:
    """Cameras at places that look along directions, turned about them anyhow."""
    matrices = []
    for place, direction in rays:
        forward = torch.nn.functional.normalize(torch.tensor(direction, dtype=torch.float64), dim=0)
        side = torch.linalg.cross(torch.tensor([0.3, 0.5, 0.8], dtype=torch.float64), forward)
        right = torch.nn.functional.normalize(side, dim=0)
        rotation = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
        matrices.append(rigid(rotation, torch.tensor(place, dtype=torch.float64)))
    return torch.stack(matrices)


def test_a_ball_becomes_the_unit_ball_and_comes_back():
    similarity = similarity_of_ball(CENTRE, 4.0)
    points = torch.stack([CENTRE, CENTRE + torch.tensor([4.0, 0, 0]), CENTRE + torch.tensor([0, 0, -8.0])])
    expected = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 0, -2]], dtype=torch.float64)
    in_units = transform(similarity.world_to_unit, points)
    torch.testing.assert_close(in_units, expected)
    torch.testing.assert_close(transform(similarity.unit_to_world, in_units), points)
    assert similarity.radius == 4


def test_cameras_stay_rigid_and_see_the_same_pixels():
    similarity = similarity_of_ball(CENTRE, 4.0)
    cam_to_unit = similarity.cameras(circle())
    assert is_rigid(cam_to_unit).all()
    points_cam = torch.tensor([[0.2, -0.3, 2.0]], dtype=torch.float64)
    world = transform(circle()[1], points_cam)
    # A point half as deep in units of 4 is at a fourth of its place in the camera.
    torch.testing.assert_close(transform(cam_to_unit[1], points_cam / 4), transform(similarity.world_to_unit, world))


def test_a_box_by_its_longest_edge_or_its_diagonal():
    bounds = torch.tensor([[0.0, 0, 0], [4, 2, 4]])
    within, around = similarity_of_box(bounds), similarity_of_box(bounds, "around")
    assert within.radius == 2 and within.unit_to_world[:3, 3].tolist() == [2, 1, 2]
    assert around.radius == 3  # half of sqrt(16 + 4 + 16)
    corners = torch.cartesian_prod(*bounds.double().unbind(dim=1))
    assert transform(around.world_to_unit, corners).norm(dim=1).max().item() == pytest.approx(1)


@pytest.mark.parametrize(
    "bounds", [[[0.0, 0, 0], [1, 0, 1]], [[1.0, 1, 1], [0, 0, 0]], [[0.0, 0, 0], [1, math.nan, 1]]]
)
def test_a_box_that_is_none_is_refused(bounds: list[list[float]]):
    with pytest.raises(DataError, match=r"region of interest: expected corners \(min, max\) of a box"):
        similarity_of_box(torch.tensor(bounds))


def test_points_far_away_do_not_matter():
    ball = torch.randn(2000, 3, dtype=torch.float64)
    ball = ball / ball.norm(dim=1, keepdim=True) * torch.rand(2000, 1, dtype=torch.float64) ** (1 / 3) * 2 + CENTRE
    alone = similarity_of_points(ball)
    assert alone.radius == pytest.approx(2, rel=0.05)
    far = torch.randn(200, 3, dtype=torch.float64) * 500
    crowded = similarity_of_points(torch.cat([ball, far]))
    assert crowded.radius == pytest.approx(alone.radius, rel=0.05)
    torch.testing.assert_close(crowded.unit_to_world[:3, 3], CENTRE, atol=0.2, rtol=0)


def test_moving_and_scaling_points_moves_and_scales_the_ball():
    points = torch.randn(500, 3, dtype=torch.float64)
    one, other = similarity_of_points(points), similarity_of_points(10 * points + CENTRE)
    assert other.radius == pytest.approx(10 * one.radius)
    torch.testing.assert_close(other.unit_to_world[:3, 3], 10 * one.unit_to_world[:3, 3] + CENTRE)


def test_points_that_say_nothing_are_refused():
    with pytest.raises(DataError, match="at least 4 finite points, got 3"):
        similarity_of_points(torch.rand(3, 3))
    with pytest.raises(DataError, match="got some that are not finite"):
        similarity_of_points(torch.tensor([[math.inf, 0, 0]] * 4))
    with pytest.raises(DataError, match="got one place for half of them"):
        similarity_of_points(torch.cat([torch.zeros(5, 3), torch.rand(3, 3)]))


def test_cameras_on_a_circle_look_at_its_middle_by_hand():
    cameras = circle()
    similarity = similarity_of_cameras(cameras, halves(cameras))
    torch.testing.assert_close(similarity.unit_to_world[:3, 3], CENTRE)
    # The sine of half the view is 1 / 4, of a distance of 4.
    assert similarity.radius == pytest.approx(RADIUS / 4)


def test_a_camera_that_stands_there_twice_counts_once():
    cameras = torch.cat([circle(3), *([looking(((9.0, 2, 3), (-1, 0.2, 0)))] * 5)])
    once = similarity_of_cameras(cameras[:4], halves(cameras[:4]))
    again = similarity_of_cameras(cameras, halves(cameras))
    torch.testing.assert_close(again.unit_to_world, once.unit_to_world)


def test_cameras_that_look_at_nothing_together_are_refused():
    with pytest.raises(DataError, match="at least 2 in different places, got 1"):
        similarity_of_cameras(circle()[:1], halves(circle()[:1]))
    twice = circle()[[2, 2, 2]]
    with pytest.raises(DataError, match="at least 2 in different places, got 1"):
        similarity_of_cameras(twice, halves(twice))
    inside_out = circle() @ torch.diag(torch.tensor([-1.0, 1, -1, 1], dtype=torch.float64))
    with pytest.raises(DataError, match="got 6 of 6 that look away"):
        similarity_of_cameras(inside_out, halves(inside_out))
    apart = looking(((0.0, 0, 0), (-0.3, 1, 0)), ((1.0, 0, 0), (0, 1, 0.1)), ((2.0, 0, 0), (0.3, 1, 0)))
    with pytest.raises(DataError, match="that look away"):
        similarity_of_cameras(apart, halves(apart))
    parallel = looking(*(((float(i), 0, 0), (0.0, 1, 0)) for i in range(4)))
    with pytest.raises(DataError, match="expected axes that meet, got parallel ones"):
        similarity_of_cameras(parallel, halves(parallel))
    broken = circle()
    broken[0, 0, 3] = math.nan
    with pytest.raises(DataError, match="expected finite transforms"):
        similarity_of_cameras(broken, halves(broken))


def test_axes_that_pass_each_other_far_away_are_refused():
    # Around a square, each looks past the middle at right angles to it, a little inward.
    rays = [
        ((5.0, 0, 0), (-0.1, 1.0, 0)),
        ((0.0, 5, 0), (-1.0, -0.1, 0)),
        ((-5.0, 0, 0), (0.1, -1, 0)),
        ((0.0, -5, 0), (1, 0.1, 0)),
    ]
    cameras = looking(*rays)
    with pytest.raises(DataError, match="got axes that pass it by 100% of their distance"):
        similarity_of_cameras(cameras, halves(cameras))
