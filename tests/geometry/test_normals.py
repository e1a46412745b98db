from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.geometry.normals import depth_normals, triangle_normals


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


def test_a_slanted_wall_has_one_normal_towards_the_camera():
    # The plane n . x = d: depth along the ray (u, v, 1) is d / (n . (u, v, 1)).
    camera = pinhole(50.0, 30, 40)
    towards = torch.nn.functional.normalize(torch.tensor([0.3, -0.2, -1.0]), dim=0)
    rays = torch.cat([pixel_centres(30, 40), torch.ones(30, 40, 1)], dim=2) @ torch.linalg.inv(camera.K).mT
    depth = -4.0 / (rays @ towards)
    normals = depth_normals(depth, camera.K, reach=2)
    torch.testing.assert_close(normals[2:-2, 2:-2], towards.expand(26, 36, 3), atol=1e-4, rtol=0)
    assert (normals[:2] == 0).all() and (normals[:, -2:] == 0).all()


def test_edges_and_unknown_depth_have_no_normal():
    camera = pinhole(50.0, 20, 20)
    depth = torch.full((20, 20), 2.0)
    depth[:, 10:] = 4.0
    depth[5, 5] = 0
    known = depth_normals(depth, camera.K, reach=1).norm(dim=-1) > 0
    assert not known[:, 9:11].any() and not known[4:7, 5].any() and not known[5, 4:7].any()
    assert known[7:19, 1:9].all() and known[1:19, 11:19].all()
    assert (depth_normals(depth[:2], camera.K) == 0).all()
