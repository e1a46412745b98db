from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
import torch
from torch.nn.functional import grid_sample

from scene3d.data.street import Street, StreetConfig, View, cast, make_street, occupancy, render, rig
from scene3d.data.street.categories import KITTI_360_ID, SSCBENCH_ID
from scene3d.geometry.fisheye import project_fisheye
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame

SIZE = (96, 320)
FRAME = 4
SEEDS = (3, 11)
CONFIG = StreetConfig(frames=8)


@lru_cache
def _street(seed: int) -> Street:
    return make_street(seed, CONFIG)


@pytest.fixture(scope="module", params=SEEDS)
def street(request: pytest.FixtureRequest) -> Street:
    return _street(request.param)


@pytest.fixture(scope="module")
def left(street: Street) -> View:
    return render(street, FRAME, rig.perspective(SIZE)[0], _left(street), noise_seed=None)


def _left(street: Street) -> np.ndarray:
    return street.body_to_world(FRAME) @ rig.left_rect_to_body


def _points(view: View, cam_to_world: np.ndarray) -> np.ndarray:
    K = rig.perspective(SIZE)[0].K.numpy().astype(np.float64)
    u, v = np.meshgrid(np.arange(SIZE[1]) + 0.5, np.arange(SIZE[0]) + 0.5)
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ np.linalg.inv(K).T
    return (rays * view.depth[..., None]) @ cam_to_world[:3, :3].T + cam_to_world[:3, 3]


