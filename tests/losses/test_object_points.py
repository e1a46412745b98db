from __future__ import annotations

import math

import pytest
import torch

from scene3d.losses.object_points import clearance_of, fading, ground_off_surface, point_tolerance, points_on_surface


def test_points_within_their_tolerance_are_free():
    # Off by 0.5 beyond 0.1 on either side, and within: (0.4 + 0.4 + 0) / 3.
    sdf, tolerance = torch.tensor([0.5, -0.5, 0.05]), torch.full((3,), 0.1)
    torch.testing.assert_close(points_on_surface(sdf, tolerance), torch.tensor(0.8 / 3))
    assert points_on_surface(sdf[:0], tolerance[:0]) == 0


def test_ground_that_is_as_far_as_the_object_is_free():
    # Asked to be 1 away: 0.2 lacks 0.8 on either side of the surface, 1.5 lacks nothing.
    sdf, clearance = torch.tensor([0.2, -0.2, 1.5]), torch.ones(3)
    torch.testing.assert_close(ground_off_surface(sdf, clearance), torch.tensor(1.6 / 3))
    assert ground_off_surface(sdf[:0], clearance[:0]) == 0


def test_tolerance_is_the_mean_and_half_a_deviation_of_near_distances():
    # The first point is 1 and 3 from its two nearest: mean 2, deviation 1. The last is 2 and 3 from its.
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]])
    tolerance = point_tolerance(points, neighbours=2)
    torch.testing.assert_close(tolerance, torch.tensor([2.5, 1.5 + 0.25, 2.5 + 0.25]))
    assert point_tolerance(points[:1]).tolist() == [0]
    torch.testing.assert_close(point_tolerance(points, neighbours=10), tolerance)


def test_clearance_is_the_distance_to_the_nearest_point_of_the_object():
    ground, foreground = torch.tensor([[0.0, 0, 0], [5, 0, 0]]), torch.tensor([[0.0, 0, 2], [4, 0, 0]])
    assert clearance_of(ground, foreground).tolist() == [2, 1]
    assert clearance_of(ground[:0], foreground).shape == (0,)


def test_the_terms_fade_like_half_a_cosine():
    assert [fading(step, 100) for step in (0, 50, 100, 1000)] == pytest.approx([1, 0.5, 0, 0], abs=1e-12)
    assert fading(25, 100) == pytest.approx(0.5 * (1 + math.sqrt(0.5)))


def test_the_gradients_are_those_of_the_terms():
    sdf = torch.tensor([0.5, -0.4, 0.02, -0.01], dtype=torch.float64, requires_grad=True)
    limit = torch.full((4,), 0.1, dtype=torch.float64)
    assert torch.autograd.gradcheck(points_on_surface, (sdf, limit))
    assert torch.autograd.gradcheck(ground_off_surface, (sdf, 2 * limit))


def test_a_ball_is_led_to_its_points_and_off_the_ground():
    # A ball of radius 1 stands on z = 0; the fit begins with one of radius 1.6 that reaches into the ground.
    outward = torch.nn.functional.normalize(torch.randn(200, 3), dim=1)
    points = outward + torch.tensor([0.0, 0, 1])
    ground = torch.cat([6 * torch.rand(200, 2) - 3, torch.zeros(200, 1)], dim=1)
    tolerance, clearance = point_tolerance(points), clearance_of(ground, points)
    centre, radius = torch.tensor([0.2, 0, 0.8], requires_grad=True), torch.tensor(1.6, requires_grad=True)
    optimiser = torch.optim.Adam([centre, radius], lr=2e-2)
    for _ in range(300):
        optimiser.zero_grad()
        on, off = (((x - centre).norm(dim=1) - radius) for x in (points, ground))
        (points_on_surface(on, tolerance) + ground_off_surface(off, clearance)).backward()
        optimiser.step()
    slack = float(tolerance.mean())
    assert abs(radius.item() - 1) < slack and (centre.detach() - torch.tensor([0.0, 0, 1])).norm() < slack
