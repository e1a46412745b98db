from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.data.check import check_data
from scene3d.data.kitti_360 import read_fisheye, read_kitti_360, read_rig
from scene3d.data.kitti_360_poses import EstimatedPoses, read_body_poses
from scene3d.data.snippet_config import SnippetConfig
from scene3d.data.snippets import Snippets
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye

SEQUENCE = "2013_05_28_drive_0003_sync"
WIDTH, HEIGHT, SIDE = 16, 4, 6

# A rig whose answers can be worked by hand. Body: x forward, y right, z down; cameras: x right, y down, z forward.
AHEAD = "0 0 1 {} 1 0 0 {} 0 1 0 {}"  # a camera that looks along the body's x, at that place
CALIBRATION = {
    "calib_cam_to_pose.txt": f"""\
image_00: {AHEAD.format(2, 0, -1)}
image_01: {AHEAD.format(2, 0.5, -1)}
image_02: 1 0 0 0.5 0 0 -1 -0.25 0 1 0 -1
image_03: -1 0 0 0.5 0 0 1 0.25 0 1 0 -1
""",
    # Velodyne: x forward, y left, z up; it sits 1 m behind camera 0.
    "calib_cam_to_velo.txt": "0 0 1 1 -1 0 0 0 0 -1 0 0\n",
    "perspective.txt": f"""\
calib_time: 28-May-2013 10:00:00
S_rect_00: {WIDTH}.0 {HEIGHT}.0
R_rect_00: 1 0 0 0 1 0 0 0 1
P_rect_00: 8 0 7.5 0 0 8 1.5 0 0 0 1 0
S_rect_01: {WIDTH}.0 {HEIGHT}.0
R_rect_01: 1 0 0 0 1 0 0 0 1
P_rect_01: 8 0 7.5 -4 0 8 1.5 0 0 0 1 0
""",
    "image_02.yaml": f"""\
%YAML:1.0
---
model_type: MEI
camera_name: image_02
image_width: {SIDE}
image_height: {SIDE}
mirror_parameters:
   xi: 2.0
distortion_parameters:
   k1: 0.01
   k2: 0.02
   p1: 0.001
   p2: 0.002
projection_parameters:
   gamma1: 5.0
   gamma2: 5.5
   u0: 2.5
   v0: 2.75
""",
}
# OpenCV also writes colons without a space, which is not YAML.
CALIBRATION["image_03.yaml"] = CALIBRATION["image_02.yaml"].replace(": ", ":").replace("image_02", "image_03")

# Frame 1 at the origin; frame 4 ten metres on, turned a quarter to the right about the body's z, which is down.
POSES = "1 1 0 0 0 0 1 0 0 0 0 1 0\n4 0 -1 0 10 1 0 0 0 0 0 1 0\n"


def write_tree(root: Path) -> Path:
    for name, text in CALIBRATION.items():
        write(root / "calibration" / name, text)
    write(root / "data_poses" / SEQUENCE / "poses.txt", POSES)
    for frame in range(6):
        for camera, folder, size in (
            ("image_00", "data_rect", (WIDTH, HEIGHT)),
            ("image_01", "data_rect", (WIDTH, HEIGHT)),
            ("image_02", "data_rgb", (SIDE, SIDE)),
            ("image_03", "data_rgb", (SIDE, SIDE)),
        ):
            path = root / "data_2d_raw" / SEQUENCE / camera / folder / f"{frame:010d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", size, (frame, 0, 0)).save(path)
    return root


def write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    else:
        path.write_bytes(content)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return write_tree(tmp_path / "KITTI-360")


def shot(scene, frame, sensor):
    return next(s for s in scene.shots if (s.frame, s.sensor) == (frame, sensor))


def test_only_frames_with_a_pose_make_shots_in_order_of_frame_then_sensor(tree):
    (scene,) = read_kitti_360(tree)
    assert scene.name == SEQUENCE
    sensors = ["left", "right", "fisheye_left", "fisheye_right"]
    assert [(s.frame, s.sensor) for s in scene.shots] == [(f, s) for f in (1, 4) for s in sensors]
    assert shot(scene, 4, "fisheye_left").image.name == "0000000004.png"


def test_a_frame_without_an_image_makes_no_shot(tree):
    (tree / "data_2d_raw" / SEQUENCE / "image_01" / "data_rect" / "0000000004.png").unlink()
    (scene,) = read_kitti_360(tree, fisheye=False)
    assert [(s.frame, s.sensor) for s in scene.shots] == [(1, "left"), (1, "right"), (4, "left")]


