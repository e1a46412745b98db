from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.data.images import read_depth, read_image, read_labels
from scene3d.data.kitti import read_kitti_raw
from scene3d.data.kitti_360 import read_kitti_360
from scene3d.data.kitti_360_poses import read_body_poses
from scene3d.data.kitti_files import read_rows, read_scan
from scene3d.data.sscbench import read_classes, read_raw_labels, read_voxels
from scene3d.data.street import StreetConfig, make_street, render, rig
from scene3d.data.street import write as writer
from scene3d.data.street.kitti_360_tree import posed_frames
from scene3d.data.street.write import write_streets
from scene3d.errors import DataError, UsageError
from scene3d.geometry.camera import inside, project
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.scene import Scene

SEED, CONFIG = 11, StreetConfig(frames=3)
SENSORS = ("left", "right", "fisheye_left", "fisheye_right")
NAME = f"2013_05_28_drive_{SEED:04d}_sync"
SMALL = {"config": CONFIG, "size": (48, 160), "fisheye": 64, "azimuth_step": 2.0, "voxels_every": 2, "workers": 1}


@pytest.fixture(scope="module")
def street():
    return make_street(SEED, CONFIG)


@pytest.fixture(scope="module")
def tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("streets")
    assert write_streets(root, [SEED], **SMALL) == [NAME]
    return root


@pytest.fixture(scope="module")
def scene(tree) -> Scene:
    (scene,) = read_kitti_360(tree)
    return scene


def test_the_reader_finds_all_that_was_written(scene):
    assert scene.name == NAME
    assert tuple(shot.sensor for shot in scene.shots[:4]) == SENSORS
    assert len(scene.shots) == 12 and len(scene.scans) == 3
    assert [grid.frame for grid in scene.voxels] == [0, 2]
    assert all((shot.labels is not None) == (shot.sensor == "left") for shot in scene.shots)


def test_a_written_image_is_what_its_camera_sees_bit_for_bit(scene, street):
    for shot in scene.shots[4:8]:  # frame 1
        index = SENSORS.index(shot.sensor)
        camera = (*rig.perspective((48, 160)), *rig.fisheye(64))[index]
        view = render(street, 1, camera, shot.cam_to_world.numpy(), noise_seed=4 + index)
        same = (read_image(shot.image).permute(1, 2, 0).numpy() == view.image).mean()
        # The transform went through ten printed decimals: a pixel on an edge may fall to its other side.
        assert same > 0.999


def test_cameras_stand_where_the_street_says(scene, street):
    mounts = (rig.left_rect_to_body, rig.right_rect_to_body, rig.fisheye_left_to_body, rig.fisheye_right_to_body)
    for shot in scene.shots:
        mount = mounts[SENSORS.index(shot.sensor)]
        expected = street.body_to_world(shot.frame) @ mount
        np.testing.assert_allclose(shot.cam_to_world.numpy(), expected, atol=1e-7)


def test_both_pose_files_say_the_same(tree, scene):
    rows = read_rows(tree / "data_poses" / NAME / "cam0_to_world.txt", 17)
    for row, shot in zip(rows, (s for s in scene.shots if s.sensor == "left"), strict=True):
        assert int(row[0]) == shot.frame
        torch.testing.assert_close(row[1:].reshape(4, 4), shot.cam_to_world, atol=1e-8, rtol=0)


def test_depth_and_classes_belong_to_the_left_image(scene, street):
    shot = scene.shots[0]
    view = render(street, 0, rig.perspective((48, 160))[0], shot.cam_to_world.numpy(), noise_seed=None)
    near = torch.from_numpy(view.depth).clamp(max=255)
    assert ((read_depth(shot.depth).clamp(max=255) - near).abs() < 1 / 256).float().mean() > 0.999
    ids = read_labels(shot.labels)
    assert (ids.numpy() == view.labels).mean() > 0.999
    assert {7, 23} <= set(ids.unique().tolist())  # road and sky


def points_in_world(scan) -> torch.Tensor:
    return transform(scan.scan_to_world, read_scan(scan.path)[:, :3].double())


def test_the_scan_lies_on_what_the_left_camera_sees(scene):
    for scan, shot in zip(scene.scans, (s for s in scene.shots if s.sensor == "left"), strict=True):
        points = transform(torch.linalg.inv(shot.cam_to_world), points_in_world(scan))
        pixels, depth = project(points, shot.camera.K)
        seen = inside(pixels, depth, shot.camera.height, shot.camera.width)
        column, row = pixels[seen].long().unbind(dim=-1)
        image = read_depth(shot.depth)[row.clamp(max=47), column.clamp(max=159)]
        assert seen.sum() > 100
        assert ((image - depth[seen]).abs() / depth[seen]).median() < 0.02


