from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scene3d.data.middlebury import read_middlebury
from scene3d.errors import DataError
from scene3d.geometry.camera import inside, project
from scene3d.geometry.se3 import invert, transform
from tests.data.epipolar import epipolar_offsets
from tests.data.photograph_trees import K, orbit, write_middlebury


def test_convention_middlebury_centres_lie_at_integers_and_its_transforms_lead_to_the_camera(tmp_path: Path):
    (scene,) = read_middlebury(write_middlebury(tmp_path / "toy"))
    assert scene.name == "toy" and len(scene.shots) == 3
    for i, shot in enumerate(scene.shots):
        torch.testing.assert_close(shot.camera.K, K)
        torch.testing.assert_close(shot.cam_to_world, orbit(i))


def test_the_box_is_that_of_the_readme(tmp_path: Path):
    folder = write_middlebury(tmp_path)
    expected = torch.tensor([[0.5, 1.5, -2.0], [1.5, 2.5, 4.0]], dtype=torch.float64)
    assert torch.equal(read_middlebury(folder)[0].bounds, expected)
    (folder / "README.txt").write_text("no box (at all)")
    assert read_middlebury(folder)[0].bounds is None
    (folder / "README.txt").write_text("(1 1 1)\n(0 2 2)")
    with pytest.raises(DataError, match="the lower corner of the box, then the upper one"):
        read_middlebury(folder)
    (folder / "README.txt").unlink()
    assert read_middlebury(folder)[0].bounds is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("3\n", "4\n", "the number of images on line 1, then that many lines, got 4"),
        ("toy0001.png 20 ", "toy0001.png ", "a file and 21 finite numbers on line 3"),
        ("toy0001.png 20 ", "toy0001.png nan ", "a file and 21 finite numbers on line 3"),
        ("toy0001.png 20 ", "toy0001.png f ", "a file and 21 finite numbers on line 3"),
        ("toy0001.png 20 ", "toy0001.png -20 ", "a camera matrix K on line 3"),
        ("toy0001.png 20 ", "toy0007.png 20 ", r"toy0007\.png: expected a PNG or JPEG image, got no such file"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, old: str, new: str, message: str):
    path = write_middlebury(tmp_path) / "toy_par.txt"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(DataError, match=message):
        read_middlebury(tmp_path)


def test_a_rotation_that_is_none_is_named_by_its_line(tmp_path: Path):
    path = write_middlebury(tmp_path) / "toy_par.txt"
    lines = path.read_text().splitlines()
    words = lines[2].split()
    words[10:13] = ["2", "0", "0"]
    path.write_text("\n".join([*lines[:2], " ".join(words), *lines[3:]]))
    with pytest.raises(DataError, match="an orthonormal rotation in line 3"):
        read_middlebury(tmp_path)


def test_cameras_of_the_temple_agree_with_its_images_and_box(shared_data: Path):
    (scene,) = read_middlebury(shared_data / "middlebury_templeRing")
    assert len(scene.shots) == 47
    offsets = epipolar_offsets(scene.shots[20], scene.shots[21], 0.4, 0.8)
    assert len(offsets) > 20 and offsets.abs().median() <= 0.5
    corners = torch.cartesian_prod(*scene.bounds.unbind(dim=1))
    for shot in scene.shots:
        pixels, depth = project(transform(invert(shot.cam_to_world), corners), shot.camera.K)
        assert inside(pixels, depth, shot.camera.height, shot.camera.width).all()
