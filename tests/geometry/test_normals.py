from __future__ import annotations

import torch

from scene3d.geometry.normals import triangle_normals


def test_a_triangle_that_runs_counter_clockwise_seen_from_above_points_up():
    corners = torch.tensor([[0.0, 0, 2], [3, 0, 2], [0, 2, 2]])
    torch.testing.assert_close(triangle_normals(corners), torch.tensor([0.0, 0, 1]))
    torch.testing.assert_close(triangle_normals(corners.flip(0)), torch.tensor([0.0, 0, -1]))


def test_a_triangle_without_an_area_has_no_normal_and_no_gradient():
    corners = torch.tensor([[[0.0, 0, 0], [1, 1, 1], [2, 2, 2]], [[0, 0, 0], [1, 0, 0], [0, 1, 0]]], requires_grad=True)
    normals = triangle_normals(corners)
    assert normals[0].tolist() == [0, 0, 0] and normals[1].tolist() == [0, 0, 1]
    normals.sum().backward()
    assert torch.isfinite(corners.grad).all() and (corners.grad[0] == 0).all()


def test_normals_turn_with_their_points():
    rotation = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    rotation = rotation * torch.linalg.det(rotation)
    corners = torch.randn(5, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(triangle_normals(corners @ rotation.mT), triangle_normals(corners) @ rotation.mT)


def test_the_gradient_is_that_of_the_function():
    corners = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(triangle_normals, (corners,))
