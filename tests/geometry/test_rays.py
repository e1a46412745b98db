from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole, pixel_centres, project
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import invert, rigid, transform

AHEAD_IS_X = torch.tensor([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""A camera in a world with x forward, y left and z up."""


def test_convention_a_ray_starts_at_the_camera_and_points_away_from_it():
    cam_to_world = rigid(AHEAD_IS_X, torch.tensor([5.0, 6.0, 7.0]))
    middle, right = torch.tensor([4.0, 3.0]), torch.tensor([5.0, 3.0])
    origins, directions = pixel_rays(torch.stack([middle, right]), pinhole(1.0, 6, 8).K, cam_to_world)
    assert origins.tolist() == [[5.0, 6.0, 7.0]] * 2
    assert directions[0].tolist() == [1.0, 0.0, 0.0]
    # One focal length to the right of the axis is 45 degrees, and right is -y of this world.
    torch.testing.assert_close(directions[1], torch.tensor([0.5**0.5, -(0.5**0.5), 0.0]))


def test_any_point_of_a_ray_projects_to_its_pixel():
    camera = pinhole(5.0, 6, 8)
    cam_to_world = rigid(AHEAD_IS_X, torch.tensor([1.0, 2.0, 3.0])).expand(2, 4, 4)
    pixels = pixel_centres(6, 8).reshape(1, -1, 2).expand(2, -1, 2)
    origins, directions = pixel_rays(pixels, camera.K.expand(2, 3, 3), cam_to_world)
    torch.testing.assert_close(directions.norm(dim=-1), torch.ones(2, 48))
    points_cam = transform(invert(cam_to_world), origins + 7 * directions)
    torch.testing.assert_close(project(points_cam, camera.K.expand(2, 3, 3))[0], pixels, atol=1e-4, rtol=0)
