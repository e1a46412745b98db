from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scene3d.data.lens import view_through
from scene3d.data.triangulation import TriangulationConfig, triangulate
from scene3d.data.views import pixels_on_disk, view_camera
from scene3d.errors import DataError, MissingExtraError
from scene3d.geometry.camera import project
from scene3d.geometry.fisheye import unproject_fisheye
from scene3d.geometry.se3 import invert, transform
from tests.objects.table import CENTRE, RADIUS, photograph_table

CONFIG = TriangulationConfig(threads=1)


@pytest.fixture
def _needs_pycolmap() -> None:
    pytest.importorskip("pycolmap", reason="triangulation needs pycolmap, which is not installed here")


@pytest.mark.slow
@pytest.mark.usefixtures("_needs_pycolmap")
def test_points_lie_on_what_is_photographed_and_no_camera_moves(tmp_path: Path):
    scene = photograph_table(tmp_path, views=10).scene
    sparse = triangulate(scene, CONFIG)
    seen = sparse.track_start.diff()
    assert len(sparse.points) > 150 and seen.min() >= 2 and sparse.track_shot.max() < 10
    points = sparse.points[seen >= 3]
    on_ball, on_table = ((points - CENTRE).norm(dim=1) - RADIUS).abs(), points[:, 2].abs()
    assert torch.minimum(on_ball, on_table).median() < 0.01
    # With the cameras as they were given, every observation lies where its point projects.
    owner = torch.repeat_interleave(torch.arange(len(seen)), seen)
    for place, shot in enumerate(scene.shots):
        own = sparse.track_shot == place
        points_cam = transform(invert(shot.cam_to_world), sparse.points[owner[own]])
        expected = project(points_cam, shot.camera.K.double())[0]
        assert (expected - sparse.track_pixel[own]).norm(dim=1).amax() < 4.1


def test_pixels_of_a_bent_image_are_told_as_they_lie_on_disk(tmp_path: Path):
    shot = photograph_table(tmp_path, views=1).scene.shots[0]
    pixels = torch.tensor([[20.0, 30], [80, 60], [140, 100]], dtype=torch.float64)
    assert torch.equal(pixels_on_disk(shot, pixels), pixels)
    camera, virtual = view_through(shot.camera.K.double(), 120, 160, (0.1, -0.05, 0.01, 0.02))
    bent = replace(shot, camera=camera, virtual=virtual)
    on_disk = pixels_on_disk(bent, pixels)
    assert (on_disk - pixels).norm(dim=1).amax() > 0.1
    rays, _ = unproject_fisheye(on_disk, camera)
    torch.testing.assert_close(project(rays, view_camera(bent, 120, 160).K)[0], pixels, atol=0.02, rtol=0)


def test_shots_that_cannot_be_triangulated_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    scene = photograph_table(tmp_path, views=3).scene
    lost = replace(scene.shots[1], cam_to_world=None)
    with pytest.raises(DataError, match=r"001\.png: expected a known camera transform, got none"):
        triangulate(replace(scene, shots=(scene.shots[0], lost)), CONFIG)
    with pytest.raises(DataError, match="table: expected cameras in different places"):
        triangulate(replace(scene, shots=scene.shots[:1]), CONFIG)
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(MissingExtraError, match=r"scene3d\[sfm\]"):
        triangulate(scene, replace_angle(180.0))


def replace_angle(degrees: float) -> TriangulationConfig:
    """Cameras that look from all sides are compared."""
    return TriangulationConfig(threads=1, matching={"angle": degrees})
