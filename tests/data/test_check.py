from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene3d.data.check import check_data
from scene3d.errors import DataError
from tests.data.small_trees import HEIGHT, WIDTH, write_odometry, write_raw
from tests.data.test_kitti_360 import write_tree


def lines(root: Path) -> list[str]:
    return [str(problem) for problem in check_data(root, workers=1)]


def test_a_good_tree_has_no_problem(tmp_path: Path):
    write_odometry(tmp_path / "odometry")
    write_raw(tmp_path / "raw")
    assert lines(tmp_path / "odometry") == []
    assert lines(tmp_path / "raw") == []


def test_all_problems_of_a_drive_are_found_at_once(tmp_path: Path):
    folder = write_odometry(tmp_path, range(8))
    (folder / "image_2" / "000003.png").unlink()
    (folder / "image_3" / "000003.png").unlink()
    (folder / "image_3" / "000005.png").unlink()
    (folder / "image_2" / "000004.png").write_bytes(b"")
    Image.new("RGB", (WIDTH, HEIGHT - 1)).save(folder / "image_2" / "000006.png")
    scan = folder / "velodyne" / "000002.bin"
    scan.write_bytes(scan.read_bytes()[:-5])
    depth = folder / "image_depth_annotated" / "000007.png"
    depth.write_bytes(depth.read_bytes()[:60])
    found = lines(tmp_path)
    assert len(found) == 8
    for file, what in (
        ("image_2: ", "no image for frame 3"),
        ("image_3: ", "no image for frame 3"),
        ("image_3: ", "no image for frame 5"),
        ("image_3: ", "frame 5 is missing, which the left camera has"),
        ("000004.png: ", "an empty file"),
        ("000006.png: ", f"expected {WIDTH} x {HEIGHT} pixels"),
        ("000002.bin: ", "points of 16 bytes"),
        ("000007.png: ", "do not decode"),
    ):
        assert sum(file in line and what in line for line in found) == 1, (file, what, found)
    assert not any("\n" in line for line in found)


def test_frames_taken_at_a_stride_are_no_gaps(tmp_path: Path):
    write_odometry(tmp_path, [0, 5, 10, 20])
    found = lines(tmp_path)
    assert len(found) == 2
    assert all("for frame 15" in line for line in found)


def test_nan_poses_are_a_problem_and_the_images_are_looked_at_all_the_same(tmp_path: Path):
    folder = write_odometry(tmp_path, range(3))
    poses = tmp_path / "poses" / "00.txt"
    text = poses.read_text().splitlines()
    poses.write_text("\n".join([text[0], text[1].replace("1 0 0", "1 0 nan", 1), text[2]]))
    (folder / "image_3" / "000001.png").write_text("oops")
    found = lines(tmp_path)
    assert len(found) == 2
    assert any("00.txt: expected finite numbers on line 2" in line for line in found)
    assert any("000001.png" in line for line in found)


def test_rotations_that_are_none_and_missing_calibration_are_problems(tmp_path: Path):
    write_odometry(tmp_path, range(2), "00")
    write_odometry(tmp_path, range(2), "01")
    (tmp_path / "poses" / "00.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n1 0.5 0 0 0 1 0 0 0 0 1 0\n")
    (tmp_path / "sequences" / "01" / "calib.txt").unlink()
    first, second = lines(tmp_path)
    assert "00.txt: expected an orthonormal rotation in line 2" in first
    assert "calib.txt: expected a text file, got no such file" in second


def test_poses_that_end_too_early_are_a_problem(tmp_path: Path):
    write_odometry(tmp_path, range(3))
    (tmp_path / "poses" / "00.txt").write_text("1 0 0 0 0 1 0 0 0 0 1 0\n" * 2)
    found = lines(tmp_path)
    assert len(found) == 2
    assert all("frame 2 has no transform" in line for line in found)


def test_a_calibration_for_images_of_another_size_is_a_problem(tmp_path: Path):
    folder = write_odometry(tmp_path, range(2))
    text = (folder / "calib.txt").read_text()
    (folder / "calib.txt").write_text(text.replace(f" {WIDTH / 2 - 0.5} ", f" {WIDTH - 0.5} "))
    found = lines(tmp_path)
    assert len(found) == 2
    assert all(f"expected K of a {WIDTH} x {HEIGHT} image, got one whose axis is at (64.0, 12.0)" in f for f in found)


def test_a_raw_drive_is_checked_too(tmp_path: Path):
    folder = write_raw(tmp_path)
    scan = next((folder / "velodyne_points" / "data").iterdir())
    np.full((2, 4), np.nan, dtype="<f4").tofile(scan)
    (problem,) = lines(tmp_path)
    assert "expected finite numbers, got point 0" in problem
    (tmp_path / "2011_09_26" / "calib_cam_to_cam.txt").write_text("S_rect_02: 1 2")
    found = lines(tmp_path)
    # The reader refuses the drive, and its scans are looked at all the same.
    assert len(found) == 2
    assert any("a line 'P_rect_02: ...'" in line for line in found)


def test_kitti_360_may_lack_transforms_but_not_images(tmp_path: Path):
    # Six frames on disk, transforms of frames 1 and 4 only: the car hardly moved in between.
    root = write_tree(tmp_path)
    before = lines(root)
    assert not any("no image for" in line for line in before)
    images = sorted((root / "data_2d_raw").glob("*/image_00/data_rect/*.png"))
    images[2].unlink()
    images[4].write_bytes(b"")
    found = sorted(set(lines(root)) - set(before))
    assert len(found) == 3
    assert "image_00/data_rect: frame 2 is missing, which the right camera has" in found[1]
    assert "image_00/data_rect: no image for frame 2" in found[2]
    assert "0000000004.png: expected an 8-bit PNG or JPEG image, got an empty file" in found[0]


def test_kitti_360_without_fisheyes_is_whole_but_not_with_one_of_the_two(tmp_path: Path):
    root = write_tree(tmp_path)
    before = lines(root)
    (sequence,) = (root / "data_2d_raw").iterdir()
    shutil.rmtree(sequence / "image_02")
    assert any("image_02/data_rgb: expected the images of camera fisheye_left" in line for line in lines(root))
    shutil.rmtree(sequence / "image_03")
    for name in ("image_02.yaml", "image_03.yaml"):
        (root / "calibration" / name).unlink()
    assert lines(root) == [line for line in before if "image_02" not in line and "image_03" not in line]


def test_a_folder_of_posed_images_is_checked_too(tmp_path: Path):
    entry = {"file": "a.png", "fx": 1, "fy": 1, "cx": 8, "cy": 4}
    (tmp_path / "scene.json").write_text(json.dumps({"images": [entry]}))
    Image.new("RGB", (16, 8)).save(tmp_path / "a.png")
    assert lines(tmp_path) == []
    data = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(data[: len(data) // 2])
    (problem,) = lines(tmp_path)
    assert "a.png: expected a" in problem


def test_a_folder_that_is_no_data_set_is_an_error(tmp_path: Path):
    with pytest.raises(
        DataError, match="expected a KITTI raw, KITTI odometry, KITTI-360 or Cityscapes tree.* got none of them"
    ):
        check_data(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        check_data(tmp_path / "gone")


def test_the_real_samples_are_whole_but_for_their_known_gap(shared_data: Path):
    assert lines(shared_data / "kitti_odometry_06_gray") == []
    assert lines(shared_data / "kitti_raw_0926_color_lidar") == []
    gaps = lines(shared_data / "kitti_odometry_07_stereo_depth")
    assert len(gaps) == 2
    assert all("for frames 1 to 167" in line for line in gaps)