def test_convention_pixel_centres_move_from_integers_to_the_half(tree):
    rig = read_rig(tree / "calibration")
    left, fisheye = rig.sensors["left"].camera, rig.sensors["fisheye_left"].camera
    assert isinstance(left, Camera) and (left.height, left.width) == (HEIGHT, WIDTH)
    assert left.K.tolist() == [[8, 0, 8], [0, 8, 2], [0, 0, 1]]
    assert isinstance(fisheye, Fisheye) and (fisheye.u0, fisheye.v0) == (3.0, 3.25)


def test_cameras_stand_where_the_poses_and_the_mounting_put_them(tree):
    (scene,) = read_kitti_360(tree)
    left, right = shot(scene, 1, "left").cam_to_world, shot(scene, 1, "right").cam_to_world
    assert left.tolist() == [[0, 0, 1, 2], [1, 0, 0, 0], [0, 1, 0, -1], [0, 0, 0, 1]]
    assert (torch.linalg.inv(left) @ right)[:3, 3].tolist() == [0.5, 0, 0]
    # Turned to the right, forward is the world's y; the camera stands 2 m along it from (10, 0).
    turned = shot(scene, 4, "left").cam_to_world
    assert turned[:3, 3].tolist() == [10, 2, -1] and turned[:3, 2].tolist() == [0, 1, 0]


def test_rectification_is_undone_before_the_mounting(tree):
    # The rectified axes are the camera's turned by a quarter about z: x_rect = R x_cam with R = (0 -1 0; 1 0 0; 0 0 1).
    path = tree / "calibration" / "perspective.txt"
    turned = path.read_text().replace("R_rect_00: 1 0 0 0 1 0 0 0 1", "R_rect_00: 0 -1 0 1 0 0 0 0 1")
    path.write_text(turned)
    rig = read_rig(path.parent)
    # So x_rect is y_cam, which points along the body's z: down. The fisheyes and the laser know no rectification.
    assert rig.sensors["left"].cam_to_body[:3, 0].tolist() == [0, 0, -1]
    assert rig.sensors["fisheye_left"].cam_to_body[:3, 0].tolist() == [1, 0, 0]
    assert rig.velo_to_body[:3, :3].tolist() == [[1, 0, 0], [0, -1, 0], [0, 0, -1]]


def test_the_laser_sits_behind_the_left_camera(tree):
    write(tree / "data_3d_raw" / SEQUENCE / "velodyne_points" / "data" / "0000000001.bin", bytes(32))
    write(tree / "data_3d_raw" / SEQUENCE / "velodyne_points" / "data" / "0000000002.bin", bytes(32))
    (scene,) = read_kitti_360(tree)
    assert [scan.frame for scan in scene.scans] == [1]  # frame 2 has no pose
    expected = torch.tensor([[1, 0, 0, 1], [0, -1, 0, 0], [0, 0, -1, -1], [0, 0, 0, 1]], dtype=torch.float64)
    assert torch.equal(scene.scans[0].scan_to_world, expected)


def test_the_virtual_view_of_a_fisheye_has_the_left_cameras_K_and_looks_down(tree):
    (scene,) = read_kitti_360(tree)
    view = shot(scene, 1, "fisheye_right")
    assert view.virtual.camera == shot(scene, 1, "left").camera
    axis = view.virtual.rotation @ torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(
        axis, torch.tensor([0, math.sin(math.radians(15)), math.cos(math.radians(15))], dtype=torch.float64)
    )
    # In the world, the right camera looks to the right (+y) and down (+z).
    assert (view.cam_to_world[:3, :3] @ axis)[1] > 0.9 and (view.cam_to_world[:3, :3] @ axis)[2] > 0.2


def test_both_spellings_of_the_yaml_are_read(tree):
    left, right = (read_fisheye(tree / "calibration" / f"image_0{n}.yaml") for n in (2, 3))
    assert left == right == Fisheye(2.0, 0.01, 0.02, 0.001, 0.002, 5.0, 5.5, 3.0, 3.25, SIDE, SIDE)


