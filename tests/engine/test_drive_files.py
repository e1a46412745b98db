from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial import cKDTree

from scene3d.data.images import read_depth
from scene3d.engine import drive_files
from scene3d.engine.drive import walk
from scene3d.engine.drive_files import write_drive
from scene3d.errors import DataError, MissingExtraError
from scene3d.geometry.camera import CAM_TO_FORWARD
from scene3d.geometry.se3 import invert
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.drive import DriveStep
from scene3d.structures.labels import SSC
from scene3d.structures.prediction import CompletionPrediction
from tests.drives import StreetDrive, TellsTheTruth, wall_step

SIZE = (48, 160)
FRAMES = 5
WHOLE = {"poses_kitti.txt", "trajectory_tum.txt", "trajectory.png", "video.mp4", "cloud.ply", "cloud.png"}
WHOLE |= {"mesh.ply", "mesh.glb", "drive.html"}


@pytest.fixture(scope="module")
def drive() -> StreetDrive:
    return StreetDrive(FRAMES, SIZE, seed=9001)


@pytest.fixture(scope="module")
def folder(drive: StreetDrive, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("av", reason="PyAV, of the extra `video`, is not installed")
    pytest.importorskip("open3d", reason="Open3D, of the extra `open3d`, is not installed")
    folder = tmp_path_factory.mktemp("drives") / "new"
    told = list(write_drive(walk(TellsTheTruth(drive).predict, drive), folder, title="A street"))
    assert sorted(told) == sorted(path for path in folder.rglob("*") if path.is_file())
    return folder


def test_every_frame_and_the_whole_drive_have_their_files(folder: Path):
    kinds = {"depth", "colour", "confidence", "deviation", "moving"}
    assert {path.name for path in folder.iterdir()} == kinds | WHOLE
    names = [f"{number:010d}.png" for number in range(FRAMES)]
    assert all(sorted(path.name for path in (folder / kind).iterdir()) == names for kind in kinds)


def test_depth_and_poses_are_those_of_the_street(folder: Path, drive: StreetDrive):
    truth = drive[2].depth[0, 0]
    error = (read_depth(folder / "depth" / "0000000002.png") - truth).abs()
    assert error[truth < 200].max() < 1 / 256
    last = invert(drive.cam_to_world(0)) @ drive.cam_to_world(FRAMES - 1)
    poses = np.loadtxt(folder / "poses_kitti.txt")
    np.testing.assert_allclose(poses[-1].reshape(3, 4), last[:3].numpy(), atol=1e-9)
    times = np.loadtxt(folder / "trajectory_tum.txt")[:, 0]
    np.testing.assert_allclose(times, [0.1 * number for number in range(FRAMES)])


def test_cloud_and_mesh_are_of_one_place_with_the_road_below_the_camera(folder: Path):
    cloud, mesh = trimesh.load(folder / "cloud.ply"), trimesh.load(folder / "mesh.ply")
    near = cloud.vertices[(np.abs(cloud.vertices[:, 1]) < 1) & (cloud.vertices[:, 0] < 12)]
    # x forward, y left, z up, from the first camera, which is some 1.5 m above the road and looks down a little.
    assert len(near) > 50 and -2.4 < np.median(near[:, 2]) < -0.5
    # Of all vertices: Open3D orders them differently from run to run, so that every so manieth are others each time.
    assert np.median(cKDTree(cloud.vertices).query(mesh.vertices)[0]) < 0.15


def test_a_drive_of_unknown_scale_is_made_in_cells_that_fit_it(drive: StreetDrive, folder: Path, tmp_path: Path):
    small = TellsTheTruth(drive, scale=0.01)
    names = {p.name for p in write_drive(walk(small.predict, drive), tmp_path) if p.parent == tmp_path}
    assert names == WHOLE
    metric, unscaled = (trimesh.load(place / "cloud.ply").vertices for place in (folder, tmp_path))
    assert 0.5 < len(unscaled) / len(metric) < 2
    assert np.ptp(unscaled, axis=0).max() < 0.02 * np.ptp(metric, axis=0).max()
    assert "known up to scale" in (tmp_path / "drive.html").read_text()


def test_what_cannot_be_made_is_left_out_and_said(drive: StreetDrive, tmp_path: Path, monkeypatch, caplog):
    def missing(*_, **__):
        raise MissingExtraError("it is not installed", hint="pip install it")

    monkeypatch.setattr(drive_files, "VideoFile", missing)
    monkeypatch.setattr(drive_files, "TsdfFusion", missing)
    names = {p.name for p in write_drive(walk(TellsTheTruth(drive).predict, drive), tmp_path) if p.parent == tmp_path}
    assert names == WHOLE - {"video.mp4", "mesh.ply", "mesh.glb"}
    assert "video.mp4 left out: it is not installed" in caplog.text and "the mesh is left out" in caplog.text


def with_classes(step: DriveStep) -> DriveStep:
    """The wall as one layer of cells of half a metre, called a building."""
    frame = VoxelFrame(origin=(0.0, -4.0, -4.0), size=0.5, shape=(12, 16, 16))
    classes = torch.zeros(1, *frame.shape, dtype=torch.int64)
    classes[:, 8] = SSC.index("building")
    scene = CompletionPrediction(
        depth=step.prediction.depth,
        K=step.prediction.K,
        density=(classes > 0).float(),
        threshold=0.5,
        frame=frame,
        grid_to_cam=invert(torch.tensor(CAM_TO_FORWARD))[None],
        classes=classes,
    )
    return replace(step, scene=scene)


def test_the_frames_of_a_method_with_classes_elect_those_of_the_street(tmp_path: Path):
    steps = [with_classes(wall_step(number, 4.0)) for number in range(3)]
    told = {path.name for path in write_drive(steps, tmp_path, open3d=False)}
    assert {"classes.ply", "voxels.ply", "voxels.glb", "voxels.png", "plan.png"} <= told
    # In the axes of the cloud, the wall is 4 m ahead, and the cells begin there.
    cells = trimesh.load(tmp_path / "classes.ply")
    assert np.allclose(cells.vertices[:, 0], 4.25)
    assert set(map(tuple, cells.colors[:, :3])) == {SSC.colours[SSC.index("building")]}
    assert np.abs(np.median(trimesh.load(tmp_path / "cloud.ply").vertices[:, 0]) - 4) < 0.01
    assert trimesh.load(tmp_path / "voxels.ply").bounds[:, 0].tolist() == [4.0, 4.5]
    page = (tmp_path / "drive.html").read_text()
    assert "consistency of classes over the frames" in page and "3.0 votes each on average" in page
    assert "building <span>100.0%</span>" in page and "classes elected by the frames" in page


def test_frames_that_have_no_place_are_written_and_said_once(tmp_path: Path, caplog):
    steps = [wall_step(0, 4.0)]
    steps += [replace(wall_step(number, 4.0), cam_to_world=None, note="nobody knows") for number in (1, 2)]
    names = [path.relative_to(tmp_path) for path in write_drive(steps, tmp_path, open3d=False)]
    assert Path("depth/0000000002.png") in names and Path("drive.html") in names
    assert len((tmp_path / "poses_kitti.txt").read_text().splitlines()) == 1
    assert caplog.text.count("wall 0000000001 left has no place in the drive: nobody knows") == 1
    assert "wall 0000000002" not in caplog.text and "cloud.ply left out: no pixel was believed" in caplog.text


def test_a_mesh_that_is_empty_is_left_out_and_said(tmp_path: Path, caplog):
    pytest.importorskip("open3d", reason="Open3D, of the extra `open3d`, is not installed")
    sky = [wall_step(number, 400.0) for number in range(2)]
    names = {path.name for path in write_drive(sky, tmp_path)}
    assert "mesh.ply" not in names and "drive.html" in names
    assert "mesh.ply left out: mesh: expected a surface, got none" in caplog.text


def test_pictures_of_a_long_drive_are_spread_over_it(tmp_path: Path):
    list(write_drive((wall_step(number, 4.0) for number in range(20)), tmp_path, open3d=False))
    page = (tmp_path / "drive.html").read_text()
    # Every fourth of 20 frames is shown: at most six of them.
    assert [f"<figcaption>frame {number}</figcaption>" in page for number in (0, 4, 8, 12, 16)] == [True] * 5
    assert page.count("<figcaption>frame ") == 5


def test_no_frame_is_an_error_that_leaves_nothing(tmp_path: Path):
    with pytest.raises(DataError, match="expected at least one frame of a drive, got none"):
        list(write_drive([], tmp_path / "new"))
    assert not (tmp_path / "new").exists()


def test_an_error_midway_leaves_no_half_video(tmp_path: Path):
    def breaks():
        yield wall_step(0, 4.0)
        yield wall_step(1, 4.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(write_drive(breaks(), tmp_path, open3d=False))
    assert {path.name for path in tmp_path.iterdir()} == {"depth", "colour"}
    assert torch.equal(read_depth(tmp_path / "depth" / "0000000001.png"), torch.full((24, 32), 4.0))
