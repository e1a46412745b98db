from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch
import trimesh
from PIL import Image

from scene3d.errors import DataError, MissingExtraError, UsageError
from scene3d.geometry.camera import pinhole
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.solids import Mesh
from scene3d.visualise import offscreen_child
from scene3d.visualise.offscreen_child import Offscreen
from scene3d.visualise.viewer import camera_mesh, cameras_mesh, draw_mesh, show

FRAME = VoxelFrame(origin=(0.0, -1.0, -1.0), size=0.5, shape=(4, 4, 4))


def box() -> Mesh:
    made = trimesh.creation.box((2, 2, 2))
    return Mesh(
        vertices=torch.tensor(made.vertices).float(),
        faces=torch.tensor(made.faces),
        colours=torch.full((len(made.vertices), 3), 200, dtype=torch.uint8),
    )


def test_a_camera_is_eight_closed_bars_that_reach_its_corners():
    mesh = camera_mesh(pinhole(10.0, 20, 20), torch.eye(4), reach=2.0, bar=0.001)
    solid = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    assert solid.is_watertight and solid.volume > 0 and len(solid.split()) == 8
    # The corners of an image with half its width as focal length lie at 45 degrees.
    assert solid.bounds[1].tolist() == pytest.approx([2.0, 2.0, 2.0], abs=0.01)


def test_cameras_of_a_folder_of_posed_images_stand_where_its_json_says(tmp_path):
    Image.new("RGB", (20, 20)).save(tmp_path / "0.png")
    place = torch.eye(4)
    place[0, 3] = 10.0
    entry = {"file": "0.png", "fx": 10, "fy": 10, "cx": 10, "cy": 10}
    images = [{**entry, "cam_to_world": torch.eye(4).tolist()}, {**entry, "cam_to_world": place.tolist(), "frame": 5}]
    (tmp_path / "scene.json").write_text(json.dumps({"images": [*images, {**entry, "frame": 6}]}))
    mesh = cameras_mesh(tmp_path / "scene.json")
    # 45 degrees to either side: the first camera reaches to -1 m, the second to 11 m; the third has no place.
    assert mesh.vertices[:, 0].aminmax() == pytest.approx((-1.0, 11.0), abs=0.02)
    assert len(mesh.faces) == 2 * 8 * 12 and mesh.faces.max() == len(mesh.vertices) - 1
    (tmp_path / "scene.json").write_text(json.dumps({"images": [entry]}))
    with pytest.raises(DataError, match=r"scene.json.*cam_to_world"):
        cameras_mesh(tmp_path / "scene.json")


def test_open3d_draws_a_mesh_without_a_display(tmp_path):
    pytest.importorskip("open3d", reason="Open3D is not installed")
    try:
        draw_mesh(tmp_path / "box.png", box(), FRAME, Offscreen(), width=64, height=48)
    except MissingExtraError as error:
        pytest.skip(f"no off-screen rendering here: {error}")
    picture = Image.open(tmp_path / "box.png").convert("RGB")
    assert picture.size == (64, 48)
    assert picture.getpixel((0, 0)) != picture.getpixel((32, 24))


def test_a_renderer_that_dies_is_a_clear_error(tmp_path, monkeypatch):
    program = (
        "import os, sys; print('[Open3D INFO] starting\\nEGL_BAD_DISPLAY', file=sys.stderr, flush=True); os.abort()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    monkeypatch.setattr(offscreen_child, "is_there", lambda: True)
    monkeypatch.setattr(
        offscreen_child, "_start", lambda: subprocess.Popen([sys.executable, "-c", program], text=True, **pipes)
    )
    with pytest.raises(MissingExtraError, match=r"EGL_BAD_DISPLAY.*libegl1"):
        draw_mesh(tmp_path / "box.png", box(), FRAME, Offscreen())
    assert not list(tmp_path.iterdir())


def test_without_open3d_the_error_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"scene3d\[open3d\].*libusb"):
        draw_mesh(tmp_path / "box.png", box(), FRAME, Offscreen())


@pytest.mark.parametrize(("name", "content"), [("none.ply", None), ("notes.txt", "hello"), ("cut.label", "abc")])
def test_files_that_cannot_be_shown_are_named(tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=name):
        show([tmp_path / name], screenshot=tmp_path / "out.png")


def test_nothing_to_show_is_a_usage_error():
    with pytest.raises(UsageError, match="at least one"):
        show([])
