from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from scipy.io import savemat

from scene3d.cli import main
from tests.data.photograph_trees import CENTRE, write_neus
from tests.data.test_observed_files import write_observed


def a_plate(path: Path, *, z: float, x: float = 0.0) -> str:
    """A square of 4 x 4 about (x, 0, z), in triangles of half a unit."""
    line = np.arange(-2, 2.1, 0.5)
    places = np.stack([*np.meshgrid(line + x, line), np.full((9, 9), z)], axis=-1).reshape(-1, 3)
    corner = (np.arange(8)[:, None] * 9 + np.arange(8)).ravel()
    faces = [np.stack([corner + i for i in triangle], axis=1) for triangle in ((0, 1, 9), (1, 10, 9))]
    trimesh.Trimesh(places, np.concatenate(faces), process=False).export(path)
    return str(path)


def figures(out: Path) -> dict[str, float]:
    (table,) = json.loads(out.read_text())["tables"]
    (row,) = table["rows"].values()
    return dict(zip(table["columns"], row, strict=True)) | {"note": table["note"]}


def test_two_files_are_compared_by_a_named_protocol(capsys, tmp_path: Path):
    files = [a_plate(tmp_path / "found.ply", z=0.25), a_plate(tmp_path / "true.ply", z=0.0)]
    out = tmp_path / "scores.json"
    assert main(["surface", *files, "--protocol", "vertices", "--threshold", "0.3", "--out", str(out)]) == 0
    assert "vertices as they are; right within 0.3" in capsys.readouterr().out
    found = figures(out)
    assert (found["Chamfer"], found["F-score"]) == (0.25, 1.0)
    # A quarter of the threshold apart.
    assert main(["surface", *files, "--threshold", "0.3", "--out", str(out), "--overwrite"]) == 0
    assert figures(out)["note"].startswith("sampled, points 0.075 apart")
    assert figures(out)["Chamfer"] == pytest.approx(0.25, abs=0.01)
    assert main(["surface", *files, "--out", str(out)]) == 2


def test_only_the_observed_volume_is_judged(tmp_path: Path):
    # A cell of 2 about (-1, 0, 0) is observed, and all is above the table. One plate is right, one far off beside it.
    files = [a_plate(tmp_path / "near.ply", z=0.25), a_plate(tmp_path / "far.ply", z=9.0, x=9.0)]
    plates = [trimesh.load(file, process=False) for file in files]
    trimesh.util.concatenate(plates).export(tmp_path / "found.ply")
    words = ["surface", str(tmp_path / "found.ply"), a_plate(tmp_path / "true.ply", z=0.0)]
    words += ["--protocol", "vertices", "--threshold", "0.3", "--out", str(tmp_path / "scores.json"), "--overwrite"]
    box = np.array([[-1.0, 0, 0], [1, 0, 0]])
    observed = write_observed(tmp_path, BB=box)
    savemat(tmp_path / "Plane5.mat", {"P": np.array([0.0, 0, 1, 5])})
    assert main(words) == 0
    assert figures(tmp_path / "scores.json")["precision"] == 0.5
    assert main([*words, "--observed", str(observed)]) == 0
    found = figures(tmp_path / "scores.json")
    assert found["precision"] == 1.0 and found["accuracy"] == 0.25
    assert "in the volume of ObsMask5_10.mat" in found["note"]


def a_ball(radius: float, up: float = 0.0) -> trimesh.Trimesh:
    """About where the cameras of `photograph_trees` look, or above it."""
    ball = trimesh.creation.icosphere(subdivisions=3, radius=radius)
    ball.vertices += CENTRE.numpy() + np.array([0, 0, up])
    return ball


@pytest.mark.parametrize(
    ("right", "wrong", "cut"),
    [
        # The masks show six of the twelve rows, and 0.19 is a pixel wide: the wrong ball is in the first two.
        (a_ball(0.5), a_ball(0.1, up=1.0), ["--dilation", "1"]),
        # The wrong one lies within the right one, where no camera sees it.
        (a_ball(1.0), a_ball(0.1), ["--seen", "1"]),
    ],
)
def test_photographs_that_a_mesh_was_made_of_cut_it_first(
    tmp_path: Path, right: trimesh.Trimesh, wrong: trimesh.Trimesh, cut: list[str]
):
    folder = write_neus(tmp_path / "case", images=4)
    trimesh.util.concatenate([right, wrong]).export(tmp_path / "found.ply")
    right.export(tmp_path / "true.ply")
    words = ["surface", str(tmp_path / "found.ply"), str(tmp_path / "true.ply"), "--protocol", "vertices"]
    words += ["--threshold", "0.01", "--out", str(tmp_path / "scores.json"), "--overwrite"]

    def judged(*more: str) -> float:
        assert main([*words, *more]) == 0
        return figures(tmp_path / "scores.json")["precision"]

    assert judged() == 0.5
    assert judged("--cameras", str(folder), *cut) == 1.0
    assert judged("--parts", "largest") == 1.0


def test_what_does_not_go_together_is_one_line(capsys, tmp_path: Path):
    files = [a_plate(tmp_path / "found.ply", z=0.25), a_plate(tmp_path / "true.ply", z=0.0)]
    trimesh.PointCloud(torch.rand(50, 3).numpy()).export(tmp_path / "points.ply")
    folder = write_neus(tmp_path / "case", masks=False)
    for words, code, said in (
        (["--dilation", "2"], 2, "--cameras: expected with --dilation or --seen"),
        (["--cameras", str(folder)], 2, "--cameras: expected with --dilation or --seen"),
        (["--cameras", str(folder), "--dilation", "2"], 3, "expected an image with a mask, got one without"),
        (["--cameras", str(tmp_path / "none"), "--seen", "1"], 3, "none: expected"),
        (["--cameras", str(folder), "--seen", "0"], 2, "seen"),
        (["--observed", str(tmp_path / "ObsMask1_10.mat")], 3, "ObsMask1_10.mat: expected a MATLAB file"),
    ):
        assert main(["surface", *files, *words]) == code, words
        printed = capsys.readouterr().err
        assert said in printed and printed.count("\n") == 1
    points = ["surface", str(tmp_path / "points.ply"), files[1], "--cameras", str(folder), "--seen", "1"]
    assert main(points) == 2
    assert "points: expected a mesh to cut" in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path), "--seen", "1"]) == 2
    assert "--seen: expected with --mesh, got none" in capsys.readouterr().err
