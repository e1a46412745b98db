"""The examples run as they stand, are short, and use only what is public."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tiny import write_tiny_weights

FOLDER = Path(__file__).resolve().parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


def run(name: str, *words: object) -> str:
    """What an example prints."""
    command = [sys.executable, str(FOLDER / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short_and_uses_only_public_names(path: Path):
    text = path.read_text()
    assert len(text.splitlines()) <= 60
    assert not re.findall(r"\b(?:import|from scene3d\S*) .*\b_\w+|\w\._(?!_)\w+\(", text.replace("self._", "self."))


def test_a_street_is_completed(tmp_path: Path):
    weights = write_tiny_weights(tmp_path / "tiny.safetensors")
    printed = run("complete_a_street.py", weights, tmp_path / "out")
    assert re.search(r"abs_rel \d\.\d{3}", printed) and re.search(r"IoU 0\.\d{3}", printed)
    assert (tmp_path / "out" / "report.html").is_file()


def test_a_drive_becomes_a_cloud(tmp_path: Path):
    # With the packaged weights: of what an untrained network says, neighbouring frames believe nothing.
    printed = run("depth_from_a_drive.py", "street", tmp_path)
    points, metres = re.search(r"(\d+) points along ([\d.]+) m", printed).groups()
    assert int(points) > 10_000 and 2 < float(metres) < 5  # three steps of about a metre
    assert len((tmp_path / "poses_kitti.txt").read_text().splitlines()) == 4
    assert (tmp_path / "cloud.ply").is_file() and (tmp_path / "cloud.png").is_file()


def test_a_ball_is_reconstructed(tmp_path: Path):
    printed = run("surface_from_photos.py", "", tmp_path, 40)
    assert "silhouette IoU" in printed
    assert (tmp_path / "mesh.ply").is_file() and (tmp_path / "report.html").is_file()


@pytest.mark.slow
def test_a_thing_on_a_table_finds_itself(tmp_path: Path):
    pytest.importorskip("pycolmap", reason="triangulation needs pycolmap, which is not installed here")
    pytest.importorskip("efficientnet_lite_pytorch", reason="the stand-in for DINO is not installed here")
    printed = run("find_the_object.py", "", tmp_path, 30)
    own, points = map(int, re.search(r"(\d+) of (\d+) points are the object's", printed).groups())
    assert 30 < own < points
    assert len(list((tmp_path / "masks").glob("*.png"))) == 12
    assert (tmp_path / "mesh.ply").is_file() and (tmp_path / "object" / "object.json").is_file()


def test_a_dataset_of_ones_own_is_trained_on(tmp_path: Path):
    printed = run("your_own_dataset.py", tmp_path / "drive", 2)
    assert "3 snippets, 2 steps" in printed
    assert (tmp_path / "drive" / "run" / "weights.safetensors").is_file()


def test_a_method_of_ones_own_learns(tmp_path: Path):
    assert "40 steps" in run("your_own_method.py", tmp_path / "run", 40)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    losses = [float(re.search(r'"loss": ([\d.]+)', line)[1]) for line in lines]
    assert losses[-1] < 0.8 * losses[0]


def test_a_few_labelled_pixels_name_the_clusters(tmp_path: Path):
    # With the packaged weights: an untrained network's clusters are of nothing.
    printed = run("name_the_clusters.py", "street", tmp_path / "out")
    assert float(re.search(r"another street: (0\.\d+) right", printed)[1]) > 0.4
    assert re.search(r"voxels of road: \d{3,}", printed) and "road: " in printed
    assert (tmp_path / "out" / "report.html").is_file()