def _read(image: np.ndarray, pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """An image read bilinearly at (H, W, 2) pixel positions."""
    grid = torch.from_numpy(pixels / np.array([width, height]) * 2 - 1).float()[None]
    source = torch.from_numpy(image.astype(np.float32)).movedim(-1, 0)[None]
    return grid_sample(source, grid, align_corners=False)[0].movedim(0, -1).numpy()


def test_the_same_seed_makes_the_same_street(street: Street, left: View) -> None:
    again = render(make_street(street.seed, CONFIG), FRAME, rig.perspective(SIZE)[0], _left(street), noise_seed=None)
    assert np.array_equal(again.image, left.image)
    assert np.array_equal(again.depth, left.depth)
    assert np.array_equal(again.labels, left.labels)


def test_seeds_differ() -> None:
    first, second = (_street(seed) for seed in SEEDS)
    assert len(first.standing) != len(second.standing)
    assert not np.allclose(first.body_to_world(0), second.body_to_world(0))


def test_noise_is_repeatable_and_small(street: Street, left: View) -> None:
    camera = rig.perspective(SIZE)[0]
    noisy = [render(street, FRAME, camera, _left(street), noise_seed=seed).image for seed in (1, 1, 2)]
    assert np.array_equal(noisy[0], noisy[1])
    assert not np.array_equal(noisy[0], noisy[2])
    assert np.std(noisy[0].astype(float) - left.image) == pytest.approx(street.config.noise, rel=0.15)


def test_cast_and_depth_agree(street: Street, left: View) -> None:
    cam_to_world = _left(street)
    chosen = left.depth > 0
    points = _points(left, cam_to_world)[chosen]
    distance = np.linalg.norm(points - cam_to_world[:3, 3], axis=1)
    directions = (points - cam_to_world[:3, 3]) / distance[:, None]
    origins = np.broadcast_to(cam_to_world[:3, 3], directions.shape)
    found, ids = cast(street, FRAME, origins, directions, 500.0)
    assert np.mean(np.abs(found - distance) < 0.01 + 1e-3 * distance) > 0.995
    assert np.mean(ids == left.labels[chosen]) > 0.995


def test_a_ray_to_the_sky_meets_nothing(street: Street) -> None:
    up = np.array([[0.0, 0.0, 1.0]])
    distance, ids = cast(street, FRAME, street.body_to_world(FRAME)[None, :3, 3] + 30 * up, up, 100.0)
    assert np.isinf(distance[0])
    assert ids[0] == 23


def test_a_short_beam_does_not_reach_the_road(street: Street) -> None:
    body = street.body_to_world(FRAME)
    down = np.array([[0.0, 0.0, -1.0]])
    reached, ids = cast(street, FRAME, body[None, :3, 3], down, 10.0)
    assert 0.6 < reached[0] < 1.4
    assert ids[0] in (7, 9)
    assert np.isinf(cast(street, FRAME, body[None, :3, 3], down, 0.5)[0][0])


def test_normals_are_unit_and_face_the_camera(street: Street, left: View) -> None:
    surface = left.depth > 0
    assert np.allclose(np.linalg.norm(left.normal[surface], axis=1), 1, atol=1e-4)
    assert not left.normal[~surface].any()
    towards = _left(street)[:3, 3] - _points(left, _left(street))
    facing = (left.normal * towards).sum(axis=-1)[surface] > -1e-2 * np.linalg.norm(towards[surface], axis=1)
    assert facing.mean() > 0.995


def test_sky_has_no_depth_and_the_rest_has(left: View) -> None:
    assert np.array_equal(left.labels == 23, left.depth == 0)


def test_the_left_image_warped_by_true_depth_looks_like_the_right_one(street: Street, left: View) -> None:
    camera = rig.perspective(SIZE)[1]
    right = render(street, FRAME, camera, street.body_to_world(FRAME) @ rig.right_rect_to_body, noise_seed=None)
    u, v = np.meshgrid(np.arange(SIZE[1]) + 0.5, np.arange(SIZE[0]) + 0.5)
    shift = float(camera.K[0, 0]) * rig.BASELINE / np.maximum(left.depth, 1e-6)
    pixels = np.stack([u - shift, v], axis=-1)
    read = _read(right.image, pixels, *SIZE) / 255
    depth = _read(right.depth[..., None], pixels, *SIZE)[..., 0]
    seen = (left.depth > 0) & (pixels[..., 0] > 1) & (np.abs(depth - left.depth) < 0.02 * left.depth)
    error = np.abs(read - left.image / 255).mean(axis=-1)
    assert seen.mean() > 0.4
    assert error[seen].mean() < 0.02
    # A depth that is off by a fifth must look worse, or the texture is too poor to learn from.
    wrong = np.abs(_read(right.image, np.stack([u - 0.8 * shift, v], axis=-1), *SIZE) / 255 - left.image / 255)
    assert wrong.mean(axis=-1)[seen].mean() > 1.5 * error[seen].mean()


def test_the_fisheye_and_the_pinhole_see_the_same_colours(street: Street, left: View) -> None:
    camera = rig.fisheye(500)[0]
    fisheye_to_world = _left(street).copy()  # a fisheye in the place of the left camera
    view = render(street, FRAME, camera, fisheye_to_world, noise_seed=None)
    points = _points(left, _left(street))
    local = (points - fisheye_to_world[:3, 3]) @ fisheye_to_world[:3, :3]
    pixels, seen = project_fisheye(torch.from_numpy(local.reshape(-1, 3)), camera)
    pixels = pixels.numpy().reshape(*SIZE, 2)
    distance = _read(view.distance[..., None], pixels, camera.height, camera.width)[..., 0]
    same = np.abs(distance - left.distance) < 0.02 * left.distance
    same &= (left.depth > 0) & seen.numpy().reshape(SIZE)
    error = np.abs(_read(view.image, pixels, camera.height, camera.width) - left.image).mean(axis=-1) / 255
    assert same.mean() > 0.5
    assert error[same].mean() < 0.03


def test_every_class_turns_up_within_a_few_streets() -> None:
    seen: set[int] = set()
    for seed in (*SEEDS, 1, 5):
        street = _street(seed)
        grid = street.body_to_world(FRAME) @ rig.velo_to_body
        seen |= set(np.unique(occupancy(street, FRAME, SSCBENCH, grid).labels).tolist())
    assert len(seen - {0}) >= 15


def test_surfaces_lie_in_full_cells_of_their_class(street: Street, left: View) -> None:
    grid_to_world = street.body_to_world(FRAME) @ rig.velo_to_body
    truth = occupancy(street, FRAME, SSCBENCH, grid_to_world)
    to_ssc = dict(zip(KITTI_360_ID.tolist(), SSCBENCH_ID.tolist(), strict=True))
    inner = (_points(left, _left(street)) - 0.15 * left.normal)[left.depth > 0]
    local = (inner - grid_to_world[:3, 3]) @ grid_to_world[:3, :3]
    cell, within = SSCBENCH.cell_of(torch.from_numpy(local))
    cell, within = cell.numpy()[within], within.numpy()
    found = truth.labels[tuple(cell.T)]
    wanted = np.array([to_ssc[i] for i in left.labels[left.depth > 0][within].tolist()])
    assert within.mean() > 0.3
    assert (found != 0).mean() > 0.95
    assert (found == wanted).mean() > 0.9


def test_the_ground_goes_down_and_the_air_is_empty(street: Street) -> None:
    x, y, z = street.body_to_world(FRAME)[:3, 3]
    column = VoxelFrame((0.0, 0.0, -6.0), 0.25, (1, 1, 24))
    place = np.eye(4)
    place[:3, 3] = x, y, z
    full = occupancy(street, FRAME, column, place).labels[0, 0] != 0
    level = float(street.ground.height(np.float32([x + 0.125]), np.float32([y + 0.125]))[0]) - z
    assert np.array_equal(full, -6 + 0.25 * (np.arange(24) + 0.5) < level)


def test_the_shell_is_what_touches_air_within_the_grid(street: Street) -> None:
    grid = VoxelFrame((2.0, -6.0, -2.0), 0.4, (20, 30, 10))
    truth = occupancy(street, FRAME, grid, street.body_to_world(FRAME) @ rig.velo_to_body)
    full = truth.labels != 0
    expected = np.zeros_like(full)
    for x, y, z in np.argwhere(full):
        for step in ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1)):
            at = (x + step[0], y + step[1], z + step[2])
            inside = all(0 <= a < n for a, n in zip(at, full.shape, strict=True))
            expected[x, y, z] |= inside and not full[at]
    assert np.array_equal(truth.shell, expected)
    assert truth.shell.any()


def test_a_frame_beyond_the_drive_is_an_error(street: Street) -> None:
    with pytest.raises(IndexError, match="frames 0 to 7"):
        street.body_to_world(8)
