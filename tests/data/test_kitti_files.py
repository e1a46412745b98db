from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.kitti_files import (
    numbered_files,
    oxts_to_world,
    projection_camera,
    projection_offset,
    read_calibration,
    read_oxts,
    read_poses,
    read_rows,
    read_scan,
    read_timestamps,
)
from scene3d.errors import DataError
from scene3d.geometry.se3 import is_rigid, transform


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "file.txt"
    path.write_text(text)
    return path


def test_calibration_lines_of_text_are_passed_over(tmp_path: Path):
    path = written(tmp_path, "calib_time: 09-Jan-2012 13:57:47\nR: 1 0 0 0 1 0 0 0 1\n\nT: 1.5e0 2 3\nempty:\n")
    calibration = read_calibration(path)
    assert set(calibration.values) == {"R", "T"}
    matrix = calibration.rigid("R", "T")
    assert matrix.dtype == torch.float64
    assert matrix[:3, 3].tolist() == [1.5, 2.0, 3.0]


def test_a_missing_key_says_which_keys_there_are(tmp_path: Path):
    calibration = read_calibration(written(tmp_path, "P0: 1 2 3\nP1: 1 2 3\n"))
    with pytest.raises(DataError, match=r"file\.txt: expected a line 'P2: \.\.\.', got P0, P1"):
        calibration.matrix("P2", 3, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("R: 1 0 0 0 1 0 0 0", "9 numbers for R, got 8"),
        ("R: 1 0 0 0 1 0 0 0 nan", "finite numbers for R"),
        ("R: 1 0 0 0 1 0 0 0.5 1", "orthonormal rotation in R"),
        ("R: 1 0 0 0 1 0 0 0 -1", "orthonormal rotation in R"),
        ("date: today", "lines of 'key: numbers', got none"),
        ("", "lines of 'key: numbers', got none"),
    ],
)
def test_a_damaged_calibration_is_refused_in_words(tmp_path: Path, text: str, message: str):
    with pytest.raises(DataError, match=message):
        read_calibration(written(tmp_path, text)).rotation("R")


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"gone\.txt: expected a text file, got no such file"):
        read_calibration(tmp_path / "gone.txt")
    (tmp_path / "bytes.txt").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="not text"):
        read_calibration(tmp_path / "bytes.txt")


def test_poses_are_twelve_numbers_a_line_and_blank_lines_do_not_count(tmp_path: Path):
    poses = read_poses(written(tmp_path, "1 0 0 5 0 1 0 6 0 0 1 7\n\n1 0 0 8 0 1 0 9 0 0 1 10"))
    assert poses.shape == (2, 4, 4)
    assert poses[1, :, 3].tolist() == [8.0, 9.0, 10.0, 1.0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 0 0 5 0 1 0 6 0 0 1", "12 numbers on line 1, got 11"),
        ("1 0 0 5 0 1 0 6 0 0 1 7\n1 0 0 nan 0 1 0 6 0 0 1 7", "finite numbers on line 2"),
        ("1 0 0 5 0 1 0 6 0 0 1 x", "12 numbers on line 1"),
        ("1 0 0 5 0 1 0 6 0 0 1 7\n2 0 0 5 0 1 0 6 0 0 1 7", "orthonormal rotation in line 2"),
    ],
)
def test_bad_poses_are_named_by_their_line(tmp_path: Path, text: str, message: str):
    with pytest.raises(DataError, match=message):
        read_poses(written(tmp_path, text))


def test_convention_kitti_puts_pixel_centres_at_integers_and_we_add_half_a_pixel():
    projection = torch.tensor([[700.0, 0, 600, 45], [0, 700, 180, 0.2], [0, 0, 1, 0.003]], dtype=torch.float64)
    camera = projection_camera(projection, 370, 1226)
    assert camera.K[0].tolist() == [700.0, 0.0, 600.5]
    assert camera.K[1].tolist() == [0.0, 700.0, 180.5]


def test_the_offset_of_a_rectified_camera_gives_the_projection_back():
    projection = torch.tensor([[700.0, 0, 600, 45], [0, 700, 180, 0.2], [0, 0, 1, 0.003]], dtype=torch.float64)
    point = torch.tensor([[1.0, -0.5, 7.0]], dtype=torch.float64)
    homogeneous = projection @ torch.cat([point[0], torch.ones(1, dtype=torch.float64)])
    point_cam = transform(projection_offset(projection), point)[0]
    torch.testing.assert_close(projection[:, :3] @ point_cam, homogeneous)
    # z of the offset is P[2, 3] itself, and it is not dropped.
    assert projection_offset(projection)[2, 3] == 0.003


def record(latitude: float, longitude: float, altitude: float, *angles: float) -> torch.Tensor:
    return torch.tensor([latitude, longitude, altitude, *angles, *[0.0] * (27 - len(angles))], dtype=torch.float64)


def test_oxts_moves_east_and_north_in_metres():
    metre = math.degrees(1 / 6378137.0)
    here, there = record(60, 10, 100, 0, 0, 0), record(60 + 3 * metre, 10 + 2 * metre / 0.5, 104, 0, 0, 0)
    imu_to_world = oxts_to_world({7: here, 9: there})
    assert set(imu_to_world) == {7, 9}
    assert imu_to_world[7].tolist() == torch.eye(4).tolist()
    # At 60 degrees a degree of longitude is half as long; Mercator at scale cos(60) is metric there.
    torch.testing.assert_close(
        imu_to_world[9][:3, 3], torch.tensor([2.0, 3.0, 4.0], dtype=torch.float64), atol=1e-5, rtol=0
    )


