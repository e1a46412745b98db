from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.data.shot_files import shot_depth, shot_image, shot_labels
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera
from scene3d.structures.scene import Shot


def a_shot(folder: Path, rows: int, **more: object) -> Shot:
    """A shot of 2 columns and so many rows, row i of whose files holds i."""
    values = np.arange(rows, dtype=np.uint8)[:, None].repeat(2, axis=1)
    Image.fromarray(values[..., None].repeat(3, axis=2)).save(folder / "image.png")
    Image.fromarray(values).save(folder / "labels.png")
    Image.fromarray(values.astype(np.uint16) * 256).save(folder / "depth.png")
    files = {"image": folder / "image.png", "labels": folder / "labels.png", "depth": folder / "depth.png"}
    return Shot(frame=0, sensor="left", camera=Camera(torch.eye(3), 3, 2), **files, **more)


def test_rows_at_the_bottom_are_left_out_of_every_file(tmp_path: Path):
    shot = a_shot(tmp_path, 4, cut=1)
    assert shot_image(shot)[0, :, 0].tolist() == [0, 1, 2]
    assert shot_labels(shot)[:, 0].tolist() == [0, 1, 2]
    assert shot_depth(shot)[:, 0].tolist() == [0.0, 1.0, 2.0]


def test_disparity_becomes_depth_and_what_is_not_measured_stays_0(tmp_path: Path):
    shot = a_shot(tmp_path, 3, focal_baseline=10.0)
    # Values 0, 256 and 512 are not measured, 255/256 and 511/256 pixels.
    assert shot_depth(shot)[:, 0].tolist() == pytest.approx([0.0, 10 * 256 / 255, 10 * 256 / 511])


def test_a_disparity_of_0_is_infinitely_far_and_so_not_measured(tmp_path: Path):
    shot = a_shot(tmp_path, 3, focal_baseline=10.0)
    Image.fromarray(np.ones((3, 2), dtype=np.uint16)).save(tmp_path / "depth.png")
    assert not shot_depth(shot).any()


@pytest.mark.parametrize("read", [shot_image, shot_depth, shot_labels])
def test_a_file_of_another_size_is_refused_with_what_was_cut_in_mind(tmp_path: Path, read):
    with pytest.raises(DataError, match=r"expected 2 x 4 pixels, the size its calibration is for, got 2 x 3"):
        read(a_shot(tmp_path, 3, cut=1))
