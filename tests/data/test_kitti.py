from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from scene3d.data.images import read_depth, read_image
from scene3d.data.kitti import read_kitti_odometry, read_kitti_raw
from scene3d.data.kitti_files import read_scan
from scene3d.data.sscbench import read_voxels
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera, project, to_grid
from scene3d.geometry.depth import depth_to_points, points_to_depth
from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.labels import IGNORE
from scene3d.structures.labels import SSCBENCH as LABELS
from scene3d.structures.scene import Scene, Shot
from tests.data.small_trees import BASELINE, HEIGHT, STEP, WIDTH, write_odometry, write_raw


def shot_of(scene: Scene, frame: int, sensor: str = "left") -> Shot:
    return next(shot for shot in scene.shots if (shot.frame, shot.sensor) == (frame, sensor))


def one_of(points: torch.Tensor) -> torch.Tensor:
    return points[:, :3].double()


def test_an_odometry_sequence_is_a_scene_of_stereo_shots(tmp_path: Path):
    write_odometry(tmp_path, range(3))
    (scene,) = read_kitti_odometry(tmp_path)
    assert scene.name == "00"
    assert [(s.frame, s.sensor) for s in scene.shots] == [(f, s) for f in range(3) for s in ("left", "right")]
    left, right = shot_of(scene, 2), shot_of(scene, 2, "right")
    assert (left.camera.height, left.camera.width) == (HEIGHT, WIDTH)
    assert left.camera.K[0, 2] == WIDTH / 2
    assert left.time == pytest.approx(0.2)
    assert left.depth is not None
    assert right.depth is None
    # The right camera stands one baseline to the right, x being right.
    assert left.cam_to_world[:3, 3].tolist() == [2 * STEP, 0.0, 0.0]
    assert right.cam_to_world[:3, 3].tolist() == [2 * STEP + BASELINE, 0.0, 0.0]
    assert [scan.frame for scan in scene.scans] == [0, 2]


def test_files_are_matched_by_frame_number_where_some_are_missing(tmp_path: Path):
    folder = write_odometry(tmp_path, range(4))
    (folder / "image_2" / "000001.png").unlink()
    (folder / "velodyne" / "000000.bin").unlink()
    (folder / "image_depth_annotated" / "000002.png").unlink()
    (scene,) = read_kitti_odometry(tmp_path, ["00"])
    assert [s.frame for s in scene.shots if s.sensor == "left"] == [0, 2, 3]
    assert shot_of(scene, 2).cam_to_world[0, 3] == 2 * STEP
    assert shot_of(scene, 2).depth is None
    assert [scan.frame for scan in scene.scans] == [2]
    assert scene.scans[0].scan_to_world[0, 3] == 2 * STEP


def test_without_colour_the_gray_cameras_are_taken(tmp_path: Path):
    folder = write_odometry(tmp_path, range(2))
    for colour, gray in ((2, 0), (3, 1)):
        (folder / f"image_{colour}").rename(folder / f"image_{gray}")
    (scene,) = read_kitti_odometry(tmp_path)
    assert {s.image.parent.name for s in scene.shots} == {"image_0", "image_1"}
    # Annotated depth is of the left colour camera.
    assert all(s.depth is None for s in scene.shots)


def test_voxels_of_semantic_kitti_lie_where_the_scanner_stood(tmp_path: Path):
    folder = write_odometry(tmp_path, range(3)) / "voxels"
    folder.mkdir()
    raw = np.zeros(SSCBENCH.shape, dtype="<u2")
    raw[2, 3, 4] = 40  # road
    raw.tofile(folder / "000002.label")
    np.packbits(raw.reshape(-1) == 0).tofile(folder / "000002.invalid")
    (scene,) = read_kitti_odometry(str(tmp_path))
    (grid,) = scene.voxels
    assert grid.frame == 2
    assert torch.equal(grid.grid_to_world, scene.scans[1].scan_to_world)
    classes = read_voxels(grid)
    assert classes[2, 3, 4] == LABELS.index("road")
    assert (classes == IGNORE).sum() == classes.numel() - 1


