from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scene3d.data.flip import flip
from scene3d.data.loading import KittiOdometryData
from scene3d.data.truth_folder import fill_truth_folder
from scene3d.errors import ConfigError, DataError
from tests.data.small_trees import HEIGHT, WIDTH, write_odometry


def config(tmp_path: Path, *, folder: bool = True) -> KittiOdometryData:
    if not (tmp_path / "tree").exists():
        write_odometry(tmp_path / "tree")
    scoring = {"height": HEIGHT // 2, "width": WIDTH // 2, "truth_folder": tmp_path / "truth" if folder else None}
    return KittiOdometryData.model_validate({"root": tmp_path / "tree", "test": ("00",), "scoring": scoring})


def test_prepared_truth_stands_in_for_the_scans(tmp_path: Path):
    told = []
    folder, written = fill_truth_folder(config(tmp_path), "test", "scan", lambda *step: told.append(step))
    assert (folder, written) == (tmp_path / "truth", 3)  # frames 0, 2 and 4 have scans
    assert told[-1] == ("preparing true depth", 3, 3)
    measured = config(tmp_path, folder=False).build("test", truth="scan")
    for scan in (tmp_path / "tree").rglob("*.bin"):
        scan.unlink()
    prepared = config(tmp_path).build("test", truth="scan")
    assert len(prepared) == 3
    # A view of half the size, and the truth of the image as it is.
    assert prepared[0].image.shape[-2:] == (HEIGHT // 2, WIDTH // 2)
    assert prepared[0].truth.shape == (1, HEIGHT, WIDTH)
    assert prepared[0].truth.max() == 4.0
    with pytest.raises(DataError, match="expected a velodyne scan"):
        _ = measured[0]


def test_what_is_there_is_not_made_again(tmp_path: Path):
    assert fill_truth_folder(config(tmp_path), "test", "scan")[1] == 3
    assert fill_truth_folder(config(tmp_path), "test", "scan")[1] == 0
    # Each kind has a folder of its own.
    assert fill_truth_folder(config(tmp_path), "test", "file")[1] == 5
    assert sorted(path.name for path in (tmp_path / "truth").iterdir()) == ["file", "scan"]


def test_truth_that_was_not_prepared_is_no_sample(tmp_path: Path):
    (tmp_path / "truth").mkdir()
    with pytest.raises(DataError, match="no sample: .* with true depth from its scan"):
        config(tmp_path).build("test", truth="scan")


def test_truth_needs_a_folder_to_go_to(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"data.scoring.truth_folder: expected a folder"):
        fill_truth_folder(config(tmp_path, folder=False), "test", "scan")


def test_mirroring_a_sample_mirrors_its_truth(tmp_path: Path):
    frames = config(tmp_path, folder=False).build("test", truth="scan")[0]
    assert torch.equal(flip(frames).truth, frames.truth.flip(-1))