def test_semantics_and_times_are_found(tree):
    semantic = tree / "data_2d_semantics" / "train" / SEQUENCE / "image_00" / "semantic"
    write(semantic / "0000000004.png", b"")
    stamps = "".join(f"2013-05-28 10:00:00.{n}00000000\n" for n in range(6))
    write(tree / "data_2d_raw" / SEQUENCE / "image_00" / "timestamps.txt", stamps)
    (scene,) = read_kitti_360(tree)
    assert shot(scene, 4, "left").labels == semantic / "0000000004.png"
    assert shot(scene, 1, "left").labels is None and shot(scene, 4, "right").labels is None
    assert shot(scene, 4, "left").time == pytest.approx(0.4) and shot(scene, 4, "right").time is None
    assert scene.label_ids[7] == 0 and scene.label_ids[26] == 13  # road, car


def test_voxel_ids_are_rows_of_the_poses_file(tree):
    voxels = tree / "SSCBench-KITTI-360" / "data_2d_raw" / SEQUENCE / "voxels"
    for name in ("000001.label", "000001.invalid"):
        write(voxels / name, b"")
    (scene,) = read_kitti_360(tree)
    (grid,) = scene.voxels
    assert grid.frame == 4 and grid.labels.name == "000001.label"
    assert grid.grid_to_world[:3, 3].tolist() == [10, 1, -1]


def test_exact_labels_are_read_without_their_mask(tree):
    voxels = tree / "SSCBench-KITTI-360" / "data_2d_raw" / SEQUENCE / "voxels"
    for name in ("000001.label", "000001.invalid"):
        write(voxels / name, b"")
    assert read_kitti_360(tree)[0].voxels[0].invalid == voxels / "000001.invalid"
    assert read_kitti_360(tree, masked=False)[0].voxels[0].invalid is None


def test_voxels_beyond_the_poses_file_are_an_error(tree):
    write(tree / "SSCBench-KITTI-360" / "preprocess" / "labels" / SEQUENCE / "000002_1_1.npy", b"")
    with pytest.raises(DataError, match=r"000002_1_1\.npy: expected a row of .*poses\.txt, which has 2"):
        read_kitti_360(tree)


def test_the_voxel_tree_may_lie_elsewhere_and_must_be_there(tree, tmp_path):
    write(tmp_path / "ssc" / "preprocess" / "labels" / SEQUENCE / "000000_1_1.npy", b"")
    (scene,) = read_kitti_360(tree, sscbench=tmp_path / "ssc")
    assert [grid.frame for grid in scene.voxels] == [1]
    with pytest.raises(DataError, match="nowhere"):
        read_kitti_360(tree, sscbench=tmp_path / "nowhere")


def test_sequences_without_poses_are_left_out_unless_named(tree):
    (tree / "data_2d_raw" / "2013_05_28_drive_0008_sync").mkdir()
    assert [scene.name for scene in read_kitti_360(tree)] == [SEQUENCE]
    with pytest.raises(DataError, match=r"0008_sync.poses\.txt: expected a text file, got no such file"):
        read_kitti_360(tree, ["2013_05_28_drive_0008_sync"])


def test_an_unknown_sequence_is_answered_with_the_known_ones(tree):
    with pytest.raises(DataError, match=f"no sequence 0003.*there are {SEQUENCE}"):
        read_kitti_360(tree, ["0003"])


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("perspective.txt", "P_rect_00", "P_rekt_00", r"perspective\.txt: expected a line 'P_rect_00: \.\.\.'"),
        ("perspective.txt", "S_rect_01", "S_rekt_01", r"perspective\.txt: expected a line 'S_rect_01: \.\.\.'"),
        ("perspective.txt", "R_rect_01: 1 0 0", "R_rect_01: 1 1 0", r"orthonormal rotation in R_rect_01"),
        ("perspective.txt", "P_rect_00: 8 0", "P_rect_00: nan 0", r"finite numbers for P_rect_00"),
        ("perspective.txt", "P_rect_00: 8 0", "P_rect_00: 8", r"12 numbers for P_rect_00"),
        ("calib_cam_to_pose.txt", "image_03", "image_33", r"calib_cam_to_pose\.txt: expected a line 'image_03"),
        ("calib_cam_to_pose.txt", "image_02: 1", "image_02: 2", r"orthonormal rotation in image_02"),
        ("calib_cam_to_velo.txt", "0 0 1 1", "0 0 9 1", r"calib_cam_to_velo\.txt: expected an orthonormal"),
        ("calib_cam_to_velo.txt", "0 0 1 1", "0 0 1", r"calib_cam_to_velo\.txt: expected 12 numbers on line 1"),
        ("image_02.yaml", "   xi: 2.0\n", "", r"image_02\.yaml: expected a line 'xi: \.\.\.'"),
        ("image_03.yaml", "gamma2", "gamma3", r"image_03\.yaml: expected a line 'gamma2: \.\.\.'"),
    ],
)
def test_bad_calibration_is_named_by_file_and_key(tree, file, old, new, complaint):
    path = tree / "calibration" / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=complaint):
        read_kitti_360(tree)


