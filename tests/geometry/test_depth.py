from __future__ import annotations

import kornia
import torch

from scene3d.geometry.camera import pinhole, project
from scene3d.geometry.depth import (
    depth_to_distance,
    depth_to_points,
    distance_to_depth,
    invert_depth,
    points_to_depth,
    ray_lengths,
)


def a_K() -> torch.Tensor:
    # The axis goes through the centre of the second pixel of the second row.
    return torch.tensor([[1.0, 0.0, 1.5], [0.0, 1.0, 1.5], [0.0, 0.0, 1.0]])


def test_convention_depth_is_along_z_and_distance_along_the_ray():
    lengths = ray_lengths(a_K(), 3, 3)
    # On the axis 1; one pixel aside at a focal length of one pixel sqrt(2); in the corner sqrt(3).
    expected = torch.tensor([[3.0, 2.0, 3.0], [2.0, 1.0, 2.0], [3.0, 2.0, 3.0]]).sqrt()
    torch.testing.assert_close(lengths, expected)
    wall = torch.full((3, 3), 2.0)
    torch.testing.assert_close(depth_to_distance(wall, a_K()), 2 * expected)


def test_convention_a_pixel_of_depth_is_a_point_right_down_and_forward_of_the_camera():
    points = depth_to_points(torch.full((3, 3), 2.0), a_K())
    assert points[1, 1].tolist() == [0.0, 0.0, 2.0]
    assert points[1, 2].tolist() == [2.0, 0.0, 2.0]
    assert points[2, 1].tolist() == [0.0, 2.0, 2.0]


def test_distance_and_depth_undo_each_other_and_keep_not_measured():
    depth = torch.rand(2, 4, 5) * 50
    depth[0, 1, 2] = 0
    K = pinhole(3.0, 4, 5).K.expand(2, 3, 3)
    torch.testing.assert_close(distance_to_depth(depth_to_distance(depth, K), K), depth)
    assert depth_to_distance(depth, K)[0, 1, 2] == 0


def test_disparity_is_one_over_depth_and_zero_stays_zero():
    assert invert_depth(torch.tensor([0.0, 0.5, 4.0])).tolist() == [0.0, 2.0, 0.25]
    depth = torch.tensor([0.0, 3.0], requires_grad=True)
    invert_depth(depth).sum().backward()
    # The gradient of what was not measured is 0, not NaN.
    torch.testing.assert_close(depth.grad, torch.tensor([0.0, -1 / 9]))


def test_points_agree_with_kornia_half_a_pixel_away():
    camera, depth = pinhole(30.0, 5, 7), torch.rand(1, 5, 7) + 1
    theirs = camera.K.clone()
    theirs[:2, 2] -= 0.5
    expected = kornia.geometry.depth.depth_to_3d_v2(depth, theirs[None])
    torch.testing.assert_close(depth_to_points(depth[0], camera.K), expected[0])


def test_points_of_a_depth_map_project_back_to_their_pixels_and_depths():
    camera, depth = pinhole(4.0, 6, 9), torch.rand(6, 9) * 20 + 1
    points = depth_to_points(depth, camera.K)
    torch.testing.assert_close(project(points.reshape(-1, 3), camera.K)[1].reshape(6, 9), depth)
    torch.testing.assert_close(points_to_depth(points.reshape(-1, 3), camera.K, 6, 9), depth)


def test_the_nearest_point_of_a_pixel_wins_and_points_outside_do_not_count():
    camera = pinhole(1.0, 2, 2)
    points = torch.tensor(
        [
            [0.4, 0.4, 1.0],
            [2.0, 2.0, 5.0],
            [0.5, 0.5, -1.0],
            [1.1, 0.2, 1.0],
            [-0.5, 0.5, 1.0],
            [0.0, 0.0, 0.0],
        ]
    )
    # Centre (1, 1), one pixel a unit of slope: the first two fall into the lower right pixel; the third is
    # behind; the fourth lies at x = 2.1 of 2; the fifth is in the lower left pixel; the last is the camera.
    assert points_to_depth(points, camera.K, 2, 2).tolist() == [[0.0, 0.0], [1.0, 1.0]]
    # The right and lower border belong to no pixel.
    assert points_to_depth(torch.tensor([[1.0, 1.0, 1.0]]), camera.K, 2, 2).sum() == 0


def test_no_points_give_a_map_of_nothing():
    assert points_to_depth(torch.zeros(0, 3), a_K(), 3, 3).tolist() == [[0.0] * 3] * 3