def test_the_scan_lies_in_full_cells(scene):
    for grid in scene.voxels:
        scan = next(scan for scan in scene.scans if scan.frame == grid.frame)
        points = transform(torch.linalg.inv(grid.grid_to_world), points_in_world(scan))
        full = (read_raw_labels(grid.labels) > 0).float()[None, None]
        around = torch.nn.functional.max_pool3d(full, 3, stride=1, padding=1)[0, 0]
        cell, within = SSCBENCH.cell_of(points)
        within &= cell[:, 2] > 0  # below the lowest cell there may be ground that the grid does not hold
        assert within.sum() > 1000
        assert around[tuple(cell[within].T)].mean() > 0.98


def test_the_rows_of_a_scan_are_sixteen_bytes_of_finite_numbers(scene):
    data = scene.scans[0].path.read_bytes()
    points = np.frombuffer(data, "<f4").reshape(-1, 4)
    assert np.isfinite(points).all() and (points[:, 3] >= 0).all() and (points[:, 3] <= 1).all()
    elevation = np.degrees(np.arcsin(points[:, 2] / np.linalg.norm(points[:, :3], axis=1)))
    assert elevation.max() < 2.01 and elevation.min() > -24.81


def test_the_npy_is_made_of_label_and_mask_by_the_data_sets_rule(tree, scene):
    for row, grid in zip((0, 2), scene.voxels, strict=True):
        npy = tree / "SSCBench-KITTI-360" / "preprocess" / "labels" / NAME / f"{row:06d}_1_1.npy"
        assert np.load(npy).dtype == np.float32
        assert torch.equal(read_classes(npy), read_voxels(grid))


def test_what_was_observed_is_the_face_of_solids_and_the_air_before_them(scene):
    solid, observed = read_voxels(scene.voxels[0]), read_voxels(scene.voxels[0], observed_only=True)
    full, seen = (solid > 0) & (solid < 255), (observed > 0) & (observed < 255)
    assert (full & seen).sum() == seen.sum() and 0.005 < seen.float().mean() < 0.5 * full.float().mean()
    assert torch.equal(solid == 0, observed == 0) and 0.1 < (solid == 0).float().mean() < 0.95
    empty = torch.nn.functional.pad((solid == 0).float(), (1, 1, 1, 1, 1, 1))
    beside = sum(empty.roll(shift, axis) for axis in range(3) for shift in (-1, 1))[1:-1, 1:-1, 1:-1] > 0
    assert not (seen & ~beside).any()


def test_sscbench_numbers_the_same_images_by_row(tree):
    for row, frame in enumerate(read_body_poses(tree / "data_poses" / NAME / "poses.txt")):
        ours = tree / "data_2d_raw" / NAME / "image_00" / "data_rect" / f"{frame:010d}.png"
        theirs = tree / "SSCBench-KITTI-360" / "data_2d_raw" / NAME / "image_00" / "data_rect" / f"{row:06d}.png"
        assert os.path.samefile(ours, theirs) or ours.read_bytes() == theirs.read_bytes()


def test_file_names_and_kinds_are_the_data_sets(tree):
    semantic = tree / "data_2d_semantics" / "train" / NAME / "image_00" / "semantic" / "0000000002.png"
    assert Image.open(semantic).mode == "L" and Image.open(semantic).size == (160, 48)
    fisheye = tree / "data_2d_raw" / NAME / "image_02" / "data_rgb" / "0000000002.png"
    assert Image.open(fisheye).mode == "RGB" and Image.open(fisheye).size == (64, 64)
    assert (tree / "data_3d_raw" / NAME / "velodyne_points" / "data" / "0000000002.bin").exists()
    voxels = tree / "SSCBench-KITTI-360" / "data_2d_raw" / NAME / "voxels"
    assert (voxels / "000002.label").stat().st_size == 4_194_304
    assert (voxels / "000002.invalid").stat().st_size == 2_097_152


@pytest.mark.parametrize(("frames", "left_out"), [(5, 0), (10, 1), (60, 2), (100, 4)])
def test_a_few_frames_have_no_pose_but_the_ends_do(frames, left_out):
    posed = posed_frames(3, frames)
    assert posed == sorted(set(posed)) and len(posed) == frames - left_out
    assert posed[0] == 0 and posed[-1] == frames - 1
    assert posed == posed_frames(3, frames)


LEAST = {**SMALL, "config": StreetConfig(frames=1), "scans": False, "voxels_every": 0, "fisheye": None}


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


