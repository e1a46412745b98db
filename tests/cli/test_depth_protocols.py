"""Depth as papers score it, from a shell: a raw tree, a list of test frames, prepared truth, and the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scene3d.cli import main
from scene3d.data.images import image_size
from tests.tiny import CONFIGS

RECIPE = """
extends: {parent}
data:
  kind: kitti_raw
  root: raw
  train: [2011_09_26_drive_0000_sync]
  lists: {{test: test.txt}}
  snippets: {{height: 32, width: 104, views: [{{sensor: left}}, {{sensor: right}}]}}
  scoring: {{height: 32, width: 104}}
method: {{samples: 8, patches: 4}}
train: {{steps: 2}}
evaluate: {{crop: true}}
"""


def run(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that must succeed prints."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two streets as KITTI raw, a test list of the second one in the papers' form, and a trained run."""
    folder = tmp_path_factory.mktemp("depth")
    words = ["--streets", 2, "--frames", 4, "--size", 96, 312, "--layout", "kitti-raw", "--workers", 1]
    assert main([str(word) for word in ["data", "make-street", folder / "raw", *words]]) == 0
    lines = [f"2011_09_26/2011_09_26_drive_0001_sync {frame:010d} l" for frame in (1, 2)]
    (folder / "test.txt").write_text("\n".join(lines))
    (folder / "recipe.yaml").write_text(RECIPE.format(parent=CONFIGS / "tiny" / "scene_completion.yaml"))
    assert main(["train", str(folder / "recipe.yaml"), "--out", str(folder / "run")]) == 0
    return folder


@pytest.mark.parametrize("protocol", ["eigen", "eigen as published", "eigen improved"])
def test_a_raw_tree_is_scored_by_the_protocols_of_papers(capsys, folder: Path, tmp_path: Path, protocol: str):
    out = tmp_path / "report.json"
    words = ["evaluate", folder / "run", "--split", "test", "--out", out, "--set", f"evaluate.depth={protocol}"]
    printed = run(capsys, *words)
    assert f"{protocol} (2 images)" in printed
    # Two images of a street are not KITTI's test list.
    assert "published:" not in printed
    said = json.loads(out.read_text())["provenance"]
    assert said["depth protocol"] == protocol and said["images"] == "PNG"
    assert said["split list"].startswith("test.txt, 2 samples, sha256 ")
    assert said["split list"].split()[-1] == said["samples"].split()[-1]


def test_prepared_truth_gives_the_figures_of_the_scans(capsys, folder: Path, tmp_path: Path):
    change = ["--set", "evaluate.depth=eigen", "--set", f"data.scoring.truth_folder={tmp_path / 'truth'}"]
    assert "2 depth images written" in run(capsys, "data", "depth-truth", folder / "recipe.yaml", *change)
    image = tmp_path / "truth" / "scan" / "2011_09_26_drive_0001_sync" / "left" / "0000000001.png"
    assert image_size(image) == (96, 312)
    figures = []
    for name, words in {"scans": change[:2], "prepared": change}.items():
        out = tmp_path / f"{name}.json"
        run(capsys, "evaluate", folder / "run", "--split", "test", "--out", out, *words)
        figures.append(json.loads(out.read_text())["tables"][0]["rows"]["ours"])
    # Prepared depth is rounded to 1/256 m.
    assert figures[0] == pytest.approx(figures[1], abs=2e-3)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("train.steps=3", "expected a key of data or evaluate"),
        ("evaluate.depth=eigne", "did you mean 'eigen'?"),
        ("data.lists.val=test.txt", "val and test share 2 frames"),
    ],
)
def test_a_change_that_cannot_be_is_one_line(capsys, folder: Path, monkeypatch, change: str, said: str):
    monkeypatch.chdir(folder)
    words = ["evaluate", folder / "run", "--split", "test", "--overwrite", "--set", change]
    assert main([str(word) for word in words]) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1


def test_truth_is_not_prepared_for_what_needs_none(capsys, folder: Path):
    assert main(["data", "depth-truth", str(folder / "recipe.yaml")]) == 2
    assert 'evaluate.depth: "network size" scores against the frames' in capsys.readouterr().err