@pytest.mark.parametrize("name", sorted(CALIBRATION))
def test_a_missing_calibration_file_is_named(tree, name):
    (tree / "calibration" / name).unlink()
    said = "a text file, got no such file"
    if name.startswith("image"):
        said = "the fisheye's calibration, got no such file.*data.fisheye: false reads the stereo pair alone"
    with pytest.raises(DataError, match=f"{name}: expected {said}"):
        read_kitti_360(tree)


def test_the_stereo_pair_alone_needs_nothing_of_the_fisheyes(tree):
    for name in ("image_02.yaml", "image_03.yaml"):
        (tree / "calibration" / name).unlink()
    (scene,) = read_kitti_360(tree, fisheye=False)
    assert {s.sensor for s in scene.shots} == {"left", "right"}


@pytest.mark.parametrize(
    ("poses", "complaint"),
    [
        ("1 nan 0 0 0 0 1 0 0 0 0 1 0\n", "finite numbers on line 1"),
        ("1 2 0 0 0 0 1 0 0 0 0 1 0\n", "orthonormal rotation in row 1"),
        ("1 1 0 0 0 0 1 0 0 0 0 -1 0\n", "orthonormal rotation in row 1"),
        ("1 1 0 0 0 0 1 0 0 0 0 1\n", "13 numbers on line 1"),
        (POSES + POSES, "one row a frame, got two of frame 1"),
        ("1.5 1 0 0 0 0 1 0 0 0 0 1 0\n", "frame numbers in the first column"),
        ("", "rows of a frame number and 12 numbers, got none"),
    ],
)
def test_bad_poses_are_named(tmp_path, poses, complaint):
    with pytest.raises(DataError, match=rf"poses\.txt: expected (an |one )?{complaint.removeprefix('one ')}"):
        read_body_poses(write(tmp_path / "poses.txt", poses))


@pytest.mark.parametrize(("camera", "folder"), [("image_01", "data_rect"), ("image_03", "data_rgb")])
def test_a_missing_image_folder_is_named(tree, camera, folder):
    path = tree / "data_2d_raw" / SEQUENCE / camera / folder
    path.rename(path.with_name("elsewhere"))
    with pytest.raises(DataError, match=rf"{camera}.{folder}: expected the images of camera"):
        read_kitti_360(tree)


def test_images_of_another_size_than_the_calibrations_are_refused(tree):
    path = tree / "data_2d_raw" / SEQUENCE / "image_00" / "data_rect" / "0000000000.png"
    Image.new("RGB", (8, 2)).save(path)
    with pytest.raises(DataError, match=r"0000000000\.png: expected 16 x 4 pixels.*got 8 x 2"):
        read_kitti_360(tree)


def test_a_truncated_scan_is_refused(tree):
    write(tree / "data_3d_raw" / SEQUENCE / "velodyne_points" / "data" / "0000000001.bin", bytes(31))
    with pytest.raises(DataError, match=r"0000000001\.bin: expected points of 16 bytes.*got 31 bytes"):
        read_kitti_360(tree)


def test_a_folder_that_is_no_data_set_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"perspective\.txt"):
        read_kitti_360(tmp_path)
    for name, text in CALIBRATION.items():
        write(tmp_path / "calibration" / name, text)
    with pytest.raises(DataError, match="data_2d_raw: expected a folder of sequences"):
        read_kitti_360(tmp_path)
    (tmp_path / "data_2d_raw" / SEQUENCE).mkdir(parents=True)
    with pytest.raises(DataError, match=r"data_poses: expected <sequence>.poses\.txt"):
        read_kitti_360(tmp_path)


def test_positions_far_from_the_origin_keep_their_millimetres(tree):
    far = POSES.replace(" 10 ", " 3800.1234567 ")
    (tree / "data_poses" / SEQUENCE / "poses.txt").write_text(far)
    (scene,) = read_kitti_360(tree)
    assert shot(scene, 4, "left").cam_to_world.dtype == torch.float64
    assert abs(float(shot(scene, 4, "left").cam_to_world[0, 3]) - 3800.1234567) < 1e-9
    assert np.isfinite(float(shot(scene, 4, "left").cam_to_world[0, 3]))


