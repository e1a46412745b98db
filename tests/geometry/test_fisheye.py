from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from scene3d.geometry.camera import pinhole, pixel_centres, project, to_grid
from scene3d.geometry.fisheye import Fisheye, pinhole_lookup, project_fisheye, unproject_fisheye

PLAIN = Fisheye(
    xi=1.0,
    k1=0.0,
    k2=0.0,
    p1=0.0,
    p2=0.0,
    gamma1=100.0,
    gamma2=200.0,
    u0=50.0,
    v0=60.0,
    height=120,
    width=100,
)
KITTI_360 = Fisheye(
    xi=2.2134, k1=0.0168, k2=1.6549, p1=4e-4, p2=4e-4, gamma1=1336.3, gamma2=1335.8, u0=716.9, v0=705.8,
    height=1400, width=1400,
)  # fmt: skip


def test_convention_the_axis_of_a_fisheye_hits_its_principal_point():
    pixels, seen = project_fisheye(torch.tensor([[0.0, 0.0, 3.0]]), PLAIN)
    assert pixels.tolist() == [[50.0, 60.0]]
    assert seen.tolist() == [True]


def test_convention_a_point_at_ninety_degrees_is_seen_to_the_side():
    # On the sphere (1, 0, 0); moved by xi = 1 along z, its slope is 1 / (0 + 1) = 1: 100 pixels right of u0.
    pixels, seen = project_fisheye(torch.tensor([[7.0, 0.0, 0.0], [0.0, 7.0, 0.0]]), PLAIN)
    torch.testing.assert_close(pixels, torch.tensor([[150.0, 60.0], [50.0, 260.0]]))
    assert seen.all()


def test_radial_and_tangential_distortion_follow_the_plumb_bob_formula():
    bent = replace(PLAIN, k1=0.5, k2=0.25, p1=0.1, p2=0.2)
    # At 90 degrees to the right x = 1, y = 0, r^2 = 1: radial 1 + 0.5 + 0.25, tangential
    # x: 2 p1 x y + p2 (r^2 + 2 x^2) = 0.6, y: p1 (r^2 + 2 y^2) + 2 p2 x y = 0.1.
    pixels, _ = project_fisheye(torch.tensor([[1.0, 0.0, 0.0]]), bent)
    torch.testing.assert_close(pixels, torch.tensor([[50 + 100 * 2.35, 60 + 200 * 0.1]]))


def test_without_xi_and_distortion_it_is_a_pinhole():
    fisheye = replace(PLAIN, xi=0.0)
    K = torch.tensor([[100.0, 0.0, 50.0], [0.0, 200.0, 60.0], [0.0, 0.0, 1.0]])
    points = torch.tensor([[0.5, -0.2, 2.0], [1.0, 3.0, 4.0]])
    torch.testing.assert_close(project_fisheye(points, fisheye)[0], project(points, K)[0])
    assert not project_fisheye(torch.tensor([[0.0, 0.0, -1.0]]), fisheye)[1].any()


@pytest.mark.parametrize(("xi", "limit"), [(0.5, 0.5), (2.0, 0.5), (1.0, 1.0)])
def test_how_far_behind_the_camera_a_point_is_still_seen(xi: float, limit: float):
    # z / |X| > -min(xi, 1 / xi)
    fisheye = replace(PLAIN, xi=xi)
    for z, expected in ((-limit + 0.01, True), (-limit - 0.01, False)):
        if z < -1:
            continue
        point = torch.tensor([[math.sqrt(1 - z * z), 0.0, z]])
        assert project_fisheye(point, fisheye)[1].item() is expected


@pytest.mark.parametrize("camera", [PLAIN, KITTI_360], ids=["plain", "kitti-360"])
def test_a_ray_projects_back_to_its_pixel(camera: Fisheye):
    pixels = pixel_centres(camera.height, camera.width)[::20, ::20].reshape(-1, 2).double()
    rays, seen = unproject_fisheye(pixels, camera)
    assert seen.float().mean() > 0.75
    torch.testing.assert_close(rays.norm(dim=-1), torch.ones(len(rays), dtype=torch.float64))
    back, _ = project_fisheye(rays, camera)
    assert (back - pixels)[seen].abs().max() < 0.01


def test_rays_of_random_directions_come_back():
    directions = F.normalize(torch.randn(200, 3, dtype=torch.float64), dim=-1)
    directions = directions[directions[:, 2] > 0.1]
    pixels, seen = project_fisheye(directions, KITTI_360)
    rays, found = unproject_fisheye(pixels, KITTI_360)
    assert seen.all()
    assert found.all()
    torch.testing.assert_close(rays, directions, atol=1e-4, rtol=0)


def test_a_virtual_pinhole_sees_the_same_direction_as_the_fisheye():
    camera = pinhole(40.0, 60, 80)
    turn = math.radians(20)
    about_y = torch.tensor(
        [[math.cos(turn), 0.0, math.sin(turn)], [0.0, 1.0, 0.0], [-math.sin(turn), 0.0, math.cos(turn)]]
    )
    source, seen = pinhole_lookup(KITTI_360, camera, about_y)
    assert source.shape == (60, 80, 2)
    # The middle of the image, (40, 30), lies between four centres; their mean looks along the axis.
    axis, _ = project_fisheye(about_y @ torch.tensor([0.0, 0.0, 1.0]), KITTI_360)
    torch.testing.assert_close(source[29:31, 39:41].mean((0, 1)), axis, atol=0.5, rtol=0)
    # Turned to its right, the axis lies to the right of the fisheye's middle.
    assert axis[0] > KITTI_360.u0 + 50
    assert seen.all()


def test_pixels_that_look_out_of_the_fisheye_image_are_not_seen():
    narrow = replace(KITTI_360, width=900)
    camera = pinhole(10.0, 40, 160)
    source, seen = pinhole_lookup(narrow, camera, torch.eye(3))
    assert seen[20, 80]
    assert not seen[20, -1]
    outside = (source[..., 0] > 900) | (source[..., 0] < 0) | (source[..., 1] < 0) | (source[..., 1] > 1400)
    assert not (seen & outside).any()


def test_a_resampled_picture_of_a_direction_is_that_direction():
    # Paint the fisheye with the x slope of each pixel's ray, look it up, and compare with the pinhole's own.
    small = Fisheye(1.5, 0.01, 0.0, 1e-3, -1e-3, 150.0, 150.0, 100.0, 90.0, 180, 200)
    rays, seen = unproject_fisheye(pixel_centres(180, 200), small)
    picture = torch.where(seen & (rays[..., 2] > 0.05), rays[..., 0] / rays[..., 2].clamp(min=0.05), 0.0)
    camera = pinhole(40.0, 24, 32)
    source, covered = pinhole_lookup(small, camera, torch.eye(3))
    found = F.grid_sample(picture[None, None], to_grid(source, 180, 200)[None], align_corners=False)[0, 0]
    expected = ((pixel_centres(24, 32)[..., 0] - 16) / 40).expand(24, 32)
    assert covered.all()
    torch.testing.assert_close(found, expected, atol=3e-3, rtol=0)