def test_without_poses_and_tr_transforms_are_unknown(tmp_path: Path):
    folder = write_odometry(tmp_path, range(2))
    (tmp_path / "poses" / "00.txt").unlink()
    (scene,) = read_kitti_odometry(tmp_path)
    assert all(s.cam_to_world is None for s in scene.shots)
    assert scene.scans[0].scan_to_world is None
    calibration = folder / "calib.txt"
    calibration.write_text(calibration.read_text().replace("Tr:", "other:"))
    assert read_kitti_odometry(tmp_path)[0].scans[0].scan_to_world is None


def test_a_name_that_is_not_there_says_which_are(tmp_path: Path):
    write_odometry(tmp_path, range(1))
    with pytest.raises(DataError, match="expected a drive named 07, got 00"):
        read_kitti_odometry(tmp_path, ["07"])
    with pytest.raises(DataError, match="got none"):
        read_kitti_raw(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_kitti_odometry(tmp_path / "gone")


def test_a_raw_drive_goes_where_its_gps_goes(tmp_path: Path):
    write_raw(tmp_path, [0, 1, 3])
    (scene,) = read_kitti_raw(tmp_path)
    assert scene.name == "2011_09_26_drive_0001_sync"
    left = shot_of(scene, 3)
    # The camera looks east: its z is the world's x, its x (right) is south; and it went three metres east.
    torch.testing.assert_close(left.cam_to_world[:3, 2], torch.tensor([1.0, 0, 0], dtype=torch.float64))
    torch.testing.assert_close(left.cam_to_world[:3, 0], torch.tensor([0, -1.0, 0], dtype=torch.float64))
    torch.testing.assert_close(
        left.cam_to_world[:3, 3], torch.tensor([3.0, 0, 0], dtype=torch.float64), atol=1e-5, rtol=0
    )
    right = shot_of(scene, 3, "right")
    torch.testing.assert_close(
        right.cam_to_world[:3, 3], torch.tensor([3.0, -BASELINE, 0], dtype=torch.float64), atol=1e-5, rtol=0
    )


def test_poses_of_a_file_come_before_the_gps(tmp_path: Path):
    write_raw(tmp_path, range(2))
    poses = tmp_path / "poses" / "2011_09_26" / "2011_09_26_drive_0001_sync.txt"
    poses.parent.mkdir(parents=True)
    poses.write_text("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 0 0 1 0 0 0 0 1 42\n")
    (scene,) = read_kitti_raw(tmp_path)
    assert shot_of(scene, 1).cam_to_world[2, 3] == 42


def test_poses_of_the_scanner_are_turned_into_those_of_the_cameras(tmp_path: Path):
    write_raw(tmp_path, range(2), oxts=False)
    assert read_kitti_raw(tmp_path)[0].shots[0].cam_to_world is None
    poses = tmp_path / "icp.txt"
    poses.write_text("1 0 0 0 0 1 0 0 0 0 1 0\n1 0 0 2 0 1 0 0 0 0 1 0\n")
    (scene,) = read_kitti_raw(tmp_path, scan_poses=poses)
    # Two metres along the scanner's x, which is the camera's z.
    moved = invert(shot_of(scene, 0).cam_to_world) @ shot_of(scene, 1).cam_to_world
    assert moved[:3, 3].tolist() == [0.0, 0.0, 2.0]
    torch.testing.assert_close(scene.scans[0].scan_to_world, torch.eye(4, dtype=torch.float64))


def test_a_missing_calibration_is_named(tmp_path: Path):
    write_raw(tmp_path)
    (tmp_path / "2011_09_26" / "calib_imu_to_velo.txt").unlink()
    with pytest.raises(DataError, match=r"calib_imu_to_velo\.txt: expected a text file, got no such file"):
        read_kitti_raw(tmp_path)


def test_the_scan_and_the_image_agree_on_where_the_wall_is(tmp_path: Path):
    write_odometry(tmp_path, range(3))
    (scene,) = read_kitti_odometry(tmp_path)
    left = shot_of(scene, 2)
    scan = read_scan(scene.scans[1].path)
    points = transform(invert(left.cam_to_world) @ scene.scans[1].scan_to_world, one_of(scan))
    depth = points_to_depth(points, left.camera.K, HEIGHT, WIDTH)
    truth = read_depth(left.depth)
    assert (depth > 0).sum() > 50
    torch.testing.assert_close(depth[depth > 0].float(), truth[depth > 0])


def warping_error(target: Shot, source: Shot, scale: float) -> float:
    """Mean difference, 0..255, of measured pixels and what the other camera shows there at depth x scale."""
    camera = target.camera
    assert isinstance(camera, Camera)
    depth = read_depth(target.depth).double()
    measured = depth > 0
    points = depth_to_points(depth * scale, camera.K)[measured]
    pixels, z = project(transform(invert(source.cam_to_world) @ target.cam_to_world, points), source.camera.K)
    grid = to_grid(pixels, camera.height, camera.width)[None, None]
    seen = (grid[0, 0].abs() < 1).all(-1) & (z > 0)
    image, other = read_image(target.image).double(), read_image(source.image).double()
    found = F.grid_sample(other[None], grid, align_corners=False)[0, :, 0]
    return float((found - image[:, measured]).abs()[:, seen].mean())


def test_warping_by_exact_depth_costs_nothing_but_rounding(tmp_path: Path):
    write_odometry(tmp_path, range(2))
    (scene,) = read_kitti_odometry(tmp_path)
    target = shot_of(scene, 0)
    for source in (shot_of(scene, 0, "right"), shot_of(scene, 1), shot_of(scene, 1, "right")):
        exact = warping_error(target, source, 1.0)
        assert exact < 0.5
        assert exact < warping_error(target, source, 0.95) / 2
        assert exact < warping_error(target, source, 1.05) / 2


@pytest.mark.parametrize(("frame", "sensor"), [(168, "right"), (169, "left"), (169, "right")])
def test_on_real_images_true_depth_warps_better_than_depth_ten_percent_off(shared_data: Path, frame: int, sensor: str):
    (scene,) = read_kitti_odometry(shared_data / "kitti_odometry_07_stereo_depth", ["07"])
    target, source = shot_of(scene, 168), shot_of(scene, frame, sensor)
    exact = warping_error(target, source, 1.0)
    # The car moves slowly from frame to frame, so a wrong depth shows less there than across the stereo pair.
    margin = 0.85 if sensor == "right" else 0.97
    assert exact < margin * warping_error(target, source, 0.9)
    assert exact < margin * warping_error(target, source, 1.1)


def test_the_real_sequence_has_what_it_has(shared_data: Path):
    (scene,) = read_kitti_odometry(shared_data / "kitti_odometry_07_stereo_depth")
    assert sorted({shot.frame for shot in scene.shots}) == [0, 168, 169, 170]
    left, right = shot_of(scene, 0), shot_of(scene, 0, "right")
    assert (left.camera.height, left.camera.width) == (370, 1226)
    baseline = invert(left.cam_to_world) @ right.cam_to_world
    assert baseline[0, 3] == pytest.approx(0.5379, abs=3e-3)
    assert left.depth is None
    assert shot_of(scene, 170).depth is not None


def test_the_real_gray_sequence_moves_as_its_poses_say(shared_data: Path):
    (scene,) = read_kitti_odometry(shared_data / "kitti_odometry_06_gray")
    assert {shot.sensor for shot in scene.shots} == {"left"}
    steps = [
        (invert(a.cam_to_world) @ b.cam_to_world)[:3, 3] for a, b in zip(scene.shots, scene.shots[1:], strict=False)
    ]
    forward = torch.stack(steps)
    # 1.19 to 1.21 m a frame, along the camera's z.
    assert (forward.norm(dim=-1) - 1.2).abs().max() < 0.02
    assert (forward[:, 2] / forward.norm(dim=-1) > 0.99).all()


def test_real_scans_lie_on_the_same_surfaces_from_different_places(shared_data: Path):
    root = shared_data / "kitti_raw_0926_color_lidar"
    (scene,) = read_kitti_raw(root, scan_poses=root / "derived_lidar_icp_velo_poses.txt")
    assert (len(scene.shots), [scan.frame for scan in scene.scans]) == (24, [0, 5, 10, 15, 20])
    left = shot_of(scene, 10)
    maps = []
    for scan in (scene.scans[2], scene.scans[3]):
        points = transform(invert(left.cam_to_world) @ scan.scan_to_world, one_of(read_scan(scan.path)))
        maps.append(points_to_depth(points, left.camera.K, left.camera.height, left.camera.width))
    own, later = maps
    assert (own > 0).float().mean() > 0.03
    # The lidar does not see the upper quarter of the image, which is above its highest ring.
    assert (own[:80] > 0).float().mean() < 0.01
    both = (own > 0) & (later > 0)
    ratio = (later[both] / own[both]).log().abs()
    assert ratio.median() < 0.01
