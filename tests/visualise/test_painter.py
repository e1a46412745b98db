from __future__ import annotations

import torch

from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.solids import PointCloud
from scene3d.visualise.painter import SKY, paint_points, paint_voxels
from scene3d.visualise.quads import class_palette

FRAME = VoxelFrame(origin=(0.0, -1.0, -1.0), size=0.5, shape=(4, 4, 4))
AHEAD = {"eye": (-4.0, 0.0, 0.0), "target": (0.0, 0.0, 0.0), "width": 40, "height": 40}


def test_what_is_in_front_hides_what_is_behind_and_left_is_left():
    colour = torch.zeros(4, 4, 4, dtype=torch.int64)
    colour[3] = 9  # a wall at the back
    colour[0, 2:, :2] = 1  # a block in front, to the left (y > 0) and low
    picture = paint_voxels(colour, class_palette(), FRAME, **AHEAD).int()
    left_low, right_low, left_high = picture[24, 16], picture[24, 24], picture[16, 16]
    assert left_low[2] > left_low[0]  # the car's blue
    assert right_low[0] > right_low[2] and left_high[0] > left_high[2]  # the building's yellow
    assert picture[0, 0].tolist() == list(SKY)


def test_an_empty_grid_is_sky():
    picture = paint_voxels(torch.zeros(4, 4, 4, dtype=torch.int64), class_palette(), FRAME, **AHEAD)
    assert (picture == torch.tensor(SKY, dtype=torch.uint8)).all()


POINTS_AHEAD = {"eye": (-4.0, 0.0, 0.0), "target": (0.0, 0.0, 0.0), "width": 40, "height": 40}


def test_the_nearest_of_two_points_on_one_ray_is_seen_and_left_is_left():
    cloud = PointCloud(
        points=torch.tensor([[0.0, 0, 0], [4.0, 0, 0], [0.0, 1, 0], [-9.0, 0, 0]]),
        colours=torch.tensor([[200, 0, 0], [0, 200, 0], [0, 0, 200], [9, 9, 9]], dtype=torch.uint8),
    )
    picture = paint_points(cloud, **POINTS_AHEAD)
    assert picture[20, 20].tolist() == [200, 0, 0]
    # y is left: 1 m at 4 m is 20 / tan 25 / 4 = 10.7 pixels to the left.
    assert picture[20, 20 - 11].tolist() == [0, 0, 200]
    assert picture[0, 0].tolist() == list(SKY) and not (picture == 9).any()


def test_no_points_are_sky_and_points_without_colours_are_grey():
    assert (paint_points(PointCloud(points=torch.zeros(0, 3)), **POINTS_AHEAD) == torch.tensor(SKY)).all()
    assert paint_points(PointCloud(points=torch.zeros(1, 3)), **POINTS_AHEAD)[20, 20].tolist() == [128, 128, 128]
