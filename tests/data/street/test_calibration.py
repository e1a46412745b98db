from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.kitti_360 import read_rig
from scene3d.data.kitti_files import projection_camera, projection_offset, read_calibration
from scene3d.data.street import rig
from scene3d.data.street.calibration import kitti_360_files, kitti_raw_files, pose_rows, raw_cam0_to_body

FULL = (376, 1408)


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_golden_lines_of_kitti_360_at_full_size():
    files = kitti_360_files(FULL, 1400)
    assert set(files) == {
        *("calib_cam_to_pose.txt", "calib_cam_to_velo.txt", "perspective.txt"),
        *("image_02.yaml", "image_03.yaml"),
    }
    # The numbers that the data set publishes.
    assert files["perspective.txt"].splitlines()[3] == (
        "P_rect_00: 552.554261 0.000000 682.049453 0.000000 0.000000 552.554261 238.769549 0.000000"
        " 0.000000 0.000000 1.000000 0.000000"
    )
    assert "S_rect_00: 1408.000000 376.000000\n" in files["perspective.txt"]
    assert "P_rect_01: 552.554261 0.000000 682.049453 -328.318735 " in files["perspective.txt"]
    assert files["calib_cam_to_velo.txt"].startswith("0.04307104361 -0.08829286498 0.9951629289")
    assert files["calib_cam_to_velo.txt"].count("\n") == 1
    assert (
        files["calib_cam_to_pose.txt"]
        .splitlines()[2]
        .startswith("image_02: 0.9995185086 0.0041276589 -0.0307524527 0.7264036936 ")
    )
    assert files["image_02.yaml"].splitlines()[:7] == [
        *("%YAML:1.0", "---", "model_type: MEI", "camera_name: image_02"),
        *("image_width: 1400", "image_height: 1400", "mirror_parameters:"),
    ]


def test_golden_lines_of_poses():
    matrix = np.array([[0, -1, 0, 12.5], [1, 0, 0, -3], [0, 0, 1, 0.25]])
    assert pose_rows([7], [matrix]) == (
        "7 0.0000000000 -1.0000000000 0.0000000000 12.5000000000"
        " 1.0000000000 0.0000000000 0.0000000000 -3.0000000000"
        " 0.0000000000 0.0000000000 1.0000000000 0.2500000000\n"
    )


def test_golden_lines_of_kitti_raw():
    files = kitti_raw_files(FULL)
    assert "S_rect_02: 1.408000e+03 3.760000e+02\n" in files["calib_cam_to_cam.txt"]
    # Camera 2 is 6 cm left of camera 0: P[0, 3] = +0.06 f = 33.153256.
    assert "P_rect_02: 5.525543e+02 0.000000e+00 6.820495e+02 3.315326e+01 " in files["calib_cam_to_cam.txt"]
    assert [line.split(":")[0] for line in files["calib_velo_to_cam.txt"].splitlines()] == [
        *("calib_time", "R", "T", "delta_f", "delta_c")
    ]
    assert [line.split(":")[0] for line in files["calib_imu_to_velo.txt"].splitlines()] == ["calib_time", "R", "T"]


@pytest.mark.parametrize(("size", "side"), [(FULL, 1400), ((192, 640), 350), ((96, 320), 256)])
def test_the_reader_gets_the_rig_that_the_street_is_seen_with(tmp_path, size, side):
    read = read_rig(written(tmp_path, kitti_360_files(size, side)))
    for name, camera, mount in (
        ("left", rig.perspective(size)[0], rig.left_rect_to_body),
        ("right", rig.perspective(size)[1], rig.right_rect_to_body),
    ):
        assert (read.sensors[name].camera.height, read.sensors[name].camera.width) == size
        torch.testing.assert_close(read.sensors[name].camera.K.float(), camera.K, atol=1e-4, rtol=0)
        np.testing.assert_allclose(read.sensors[name].cam_to_body.numpy(), mount, atol=1e-9)
    for name, camera, mount in (
        ("fisheye_left", rig.fisheye(side)[0], rig.fisheye_left_to_body),
        ("fisheye_right", rig.fisheye(side)[1], rig.fisheye_right_to_body),
    ):
        for key, value in vars(camera).items():
            assert getattr(read.sensors[name].camera, key) == pytest.approx(value, abs=1e-9)
        np.testing.assert_allclose(read.sensors[name].cam_to_body.numpy(), mount, atol=1e-9)
    np.testing.assert_allclose(read.velo_to_body.numpy(), rig.velo_to_body, atol=1e-9)


def test_the_pair_is_rectified_after_the_round_trip(tmp_path):
    sensors = read_rig(written(tmp_path, kitti_360_files(FULL, 1400))).sensors
    right_to_left = torch.linalg.inv(sensors["left"].cam_to_body) @ sensors["right"].cam_to_body
    expected = torch.eye(4, dtype=torch.float64)
    expected[0, 3] = 328.318735 / 552.554261
    torch.testing.assert_close(right_to_left, expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("size", [FULL, (96, 320)])
def test_the_raw_cameras_stand_where_the_streets_do(tmp_path, size):
    cam = read_calibration(written(tmp_path, kitti_raw_files(size)) / "calib_cam_to_cam.txt")
    for key, camera, mount in (
        ("P_rect_02", rig.perspective(size)[0], rig.left_rect_to_body),
        ("P_rect_03", rig.perspective(size)[1], rig.right_rect_to_body),
    ):
        projection = cam.matrix(key, 3, 4)
        K = projection_camera(projection, *size).K
        torch.testing.assert_close(K.float(), camera.K, atol=1e-3, rtol=0)
        cam_to_body = raw_cam0_to_body() @ np.linalg.inv(projection_offset(projection).numpy())
        np.testing.assert_allclose(cam_to_body, mount, atol=1e-6)


def test_the_raw_laser_stands_where_the_streets_does(tmp_path):
    folder = written(tmp_path, kitti_raw_files(FULL))
    velo_to_cam = read_calibration(folder / "calib_velo_to_cam.txt").rigid("R", "T").numpy()
    rectify = read_calibration(folder / "calib_cam_to_cam.txt").rotation("R_rect_00").numpy()
    np.testing.assert_allclose(raw_cam0_to_body() @ rectify @ velo_to_cam, rig.velo_to_body, atol=2e-6)
    imu_to_velo = read_calibration(folder / "calib_imu_to_velo.txt").rigid("R", "T").numpy()
    # The IMU sits where the body does, with its y to the left and its z up.
    np.testing.assert_allclose(rig.velo_to_body @ imu_to_velo, np.diag([1, -1, -1, 1]), atol=2e-6)