def test_a_slam_trajectory_of_the_left_camera_says_the_same_between_frames(tree, tmp_path):
    (own,) = read_kitti_360(tree)
    left = {s.frame: s.cam_to_world for s in own.shots if s.sensor == "left"}
    # As ORB-SLAM writes it: every frame has a line, and the first camera is the world. Frames 0, 2 and 3 stand still.
    start = torch.linalg.inv(left[1])
    lines = [start @ left[4 if frame == 4 else 1] for frame in range(5)]
    text = "\n".join(" ".join(map(repr, matrix[:3].flatten().tolist())) for matrix in lines)
    write(tmp_path / "slam" / f"{SEQUENCE}.txt", text)
    poses = EstimatedPoses(tmp_path / "slam", "left camera")
    (scene,) = read_kitti_360(tree, poses=poses)
    assert sorted({s.frame for s in scene.shots}) == [0, 1, 2, 3, 4]
    torch.testing.assert_close(shot(scene, 1, "left").cam_to_world, torch.eye(4, dtype=torch.float64))
    for sensor in ("left", "right", "fisheye_right"):
        there, here = (
            torch.linalg.inv(shot(s, 1, "left").cam_to_world) @ shot(s, 4, sensor).cam_to_world for s in (own, scene)
        )
        torch.testing.assert_close(there, here)


def test_an_estimated_trajectory_may_name_its_frames_and_lie_in_a_folder(tree, tmp_path):
    write(tmp_path / "poses" / SEQUENCE / "poses.txt", POSES)
    (own,), (scene,) = read_kitti_360(tree), read_kitti_360(tree, poses=EstimatedPoses(tmp_path / "poses"))
    assert len(own.shots) == len(scene.shots)
    assert all(torch.equal(a.cam_to_world, b.cam_to_world) for a, b in zip(own.shots, scene.shots, strict=True))


def test_voxels_keep_their_frames_under_another_trajectory(tree, tmp_path):
    folder = tree / "SSCBench-KITTI-360" / "data_2d_raw" / SEQUENCE / "voxels"
    for row in (0, 1):
        write(folder / f"{row:06d}.label", np.zeros(256 * 256 * 32, dtype="<u2").tobytes())
        write(folder / f"{row:06d}.invalid", np.zeros(256 * 256 * 32, dtype=np.uint8).tobytes())
    write(tmp_path / "slam" / f"{SEQUENCE}.txt", "\n".join(["1 0 0 0 0 1 0 0 0 0 1 0"] * 4))
    (scene,) = read_kitti_360(tree, poses=EstimatedPoses(tmp_path / "slam"))
    # Row 0 is frame 1, row 1 is frame 4, which the trajectory does not reach.
    assert [grid.frame for grid in scene.voxels] == [1]


def test_a_missing_trajectory_is_named(tree, tmp_path):
    with pytest.raises(DataError, match=f"expected <sequence>/poses.txt, got none of.*{SEQUENCE}"):
        read_kitti_360(tree, poses=EstimatedPoses(tmp_path))
    with pytest.raises(DataError, match=rf"{SEQUENCE}\.txt: expected the trajectory.*data.poses"):
        read_kitti_360(tree, [SEQUENCE], poses=EstimatedPoses(tmp_path))


def test_samples_whose_voxels_were_made_with_another_label_map_are_refused(tree):
    grid = np.zeros((256, 256, 32), np.float32)
    grid[0, 0, 0] = 9
    made = tree / "SSCBench-KITTI-360" / "preprocess" / "labels" / SEQUENCE
    made.mkdir(parents=True)
    np.save(made / "000000_1_1.npy", grid)
    config = SnippetConfig(height=HEIGHT, width=WIDTH, voxels=True)
    with pytest.raises(DataError, match="nuScenes"):
        Snippets(read_kitti_360(tree), config, training=False)
    assert any("nuScenes" in str(problem) for problem in check_data(tree))
    grid[0, 0, 1] = 13
    np.save(made / "000000_1_1.npy", grid)
    assert Snippets(read_kitti_360(tree), config, training=False)[0].voxels[0, 0, 0, :2].tolist() == [8, 11]