def test_oxts_angles_turn_about_up_then_left_then_forward():
    north = oxts_to_world({0: record(0, 0, 0, 0, 0, math.pi / 2)})[0]
    # Yaw of 90 degrees: forward (x) points north (y).
    ahead = torch.tensor([1.0, 0, 0], dtype=torch.float64)
    torch.testing.assert_close(north[:3, :3] @ ahead, torch.tensor([0.0, 1, 0], dtype=torch.float64))
    # Roll of 90 degrees: left (y) points up; pitch of 90 degrees: forward points down.
    left = torch.tensor([0.0, 1, 0], dtype=torch.float64)
    roll = oxts_to_world({0: record(0, 0, 0, math.pi / 2, 0, 0)})[0][:3, :3]
    pitch = oxts_to_world({0: record(0, 0, 0, 0, math.pi / 2, 0)})[0][:3, :3]
    torch.testing.assert_close(roll @ left, torch.tensor([0.0, 0, 1], dtype=torch.float64))
    torch.testing.assert_close(pitch @ ahead, torch.tensor([0.0, 0, -1], dtype=torch.float64))
    # All three: Rz(yaw) Ry(pitch) Rx(roll), and the first frame's rotation stays in.
    mixed = oxts_to_world({0: record(0, 0, 0, 0.1, 0.2, 0.3)})[0][:3, :3]
    parts = [oxts_to_world({0: record(0, 0, 0, *a)})[0][:3, :3] for a in ((0, 0, 0.3), (0, 0.2, 0), (0.1, 0, 0))]
    torch.testing.assert_close(mixed, parts[0] @ parts[1] @ parts[2])


def test_no_records_are_no_transforms():
    assert oxts_to_world({}) == {}


def test_timestamps_keep_their_nanoseconds_and_their_line_numbers(tmp_path: Path):
    path = written(tmp_path, "1970-01-01 00:00:01.000000001\n\n1970-01-02 00:00:00.5\n1970-01-01 00:01:00.123456789")
    assert read_timestamps(path) == {
        0: 1_000_000_001,
        2: 86_400_500_000_000,
        3: 60_123_456_789,
    }


def test_a_timestamp_that_is_none_is_named_by_its_line(tmp_path: Path):
    with pytest.raises(DataError, match="on line 2, got yesterday"):
        read_timestamps(written(tmp_path, "1970-01-01 00:00:01.0\nyesterday\n"))


def test_a_scan_is_four_floats_a_point(tmp_path: Path):
    path = tmp_path / "0000000000.bin"
    np.arange(8, dtype="<f4").tofile(path)
    assert read_scan(path).tolist() == [[0.0, 1.0, 2.0, 3.0], [4.0, 5.0, 6.0, 7.0]]


@pytest.mark.parametrize("size", [0, 15, 17])
def test_a_truncated_scan_is_refused(tmp_path: Path, size: int):
    path = tmp_path / "0000000000.bin"
    path.write_bytes(b"\0" * size)
    with pytest.raises(DataError, match=f"points of 16 bytes .* got {size} bytes"):
        read_scan(path)


def test_a_scan_with_nan_is_refused_by_its_point(tmp_path: Path):
    points = np.zeros((3, 4), dtype="<f4")
    points[1, 2] = np.nan
    points.tofile(tmp_path / "a.bin")
    with pytest.raises(DataError, match="point 1 is"):
        read_scan(tmp_path / "a.bin")


def test_files_are_found_by_their_number_not_their_position(tmp_path: Path):
    for name in ("0000000003.png", "0000000010.PNG", "notes.txt", "left.png"):
        (tmp_path / name).touch()
    assert {n: p.name for n, p in numbered_files(tmp_path, (".png",)).items()} == {
        3: "0000000003.png",
        10: "0000000010.PNG",
    }
    assert numbered_files(tmp_path / "gone", (".png",)) == {}
    (tmp_path / "3.png").touch()
    with pytest.raises(DataError, match="frame 3 is there twice"):
        numbered_files(tmp_path, (".png",))


def test_rows_of_an_empty_file_are_none(tmp_path: Path):
    assert read_rows(written(tmp_path, "\n"), 12).shape == (0, 12)


def test_real_files_parse(shared_data: Path):
    root = shared_data / "kitti_raw_0926_color_lidar"
    cam = read_calibration(root / "2011_09_26" / "calib_cam_to_cam.txt")
    assert cam.matrix("S_rect_02", 2).tolist() == [1242.0, 375.0]
    assert is_rigid(cam.rotation("R_rect_00"))
    imu = read_calibration(root / "2011_09_26" / "calib_imu_to_velo.txt").rigid("R", "T")
    assert imu[0, 3] == pytest.approx(-0.8086759)
    sample = root / "format_sample_drive_0001"
    oxts = read_oxts(sample / "oxts" / "data" / "0000000000.txt")
    assert oxts[0] == pytest.approx(49.015003823272)
    times = read_timestamps(sample / "image_02" / "timestamps.txt")
    steps = np.diff([times[i] for i in sorted(times)]) / 1e9
    # Ten frames a second.
    assert abs(np.median(steps) - 0.1) < 0.01
    assert times[0] % 1_000_000_000 == 961_661_696
