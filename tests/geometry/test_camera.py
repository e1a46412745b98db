from __future__ import annotations

import kornia
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from scene3d.geometry.camera import (
    Camera,
    flip_transform,
    inside,
    pinhole,
    pixel_centres,
    project,
    to_grid,
    unproject,
)
from scene3d.geometry.se3 import invert, is_rigid, transform


def a_camera(height: int = 6, width: int = 8) -> Camera:
    return Camera(torch.tensor([[5.0, 0.0, 4.5], [0.0, 7.0, 2.5], [0.0, 0.0, 1.0]]), height, width)


def test_convention_the_first_pixel_has_its_centre_at_half():
    centres = pixel_centres(2, 3)
    assert centres.shape == (2, 3, 2)
    assert centres[0, 0].tolist() == [0.5, 0.5]
    # (x, y): the column comes first.
    assert centres[1, 2].tolist() == [2.5, 1.5]


def test_convention_x_is_right_y_is_down_and_z_is_forward():
    camera = pinhole(10.0, 20, 40)
    right_and_down = torch.tensor([[1.0, 2.0, 10.0]])
    pixels, depth = project(right_and_down, camera.K)
    # The axis goes through (20, 10); 1 m right at 10 m is one pixel, 2 m down are two.
    assert pixels.tolist() == [[21.0, 12.0]]
    assert depth.tolist() == [10.0]


def test_convention_grid_sample_reads_a_pixel_at_its_centre():
    image = torch.arange(12.0).reshape(1, 1, 3, 4)
    grid = to_grid(pixel_centres(3, 4), 3, 4)[None]
    torch.testing.assert_close(F.grid_sample(image, grid, align_corners=False), image)
    # The borders of the image are the ends of [-1, 1].
    assert to_grid(torch.tensor([[0.0, 0.0], [4.0, 3.0]]), 3, 4).tolist() == [[-1, -1], [1, 1]]


def test_convention_resizing_scales_K_and_keeps_what_a_relative_position_sees():
    camera, ray = a_camera(), torch.tensor([[0.2, -0.1, 1.0]])
    half = camera.resize(3, 4)
    assert (half.height, half.width) == (3, 4)
    assert half.K.tolist() == [[2.5, 0.0, 2.25], [0.0, 3.5, 1.25], [0.0, 0.0, 1.0]]
    before, after = project(ray, camera.K)[0], project(ray, half.K)[0]
    torch.testing.assert_close(to_grid(before, 6, 8), to_grid(after, 3, 4))


def test_resizing_an_image_moves_a_feature_to_where_the_resized_camera_projects_it():
    camera = pinhole(30.0, 32, 64)
    point = torch.tensor([[0.35, -0.2, 1.0]])
    x, y = project(point, camera.K)[0][0]
    centres = pixel_centres(32, 64)
    blob = torch.exp(-((centres - torch.stack([x, y])) ** 2).sum(-1) / 18)
    small = F.interpolate(blob[None, None], size=(16, 24), mode="bilinear", antialias=True)[0, 0]
    found = (pixel_centres(16, 24) * small[..., None]).sum((0, 1)) / small.sum()
    torch.testing.assert_close(found, project(point, camera.resize(16, 24).K)[0][0], atol=0.02, rtol=0)


def test_convention_cropping_subtracts_from_the_principal_point():
    camera = a_camera()
    window = camera.crop(top=2, left=3, height=4, width=5)
    assert (window.height, window.width) == (4, 5)
    ray = torch.tensor([[0.3, 0.4, 1.0]])
    moved = project(ray, camera.K)[0] - project(ray, window.K)[0]
    torch.testing.assert_close(moved, torch.tensor([[3.0, 2.0]]))
    # The camera that was cropped is as it was.
    assert camera.K[0, 2] == 4.5


