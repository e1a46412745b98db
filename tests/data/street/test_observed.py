from __future__ import annotations

import numpy as np
import torch

from scene3d.data.street.lidar import HIGHEST, LOWEST, RINGS, Panorama
from scene3d.data.street.observed import camera_sight, lidar_sight, observed_cells
from scene3d.geometry.camera import pinhole
from scene3d.geometry.fisheye import Fisheye
from scene3d.geometry.voxels import SSCBENCH

HERE = torch.eye(4, dtype=torch.float64)
ROAD, BUILDING = 40, 50
EMPTY = torch.zeros(SSCBENCH.shape, dtype=torch.int32)
# Cell (i, 128, 9) has its centre at (0.2 i + 0.1, 0.1, -0.1): just under the axis of the laser at the origin.
AHEAD = (slice(None), 128, 9)


def turn(distance_of) -> Panorama:
    """A turn of the laser whose ranges are a function of the unit directions."""
    elevation = np.radians(np.linspace(HIGHEST, LOWEST, RINGS))[:, None]
    azimuth = np.arange(720)[None, :] * (2 * np.pi / 720)
    flat = np.cos(elevation)
    directions = np.stack([flat * np.cos(azimuth), flat * np.sin(azimuth), np.sin(elevation) + 0 * azimuth], -1)
    return Panorama(directions, distance_of(directions), np.zeros(directions.shape[:2], np.int64))


def wall_at_20_metres(directions: np.ndarray) -> np.ndarray:
    forward = directions[..., 0]
    return np.where(forward > 0.05, 20 / np.maximum(forward, 1e-9), np.inf)


def wall() -> torch.Tensor:
    """A wall of two cells' depth, from x = 20 m to 20.4 m."""
    raw = torch.zeros(SSCBENCH.shape, dtype=torch.int32)
    raw[100:102] = BUILDING
    return raw


def test_the_laser_knows_the_air_before_a_wall_and_the_walls_face():
    known = observed_cells(wall(), HERE, [lidar_sight(turn(wall_at_20_metres), np.eye(4))])
    assert known[AHEAD][2:101].all()  # the lowest ring passes above the first two
    assert not known[AHEAD][101:].any()  # the second layer, and all behind it


def test_what_is_above_the_highest_ring_is_unknown():
    known = observed_cells(wall(), HERE, [lidar_sight(turn(wall_at_20_metres), np.eye(4))])
    # At 10 m, cell 15 has its centre at z = 1.1 m: 6.3 degrees up; the laser's highest ring has 2.
    assert known[50, 128, 10] and not known[50, 128, 15]


def test_another_place_may_know_what_is_behind():
    far_side = np.eye(4)
    far_side[0, 3] = 40.0
    backwards = lidar_sight(turn(lambda d: np.full(d.shape[:2], 15.0)), far_side)
    known = observed_cells(wall(), HERE, [lidar_sight(turn(wall_at_20_metres), np.eye(4)), backwards])
    # From x = 40 m it sees 15 m around itself, to x = 25 m: cell 125.
    assert known[AHEAD][126:190].all() and not known[AHEAD][102:124].any()


def test_nobody_sees_below_the_ground():
    raw = torch.zeros(SSCBENCH.shape, dtype=torch.int32)
    raw[..., 5] = ROAD
    everything = lidar_sight(turn(lambda d: np.full(d.shape[:2], np.inf)), np.eye(4))
    known = observed_cells(raw, HERE, [everything])
    assert known[50, 128, 5] and known[50, 128, 6]
    assert not known[..., :5].any()


# OpenCV axes in velodyne ones: the camera's z is forward, its x to the right, its y down.
FORWARD = np.array([[0.0, 0, 1, 0], [-1, 0, 0, 0], [0, -1, 0, 0], [0, 0, 0, 1]])


def test_a_camera_sees_through_the_sky_and_to_its_picture_only():
    camera = pinhole(100.0, 100, 200)  # 45 degrees to each side, 26.6 up and down
    distance = np.full((100, 200), np.inf)  # sky everywhere
    known = observed_cells(
        torch.zeros(SSCBENCH.shape, dtype=torch.int32), HERE, [camera_sight(camera, distance, FORWARD)]
    )
    assert known[255, 128, 10] and known[50, 128, 20]
    # 10.1 m ahead: 9.9 m to the side is within the picture, 10.5 m is not.
    assert known[50, 128 + 49, 10] and not known[50, 128 + 52, 10]


def test_a_blind_pixel_knows_nothing():
    camera = pinhole(100.0, 100, 200)
    assert not observed_cells(EMPTY, HERE, [camera_sight(camera, np.zeros((100, 200)), FORWARD)]).any()


def test_a_camera_stops_where_its_picture_does():
    camera = pinhole(100.0, 100, 200)
    distance = np.full((100, 200), 20.0, np.float32)
    known = observed_cells(
        torch.zeros(SSCBENCH.shape, dtype=torch.int32), HERE, [camera_sight(camera, distance, FORWARD)]
    )
    assert known[98, 128, 10] and not known[101, 128, 10]


def test_a_large_picture_is_thinned_without_moving():
    camera = pinhole(1000.0, 1000, 2000)
    distance = np.full((1000, 2000), 10.0, np.float32)
    distance[:, 1000:] = 30.0  # the right half sees farther
    known = observed_cells(
        torch.zeros(SSCBENCH.shape, dtype=torch.int32), HERE, [camera_sight(camera, distance, FORWARD)]
    )
    # Left of the axis is +y, cells from 128; right of it is cells below 128.
    assert known[100, 124, 10] and not known[100, 131, 10] and known[40, 131, 10]


def test_a_fisheye_sees_to_the_edge_of_its_picture():
    fisheye = Fisheye(2.2, 0.0, 0.0, 0.0, 0.0, 150.0, 150.0, 50.0, 50.0, 100, 100)
    distance = np.full((100, 100), 1000.0, np.float32)
    to_the_left = np.array([[1.0, 0, 0, 20], [0, 0, 1, 0], [0, -1, 0, 0], [0, 0, 0, 1]])
    known = observed_cells(EMPTY, HERE, [camera_sight(fisheye, distance, to_the_left)])
    assert known[100, 200, 10] and not known[100, 100, 10]
    # 150 sin a / (cos a + 2.2) = 50 pixels at a = 62.5 degrees: 10.1 m to the left, 19.4 m ahead of x = 20 m.
    assert known[190, 178, 10] and not known[203, 178, 10]
