from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch

from scene3d.cli import main
from scene3d.data.check import check_data
from scene3d.data.from_images import register_photographs
from scene3d.data.normalisation import normalise
from scene3d.data.posed_images import read_posed_images
from scene3d.data.transforms_json import read_transforms_json
from scene3d.errors import DataError, MissingExtraError, UsageError
from scene3d.geometry.alignment import umeyama
from tests.data.photograph_trees import photograph


@pytest.fixture
def _needs_pycolmap() -> None:
    pytest.importorskip("pycolmap", reason="structure from motion needs pycolmap, which is not installed here")


def test_folders_that_say_nothing_are_refused_before_anything_is_made(tmp_path: Path):
    with pytest.raises(DataError, match=r"photographs: expected 3 photographs .* got no such folder"):
        register_photographs(tmp_path / "photographs", tmp_path / "out")
    for i in range(2):
        photograph(tmp_path / "photographs" / f"{i}.png")
    with pytest.raises(DataError, match=r"expected 3 photographs \(PNG or JPEG\) or more, got 2"):
        register_photographs(tmp_path / "photographs", tmp_path / "out")
    (tmp_path / "photographs" / "2.jpg").write_bytes(b"oops")
    with pytest.raises(DataError, match=r"2\.jpg: expected a PNG or JPEG image"):
        register_photographs(tmp_path / "photographs", tmp_path / "out")
    with pytest.raises(UsageError, match="expected a folder that is not there yet"):
        register_photographs(tmp_path / "photographs", tmp_path)
    assert not (tmp_path / "out").exists()


def test_without_pycolmap_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for i in range(3):
        photograph(tmp_path / "photographs" / f"{i}.png")
    monkeypatch.setitem(sys.modules, "pycolmap", None)
    with pytest.raises(MissingExtraError, match=r"scene3d\[sfm\]"):
        register_photographs(tmp_path / "photographs", tmp_path / "out")


@pytest.mark.usefixtures("_needs_pycolmap")
def test_photographs_of_nothing_end_in_one_line_and_leave_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    for i in range(3):
        photograph(tmp_path / "photographs" / f"{i}.png", 60 + i)
    words = ["data", "from-images", tmp_path / "photographs", "--out", tmp_path / "out", "--threads", 1]
    assert main([str(word) for word in words]) == 3
    (line,) = capfd.readouterr().err.splitlines()
    assert "expected photographs that show the same things, got none of 3 registered" in line
    assert sorted(path.name for path in tmp_path.iterdir()) == ["photographs"]


@pytest.mark.slow
@pytest.mark.usefixtures("_needs_pycolmap")
def test_the_fox_is_found_where_its_makers_found_it(tmp_path: Path, shared_data: Path, capfd):
    (true,) = read_transforms_json(shared_data / "ngp_fox_quarter")
    (tmp_path / "photographs").mkdir()
    chosen = {shot.image.name: shot for shot in sorted(true.shots, key=lambda shot: shot.image.name)[:12]}
    for shot in chosen.values():
        shutil.copy(shot.image, tmp_path / "photographs")
    words = ["data", "from-images", tmp_path / "photographs", "--out", tmp_path / "fox", "--threads", 1]
    assert main([str(word) for word in words]) == 0
    assert "of 12 photographs registered" in capfd.readouterr().out
    (scene,) = read_posed_images(tmp_path / "fox")
    assert len(scene.shots) >= 10 and len(scene.sparse.points) > 300
    found = torch.stack([shot.cam_to_world[:3, 3] for shot in scene.shots])
    truth = torch.stack([chosen[shot.image.name].cam_to_world[:3, 3] for shot in scene.shots])
    scale, found_to_true = umeyama(found, truth, with_scale=True)
    apart = (scale * found @ found_to_true[:3, :3].mT + found_to_true[:3, 3] - truth).norm(dim=1)
    spread = (truth - truth.mean(dim=0)).norm(dim=1).mean()
    assert apart.median() < 0.05 * spread
    assert normalise(scene).radius > 0 and check_data(tmp_path / "fox", workers=1) == []
