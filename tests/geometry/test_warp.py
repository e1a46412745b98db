from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole, project
from scene3d.geometry.depth import depth_to_points
from scene3d.geometry.se3 import rigid, rotation_of, transform
from scene3d.geometry.warp import reproject, warp


def test_a_camera_a_step_to_the_right_sees_a_wall_moved_by_the_disparity():
    # Focal length 10, wall at 5, step of 1: 2 pixels to the left, and the two leftmost columns out of sight.
    K = pinhole(10.0, 4, 8).K[None]
    source = torch.arange(8.0).expand(1, 1, 4, 8)
    cam_to_source = torch.eye(4)[None].clone()
    cam_to_source[0, 0, 3] = -1
    warped, seen = warp(source, torch.full((1, 4, 8), 5.0), K, K, cam_to_source)
    assert warped[0, 0, 0].tolist() == [0, 0, 0, 1, 2, 3, 4, 5]
    assert seen[0, 0].tolist() == [False, False, True, True, True, True, True, True]


def test_reprojection_is_projection_of_the_points():
    torch.manual_seed(0)
    K, source_K = pinhole(20.0, 6, 9).K[None], pinhole(17.0, 5, 7).K[None]
    motion = rigid(rotation_of(0.2 * torch.randn(1, 3)), torch.randn(1, 3))
    depth = 1 + 4 * torch.rand(1, 6, 9)
    pixels, away = reproject(depth, K, source_K, motion)
    expected, expected_away = project(transform(motion, depth_to_points(depth, K).flatten(1, 2)), source_K)
    torch.testing.assert_close(pixels.flatten(1, 2), expected, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(away.flatten(1), expected_away)


def test_what_lies_behind_the_source_is_not_seen():
    K = pinhole(10.0, 4, 8).K[None]
    turned = rigid(rotation_of(torch.tensor([[0.0, torch.pi, 0.0]])), torch.zeros(1, 3))
    _, seen = warp(torch.rand(1, 3, 4, 8), torch.full((1, 4, 8), 5.0), K, K, turned)
    assert not seen.any()


def test_gradients_reach_depth_and_motion():
    K = pinhole(10.0, 4, 6).K[None].double()
    source = torch.rand(1, 2, 4, 6, dtype=torch.float64)
    depth = (3 + torch.rand(1, 4, 6, dtype=torch.float64)).requires_grad_()
    step = torch.tensor([[0.11, 0.03, -0.07]], dtype=torch.float64, requires_grad=True)
    axis = torch.tensor([[0.01, -0.02, 0.03]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda d, s, a: warp(source, d, K, K, rigid(rotation_of(a), s))[0], (depth, step, axis), eps=1e-7, atol=1e-4
    )


def test_a_depth_that_is_not_a_number_is_not_seen_and_breaks_nothing():
    K = pinhole(60.0, 64, 96).K[None]
    depth = torch.full((1, 64, 96), 5.0)
    depth[:, ::3] = torch.nan
    depth.requires_grad_()
    source = torch.rand(1, 3, 64, 96, requires_grad=True)
    warped, seen = warp(source, depth, K, K, torch.eye(4)[None])
    assert not seen[:, ::3].any()
    warped.sum().backward()
    assert torch.isfinite(source.grad).all()
