from __future__ import annotations

import torch

from scene3d.geometry.voxels import VoxelFrame
from scene3d.visualise.painter import SKY, paint_voxels
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