def test_convention_flipping_maps_cx_to_width_minus_cx():
    camera = a_camera()
    assert camera.flip().K[0, 2] == 8 - 4.5
    point = torch.tensor([[0.7, -0.2, 3.0]])
    mirrored = point * torch.tensor([-1.0, 1.0, 1.0])
    x, y = project(point, camera.K)[0][0]
    x_mirrored, y_mirrored = project(mirrored, camera.flip().K)[0][0]
    torch.testing.assert_close(x_mirrored, 8 - x)
    torch.testing.assert_close(y_mirrored, y)


def test_flipping_twice_is_nothing_even_with_skew():
    camera = a_camera()
    camera.K[0, 1] = 0.25
    torch.testing.assert_close(camera.flip().flip().K, camera.K)


def test_a_flipped_transform_takes_mirrored_points_to_mirrored_points():
    axis_angle = torch.tensor([[0.1, -0.4, 0.2]])
    a_to_b = torch.eye(4)
    a_to_b[:3, :3] = kornia.geometry.axis_angle_to_rotation_matrix(axis_angle)[0]
    a_to_b[:3, 3] = torch.tensor([1.0, 2.0, 3.0])
    points = torch.tensor([[0.5, -0.3, 2.0], [1.0, 1.0, 1.0]])
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    flipped = flip_transform(a_to_b)
    assert is_rigid(flipped)
    torch.testing.assert_close(transform(flipped, points * mirror), transform(a_to_b, points) * mirror)
    torch.testing.assert_close(flip_transform(invert(a_to_b)), invert(flipped))


@settings(max_examples=25, deadline=None)
@given(st.floats(0, 8), st.floats(0, 6), st.floats(0.1, 100))
def test_projecting_what_was_unprojected_gives_the_pixel_back(x: float, y: float, depth: float):
    camera = a_camera()
    pixels = torch.tensor([[x, y]])
    back, z = project(unproject(pixels, torch.tensor([depth]), camera.K), camera.K)
    torch.testing.assert_close(back, pixels, atol=1e-4, rtol=1e-5)
    torch.testing.assert_close(z, torch.tensor([depth]))


def test_projection_and_its_inverse_agree_with_kornia_half_a_pixel_away():
    # kornia puts pixel centres at integers: its principal point and its pixels are ours minus half a pixel.
    K = a_camera().K.double()
    theirs = K.clone()
    theirs[:2, 2] -= 0.5
    points = torch.randn(5, 3, dtype=torch.float64) + torch.tensor([0.0, 0.0, 4.0])
    pixels, depth = project(points, K)
    torch.testing.assert_close(pixels - 0.5, kornia.geometry.project_points(points, theirs[None].expand(5, 3, 3)))
    back = kornia.geometry.unproject_points(pixels - 0.5, depth[:, None], theirs[None].expand(5, 3, 3))
    torch.testing.assert_close(unproject(pixels, depth, K), back)


def test_a_point_behind_the_camera_is_told_by_its_depth_and_is_finite():
    pixels, depth = project(torch.tensor([[1.0, 1.0, -2.0], [0.0, 0.0, 0.0]]), a_camera().K)
    assert torch.isfinite(pixels).all()
    assert depth.tolist() == [-2.0, 0.0]
    assert not inside(pixels, depth, 6, 8).any()


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [((0.0, 0.0), True), ((8.0, 6.0), True), ((8.01, 3.0), False), ((4.0, -0.01), False)],
)
def test_the_image_spans_zero_to_its_size(pixel: tuple[float, float], expected: bool):
    assert inside(torch.tensor([pixel]), torch.tensor([1.0]), 6, 8).tolist() == [expected]


def test_projection_works_for_many_views_at_once():
    points, K = torch.rand(2, 3, 7, 3) + 1, a_camera().K.expand(2, 3, 3, 3)
    pixels, depth = project(points, K)
    assert pixels.shape == (2, 3, 7, 2)
    torch.testing.assert_close(pixels[1, 2], project(points[1, 2], a_camera().K)[0])
    assert depth.shape == (2, 3, 7)


def test_gradients_of_projection_are_right():
    points = torch.rand(3, 3, dtype=torch.float64) + 1
    K = a_camera().K.double()
    assert torch.autograd.gradcheck(lambda p: project(p, K), (points.requires_grad_(),))