def test_streets_that_are_there_are_kept_unless_told_otherwise(tmp_path):
    write_streets(tmp_path, [1], **LEAST)
    before = snapshot(tmp_path)
    with pytest.raises(DataError, match=r"2013_05_28_drive_0001_sync exists \(hint: .*overwrite"):
        write_streets(tmp_path, [1], **LEAST)
    marker = tmp_path / "data_2d_raw" / "2013_05_28_drive_0001_sync" / "marker"
    marker.touch()
    write_streets(tmp_path, [1], **LEAST, overwrite=True)
    assert not marker.exists() and snapshot(tmp_path) == before


def test_streets_of_another_size_do_not_join_a_tree(tmp_path):
    write_streets(tmp_path, [1], **LEAST)
    with pytest.raises(DataError, match=r"calib.* is of other cameras or another image size"):
        write_streets(tmp_path, [2], **{**LEAST, "size": (24, 80)})


def test_a_street_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(street, seed, root, options):
        (root / "data_2d_raw").mkdir(parents=True)
        raise OSError("No space left on device")

    monkeypatch.setattr(writer, "write_kitti_360", fail)
    with pytest.raises(DataError, match=r"0001_sync: cannot be written: .*No space left"):
        write_streets(tmp_path, [1], **LEAST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["SSCBench-KITTI-360", "calibration"]


@pytest.mark.parametrize("seeds", [[1, 1], [-1], [10_000]])
def test_seeds_must_be_different_numbers_of_four_digits(tmp_path, seeds):
    with pytest.raises(UsageError, match="seeds: expected different numbers from 0 to 9999"):
        write_streets(tmp_path, seeds, **LEAST)
    assert not list(tmp_path.iterdir())


def test_two_processes_write_what_one_does_and_report_each_street(tmp_path):
    told: list[tuple[str, int, int]] = []
    names = write_streets(tmp_path / "one", [1, 2], **LEAST, progress=lambda *report: told.append(report))
    assert told == [(names[0], 1, 2), (names[1], 2, 2)]
    write_streets(tmp_path / "two", [1, 2], **{**LEAST, "workers": 2})
    assert snapshot(tmp_path / "one") == snapshot(tmp_path / "two")


@pytest.fixture(scope="module")
def raw_tree(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("raw")
    assert write_streets(root, [SEED], **SMALL, layout="kitti-raw") == [f"2011_09_26_drive_{SEED:04d}_sync"]
    return root


def test_a_raw_drive_says_where_its_cameras_and_laser_were(raw_tree, street):
    (scene,) = read_kitti_raw(raw_tree)
    assert len(scene.shots) == 6 and len(scene.scans) == 3
    start = np.eye(4)
    start[:3, 3] = -street.body_to_world(0)[:3, 3]  # OXTS counts from the first place
    for shot in scene.shots:
        mount = rig.left_rect_to_body if shot.sensor == "left" else rig.right_rect_to_body
        expected = start @ street.body_to_world(shot.frame) @ mount
        np.testing.assert_allclose(shot.cam_to_world.numpy(), expected, atol=5e-6)
    for scan in scene.scans:
        expected = start @ street.body_to_world(scan.frame) @ rig.velo_to_body
        np.testing.assert_allclose(scan.scan_to_world.numpy(), expected, atol=5e-6)


def test_a_raw_drive_has_the_files_of_one(raw_tree):
    day = raw_tree / "2011_09_26"
    drive = day / f"2011_09_26_drive_{SEED:04d}_sync"
    assert sorted(path.name for path in day.glob("*.txt")) == [
        *("calib_cam_to_cam.txt", "calib_imu_to_velo.txt", "calib_velo_to_cam.txt")
    ]
    assert sorted(path.name for path in drive.iterdir()) == [
        *("image_02", "image_03", "oxts", "proj_depth", "velodyne_points")
    ]
    assert (drive / "oxts" / "data" / "0000000002.txt").read_text().count(" ") == 29
    for sensor in ("image_02", "image_03", "velodyne_points", "oxts"):
        assert (drive / sensor / "timestamps.txt").read_text().count("\n") == 3


def test_the_raw_images_are_the_streets_stereo_pair(raw_tree, tree):
    drive = raw_tree / "2011_09_26" / f"2011_09_26_drive_{SEED:04d}_sync"
    for raw, name in (("image_02", "image_00"), ("image_03", "image_01")):
        ours = read_image(tree / "data_2d_raw" / NAME / name / "data_rect" / "0000000001.png")
        assert torch.equal(read_image(drive / raw / "data" / "0000000001.png"), ours)
