from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scene3d.data.depth_truth import (
    has_truth,
    measure_truth,
    published_scan_depth,
    read_truth,
    truth_file,
    write_truth,
)
from scene3d.data.kitti import read_kitti_odometry, read_kitti_raw
from scene3d.data.kitti_files import read_calibration, read_scan
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera
from tests.data.small_trees import DEPTH, HEIGHT, WIDTH, write_odometry, write_raw

# Looks along the velodyne's x from 0.5 m ahead of it: z = x - 0.5. The axis goes through the middle of pixel (4, 2).
AHEAD = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -0.5], [0, 0, 0, 1]], dtype=torch.float64)
CAMERA = Camera(torch.tensor([[4.0, 0, 4.5], [0, 4.0, 2.5], [0, 0, 1]], dtype=torch.float64), 5, 8)


def point(column: float, row: float, z: float) -> list[float]:
    """The velodyne point that the camera sees at a pixel counted from 0 at centres, z metres away."""
    return [z + 0.5, -(column - 4) / 4 * z, -(row - 2) / 4 * z]


def published(*points: list[float]) -> torch.Tensor:
    return published_scan_depth(torch.tensor(points), AHEAD, CAMERA)


def test_published_depth_is_x_of_the_velodyne_one_pixel_up_and_to_the_left():
    depth = published(point(5, 3, 7.5))
    assert depth[2, 4].item() == 8.0  # 7.5 m from the camera, 8 m from the velodyne; not in pixel (5, 3)
    assert (depth > 0).sum() == 1


def test_of_several_points_in_a_published_pixel_the_nearest_counts():
    assert published(point(5, 3, 7.5), point(5, 3, 2.5), point(5, 3, 4.5))[2, 4].item() == 3.0


def test_the_last_published_pixel_of_a_row_and_the_first_of_the_next_are_one():
    # Pixels (column 7, row 1) and (0, 2) are both number 1 * 7 + 7 - 1 = 2 * 7 + 0 - 1 = 13. The first point of the
    # scan lies in (7, 1), so that pixel takes the nearest of both; (0, 2) keeps its own.
    depth = published(point(8, 2, 9.5), point(1, 3, 3.5))
    assert (depth[1, 7].item(), depth[2, 0].item()) == (4.0, 4.0)
    depth = published(point(8, 2, 2.5), point(1, 3, 5.5))
    assert (depth[1, 7].item(), depth[2, 0].item()) == (3.0, 6.0)


def test_points_behind_the_velodyne_and_beside_the_image_do_not_count():
    assert not published([-3.0, 0, 0], point(0, 3, 5.0), point(9, 3, 5.0), point(5, 0, 5.0)).any()


def test_published_depth_is_what_a_plain_loop_makes_of_it():
    generator = torch.Generator().manual_seed(0)
    low, high = torch.tensor([-5.0, -8, -5]), torch.tensor([15.0, 8, 5])
    points = low + (high - low) * torch.rand(3000, 3, generator=generator)
    depth: dict[tuple[int, int], float] = {}
    groups: dict[int, list[tuple[int, int, float]]] = {}
    for x, y, z in points.tolist():
        if x < 0 or x == 0.5:
            continue
        u, v = round(4 - 4 * y / (x - 0.5)) - 1, round(2 - 4 * z / (x - 0.5)) - 1
        if 0 <= u < 8 and 0 <= v < 5:
            depth[v, u] = x
            groups.setdefault(v * 7 + u - 1, []).append((v, u, x))
    for members in groups.values():
        if len(members) > 1:
            depth[members[0][:2]] = min(x for *_, x in members)
    expected = torch.zeros(5, 8)
    for (v, u), x in depth.items():
        expected[v, u] = x
    assert len(depth) == 40
    assert torch.equal(published_scan_depth(points, AHEAD, CAMERA), expected)


def test_a_scan_is_projected_along_z_into_the_pixel_it_falls_into(tmp_path: Path):
    write_raw(tmp_path)
    (scene,) = read_kitti_raw(tmp_path)
    shot, scans = scene.shots[0], {scan.frame: scan for scan in scene.scans}
    depth = measure_truth(shot, scans, "scan")
    assert depth.shape == (HEIGHT, WIDTH) and depth.dtype == torch.float32
    assert torch.allclose(depth[depth > 0], torch.tensor(DEPTH))
    # Points stand 0.2 m apart in z, 1.6 pixels of 4 m / 32: eleven rows, one of them on the axis.
    rows = (depth > 0).any(dim=1).nonzero()[:, 0]
    assert len(rows) == 11 and 12 in rows.tolist()
    # The published pixels of the same scan, whose x is z here, are those but for the shift by one.
    shifted = measure_truth(shot, scans, "scan as published")
    assert shifted.unique().tolist() == [0.0, DEPTH]
    assert (shifted > 0).any(dim=1).nonzero()[:, 0].max() < rows.max()


