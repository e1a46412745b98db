"""Every file that a prediction becomes, read back by the library that people will read it with."""

from __future__ import annotations

import base64
import json
import re

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from scene3d.data.images import read_depth
from scene3d.data.sscbench import read_classes, read_raw_labels
from scene3d.errors import MissingExtraError, UsageError
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction
from scene3d.structures.tables import Table
from scene3d.visualise import viewer
from scene3d.visualise.results import write_results

GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
K = torch.tensor([[20.0, 0, 12], [0, 20.0, 8], [0, 0, 1]])
IMAGE = torch.rand(3, 32, 48, generator=torch.Generator().manual_seed(0))


def completion(frame: VoxelFrame = SSCBENCH, semantics: bool = True) -> CompletionPrediction:
    """A road with a car on it, ten metres ahead."""
    classes = torch.zeros(frame.shape, dtype=torch.int64)
    x, y, _ = frame.shape
    classes[:, :, :2] = 7
    classes[x // 4 : x // 3, y // 2 : y // 2 + y // 20 + 1, 2:4] = 1
    return CompletionPrediction(
        depth=torch.full((1, 16, 24), 10.0),
        K=K[None],
        density=(classes > 0).float()[None],
        threshold=0.5,
        frame=frame,
        grid_to_cam=GRID_TO_CAM[None],
        features=torch.randn(1, 5, 16, 24),
        classes=classes[None] if semantics else None,
        labels=torch.randint(0, 19, (1, 16, 24)) if semantics else None,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "new"
    table = Table(title="completion", columns=("IoU",), rows={"ours <1>": (0.5,)})
    facts = {"weights": "<script>alert(1)</script> {{scene}}"}
    paths = write_results(completion(), IMAGE, folder, open3d=False, title="A & B", facts=facts, tables=[table])
    assert sorted(paths) == sorted(folder.iterdir())
    return folder


def test_all_files_are_there(folder):
    assert {path.name for path in folder.iterdir()} == {
        *("depth.png", "depth_colour.png", "features.png", "labels.png", "points.ply", "voxels.label"),
        *("voxels.npy", "voxels.ply", "voxels.glb", "voxels.png", "report.html"),
    }


def test_depth_and_voxels_are_read_back_as_they_were(folder):
    assert (read_depth(folder / "depth.png") == 10.0).all()
    raw = read_raw_labels(folder / "voxels.label")
    assert sorted(raw.unique().tolist()) == [0, 10, 40]  # empty, car, road
    torch.testing.assert_close(read_classes(folder / "voxels.npy"), completion().classes[0])


def test_points_stand_ahead_of_the_car_in_the_colours_of_the_image(folder):
    cloud = trimesh.load(folder / "points.ply")
    assert len(cloud.vertices) == 16 * 24
    np.testing.assert_allclose(cloud.vertices[:, 0], 10.0, rtol=1e-5)
    # The first pixel is up and to the left: y (left) and z (up) are positive.
    assert (cloud.vertices[0, 1:] > 0).all()
    wanted = torch.nn.functional.interpolate(IMAGE[None], (16, 24), mode="bilinear", antialias=True)[0, :, 0, 0]
    np.testing.assert_allclose(cloud.colors[0, :3], wanted * 255, atol=0.51)


def test_the_mesh_is_the_outside_of_the_cells_and_glb_has_gltf_axes(folder):
    ply, glb = trimesh.load(folder / "voxels.ply"), trimesh.load(folder / "voxels.glb", force="mesh")
    cells = int((completion().classes > 0).sum())
    assert ply.volume == pytest.approx(cells * 0.2**3, rel=1e-4)
    assert ply.bounds[0].tolist() == pytest.approx([0.0, -25.6, -2.0])
    # x forward becomes -z, z up becomes y.
    assert glb.bounds[0].tolist() == pytest.approx([-25.6, -2.0, -51.2], abs=1e-4)
    assert glb.volume == pytest.approx(ply.volume, rel=1e-4)


def test_the_report_is_one_file_that_asks_for_nothing(folder):
    page = (folder / "report.html").read_text()
    assert "<title>A &amp; B</title>" in page
    assert "<script>alert" not in page and "&lt;script&gt;alert(1)&lt;/script&gt; {{scene}}" in page
    assert "ours &lt;1&gt;" in page
    assert not re.findall(r"(?:src|href)=\"(?!data:)", page) and "http" not in page.replace("http-equiv", "")
    scene = json.loads(re.search(r'id="scene">(.*?)</script>', page, re.S)[1])
    quads = np.frombuffer(base64.b64decode(scene["quads"]), np.uint8).reshape(-1, 8)
    points = np.frombuffer(base64.b64decode(scene["points"]), "<i2").reshape(-1, 3)
    assert len(quads) > 6 and (points[:, 0] == 1000).all()


def test_nothing_is_overwritten_and_nothing_else_is_written_then(tmp_path):
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(UsageError, match="report.html: exists already"):
        write_results(completion(), IMAGE, tmp_path, open3d=False)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_without_semantics_cells_are_coloured_by_height_and_called_other_object(tmp_path):
    write_results(completion(semantics=False), IMAGE, tmp_path, open3d=False)
    assert sorted(read_raw_labels(tmp_path / "voxels.label").unique().tolist()) == [0, 99]
    assert not (tmp_path / "labels.png").exists()
    assert "height -2.0 m" in (tmp_path / "report.html").read_text()


def test_another_grid_has_no_label_files_but_all_else(tmp_path):
    small = VoxelFrame(origin=(0.0, -2.0, -1.0), size=0.5, shape=(12, 8, 6))
    names = {p.name for p in write_results(completion(small), IMAGE, tmp_path, open3d=False)}
    assert "voxels.label" not in names and {"voxels.glb", "report.html"} <= names


def test_depth_alone_makes_a_report_of_points(tmp_path):
    flat = DepthPrediction(depth=torch.full((2, 16, 24), 5.0), K=K.expand(2, 3, 3), is_metric=False)
    names = [p.name for p in write_results(flat, IMAGE, tmp_path, index=1)]
    assert names == ["depth.png", "depth_colour.png", "points.ply", "report.html"]
    assert "known up to scale" in (tmp_path / "report.html").read_text()


def test_a_picture_that_cannot_be_drawn_is_left_out_and_said(tmp_path, monkeypatch, caplog):
    def missing(*_, **__):
        raise MissingExtraError("Open3D is not installed", hint="pip install it")

    monkeypatch.setattr(viewer, "draw_mesh", missing)
    small = VoxelFrame(origin=(0.0, -2.0, -1.0), size=0.5, shape=(12, 8, 6))
    names = [p.name for p in write_results(completion(small), IMAGE, tmp_path)]
    assert "open3d.png" not in names and "voxels.png" in names
    assert "open3d.png left out: Open3D is not installed" in caplog.text


def test_pictures_are_pngs(folder):
    for name in ("depth_colour.png", "features.png", "labels.png", "voxels.png"):
        with Image.open(folder / name) as picture:
            picture.load()
            assert picture.mode == "RGB"
