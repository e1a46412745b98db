from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image

from scene3d.data.images import read_depth
from scene3d.structures.drive import DriveStep
from scene3d.visualise.depth_files import DepthRange, step_pictures, write_step
from scene3d.visualise.pictures import MISSING
from tests.drives import wall_step


def full_step() -> DriveStep:
    confidence, deviation = torch.full((1, 24, 32), 0.5), torch.full((1, 24, 32), 0.01)
    confidence[0, 0, 0], deviation[0, 0, 0] = torch.nan, 7.0
    moving = torch.zeros(1, 24, 32, dtype=torch.bool)
    moving[0, 3, 5] = True
    return wall_step(12, 4.0, confidence=confidence, deviation=deviation, moving=moving)


def test_every_kind_has_a_folder_and_every_frame_its_number(tmp_path):
    paths = write_step(full_step(), tmp_path, DepthRange(3.0, 80.0))
    kinds = ["depth", "colour", "confidence", "deviation", "moving"]
    assert paths == [tmp_path / kind / "0000000012.png" for kind in kinds]
    assert (read_depth(paths[0]) == 4.0).all()
    confidence, deviation, moving = (np.array(Image.open(path)) for path in paths[2:])
    assert (confidence[1, 1], confidence[0, 0], confidence.dtype) == (128, 0, np.uint8)  # 127.5 rounds to even
    # A hundredth of 65535 steps; more than 1 / m is written as 1 / m.
    assert (deviation[1, 1], deviation[0, 0], deviation.dtype) == (655, 65535, np.uint16)
    assert (moving.sum(), moving[3, 5]) == (255, 255)


def test_what_the_method_does_not_say_has_no_file(tmp_path):
    assert [path.parent.name for path in write_step(wall_step(0, 4.0), tmp_path, DepthRange(3.0, 80.0))] == [
        "depth",
        "colour",
    ]


def test_metric_depth_has_one_range_for_all_drives_and_other_depth_that_of_its_first_frame():
    step = wall_step(0, 4.0)
    assert DepthRange.of(step) == DepthRange(4.0, 80.0)
    depth = torch.linspace(0.0, 1.0, 24 * 32 + 1)[1:].reshape(1, 24, 32)
    unscaled = replace(step, prediction=replace(step.prediction, depth=depth, is_metric=False))
    found = DepthRange.of(unscaled)
    # 768 steps up to 1: the 1st percentile is the one after 7.67 steps.
    assert abs(found.nearest - (1 + 7.67) / 768) < 1e-5 and abs(found.farthest - (768 - 7.67) / 768) < 1e-5
    flat = replace(step, prediction=replace(step.prediction, depth=torch.zeros(1, 24, 32), is_metric=False))
    assert (DepthRange.of(flat).picture(torch.zeros(2, 2)) == torch.tensor(MISSING)).all()


def test_the_pictures_of_a_frame_are_its_image_its_depth_and_its_confidence():
    pictures = dict(step_pictures(full_step(), DepthRange(3.0, 80.0)))
    assert list(pictures) == ["image", "depth: near is bright", "confidence: sure is bright"]
    assert pictures["image"][0, 0].tolist() == [51, 102, 153]
    assert pictures["confidence: sure is bright"][5, 5].tolist() == [128, 128, 128]
    assert len(step_pictures(wall_step(0, 4.0), DepthRange(3.0, 80.0))) == 2