def test_annotated_depth_is_read_from_its_file_and_must_fit_the_image(tmp_path: Path):
    write_odometry(tmp_path)
    (scene,) = read_kitti_odometry(tmp_path)
    shot = scene.shots[0]
    assert measure_truth(shot, {}, "file").unique().tolist() == [DEPTH]
    other = replace(shot, camera=shot.camera.resize(HEIGHT, 2 * WIDTH))
    with pytest.raises(DataError, match="the size its calibration is for"):
        measure_truth(other, {}, "file")


def test_what_the_drive_does_not_measure_has_no_truth(tmp_path: Path):
    write_odometry(tmp_path)
    (scene,) = read_kitti_odometry(tmp_path)
    scans = {scan.frame: scan for scan in scene.scans}
    left, right = scene.shots[:2]
    assert has_truth(left, scans, "scan") and has_truth(left, scans, "file")
    assert not has_truth(right, scans, "file")  # the annotated depth is that of the left camera
    assert not has_truth(scene.shots[2], scans, "scan")  # frame 1 has no scan
    assert not has_truth(replace(left, cam_to_world=None), scans, "scan")
    with pytest.raises(DataError, match="true depth from its file, got none"):
        measure_truth(right, scans, "file")


def test_prepared_truth_is_that_of_the_scan_to_half_a_step_and_is_made_once(tmp_path: Path):
    write_odometry(tmp_path / "tree")
    (scene,) = read_kitti_odometry(tmp_path / "tree")
    shot, scans = scene.shots[0], {scan.frame: scan for scan in scene.scans}
    for kind in ("scan", "scan as published"):
        assert write_truth(tmp_path / "truth", kind, scene.name, shot, scans)
        measured, read = measure_truth(shot, scans, kind), read_truth(tmp_path / "truth", kind, scene.name, shot)
        assert (read - measured).abs().max() <= 1 / 512
        assert ((read > 0) == (measured > 0)).all()
        assert not write_truth(tmp_path / "truth", kind, scene.name, shot, scans)
    file = truth_file(tmp_path / "truth", "scan as published", scene.name, shot)
    assert file == tmp_path / "truth" / "scan_as_published" / "00" / "left" / "0000000000.png" and file.exists()


def test_published_depth_of_a_real_scan_follows_from_its_calibration_files(shared_data: Path):
    root = shared_data / "kitti_raw_0926_color_lidar"
    poses = next(root.rglob("derived_lidar_icp_velo_poses.txt"))
    (scene,) = read_kitti_raw(root, ["2011_09_26_drive_9999_sync"], scan_poses=poses)
    shot = next(shot for shot in scene.shots if shot.frame == 5)
    scans = {scan.frame: scan for scan in scene.scans}
    cam = read_calibration(root / "2011_09_26" / "calib_cam_to_cam.txt")
    velo = read_calibration(root / "2011_09_26" / "calib_velo_to_cam.txt")
    velo_to_image = cam.matrix("P_rect_02", 3, 4) @ cam.rotation("R_rect_00") @ velo.rigid("R", "T")
    points = read_scan(scans[5].path).double()
    points = torch.cat([points[points[:, 0] >= 0, :3], torch.ones_like(points[points[:, 0] >= 0, :1])], dim=1)
    projected = points @ velo_to_image.mT
    last: dict[tuple[int, int], float] = {}
    groups: dict[int, list[tuple[int, int, float]]] = {}
    for (u, v, w), x in zip(projected.tolist(), points[:, 0].tolist(), strict=True):
        column, row = round(u / w) - 1, round(v / w) - 1
        if 0 <= column < 1242 and 0 <= row < 375:
            last[row, column] = x
            groups.setdefault(row * 1241 + column - 1, []).append((row, column, x))
    for members in groups.values():
        if len(members) > 1:
            last[members[0][:2]] = min(x for *_, x in members)
    expected = torch.zeros(375, 1242)
    for (row, column), x in last.items():
        expected[row, column] = x
    assert len(last) > 15_000
    assert torch.equal(measure_truth(shot, scans, "scan as published"), expected)


def test_published_depth_of_a_real_scan_is_some_percent_off(shared_data: Path):
    root = shared_data / "kitti_raw_0926_color_lidar"
    poses = next(root.rglob("derived_lidar_icp_velo_poses.txt"))
    (scene,) = read_kitti_raw(root, ["2011_09_26_drive_9999_sync"], scan_poses=poses)
    shot, scans = next(s for s in scene.shots if s.frame == 5), {scan.frame: scan for scan in scene.scans}
    right, published = (measure_truth(shot, scans, kind) for kind in ("scan", "scan as published"))
    # Pixel (row, column) of the right one is (row - 1, column - 1) of the published one.
    right, published = right[1:, 1:], published[:-1, :-1]
    both = (right > 0) & (published > 0)
    assert both.sum() > 0.99 * (right > 0).sum()
    # The velodyne stands 0.27 m behind the camera: 2.7 % of ten metres.
    ratio = (published[both] / right[both]).median().item()
    assert 1.01 < ratio < 1.04
