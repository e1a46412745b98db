"""The main job from a shell: make data, check it, train, resume, evaluate, predict, show, demonstrate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene3d.cli import main
from scene3d.config import load_yaml
from scene3d.data.images import read_depth
from scene3d.visualise import results
from tests.data.small_trees import write_cityscapes
from tests.tiny import CONFIGS, SIZE, SMALLER

TINY = str(CONFIGS / "tiny" / "scene_completion.yaml")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """What a command that must succeed prints."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    assert code == 0, captured.err
    return captured.out


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short streets, written by the command."""
    root = tmp_path_factory.mktemp("data") / "streets"
    words = ["--streets", 2, "--frames", 4, "--size", *SIZE, "--fisheye", 0, "--workers", 1]
    assert main([str(word) for word in ["data", "make-street", root, *words]]) == 0
    return root


@pytest.fixture(scope="module")
def recipe(streets: Path) -> list[str]:
    """The words that make the tiny recipe train two steps on those streets."""
    settings = [
        *SMALLER,
        f"data.root={streets}",
        "data.val=[2013_05_28_drive_0001_sync]",
        "data.snippets.cache=none",
        "train.steps=2",
        "evaluate.ranges=[12.8]",
    ]
    return [TINY, *(word for setting in settings for word in ("--set", setting))]


def test_a_street_that_was_made_is_there_and_is_not_made_over(capsys, streets: Path):
    images = streets / "data_2d_raw" / "2013_05_28_drive_0001_sync" / "image_00" / "data_rect"
    assert len(list(images.glob("*.png"))) == 4
    with Image.open(next(images.glob("*.png"))) as image:
        assert (image.height, image.width) == SIZE
    words = ["data", "make-street", streets, "--streets", 1, "--frames", 4, "--size", *SIZE, "--fisheye", 0]
    assert main([str(word) for word in words]) == 3
    assert "--overwrite" in capsys.readouterr().err


def test_check_says_nothing_of_good_data_and_a_line_a_problem_of_bad(capsys, streets: Path, tmp_path: Path):
    drive = tmp_path / "images"
    drive.mkdir()
    Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(drive / "0.png")
    (drive / "1.png").write_bytes((drive / "0.png").read_bytes()[:40])
    K = [[8, 0, 4], [0, 8, 4], [0, 0, 1]]
    images = [{"file": "0.png", "K": K}]
    (drive / "scene.json").write_text(json.dumps({"images": images}))
    assert "no problems" in run(capsys, "data", "check", drive)
    images.append({"file": "1.png", "K": K})
    (drive / "scene.json").write_text(json.dumps({"images": images}))
    assert main(["data", "check", str(drive)]) == 3
    printed = capsys.readouterr().out.splitlines()
    assert "1.png" in printed[0] and printed[-1].endswith(": 1 problem")


def test_a_dry_run_prints_the_resolved_recipe_and_writes_nothing(capsys, recipe: list[str], tmp_path: Path):
    printed = run(capsys, "train", *recipe, "--out", tmp_path / "run", "--dry-run")
    (tmp_path / "resolved.yaml").write_text(printed)
    assert load_yaml(tmp_path / "resolved.yaml")["train"]["steps"] == 2
    assert not (tmp_path / "run").exists()


def test_matched_views_are_hints_for_training(capsys, recipe: list[str], tmp_path: Path):
    assert main(["data", "match", *recipe]) == 2
    assert "data.snippets.hints: expected a folder" in capsys.readouterr().err
    hints = tmp_path / "hints"
    words = [*recipe, "--set", f"data.snippets.hints={hints}"]
    assert main(["train", *words, "--out", str(tmp_path / "run")]) == 3
    assert "scene3d data match" in capsys.readouterr().err
    assert "8 depth images written" in run(capsys, "data", "match", *words, "--workers", 1)
    assert "0 depth images written" in run(capsys, "data", "match", *words, "--workers", 1)
    depth = read_depth(hints / "2013_05_28_drive_0000_sync" / "left" / "0000000001.png")
    assert depth.shape == SIZE and (depth > 0).float().mean() > 0.05
    run(capsys, "train", *words, "--out", tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["terms"]["hint"] > 0


def test_train_resume_evaluate_predict_and_show(capsys, recipe: list[str], tmp_path: Path, photo: Path):
    out = tmp_path / "run"
    printed = run(capsys, "train", *recipe, "--out", out, "--max-minutes", 1e-6).splitlines()
    assert printed[0] == f"run: {out}" and printed[-1].startswith("next: scene3d evaluate")
    assert main(["train", *recipe, "--set", "train.steps=3", "--out", str(out)]) == 2
    assert "another recipe" in capsys.readouterr().err
    run(capsys, "train", *recipe, "--out", out)
    assert sorted(path.name for path in (out / "checkpoints").iterdir()) == ["step_00000001.ckpt", "step_00000002.ckpt"]

    table = run(capsys, "evaluate", out)
    assert "abs_rel" in table and "mean grid" in table and "street exact" in table
    assert json.loads((out / "evaluation_val.json").read_text())["split"] == "val"

    found = tmp_path / "results"
    files = run(capsys, "predict", out, photo, "--out", found, "--no-open3d").split()
    assert all(Path(file).stat().st_size for file in files)
    assert {"depth.png", "points.ply", "voxels.label", "voxels.glb", "report.html"} <= {Path(f).name for f in files}
    assert read_depth(found / "depth.png").shape == SIZE
    assert "assumed to be that of the training images" in (found / "report.html").read_text()

    picture = tmp_path / "picture.png"
    assert str(picture) in run(capsys, "show", found / "points.ply", "--screenshot", picture)
    with Image.open(picture) as image:
        assert len(np.unique(np.asarray(image).reshape(-1, 3), axis=0)) > 10


def test_predict_takes_every_second_image_of_a_folder_and_frame_of_a_video(capsys, tmp_path: Path, tiny_weights: Path):
    av = pytest.importorskip("av", reason="PyAV, of the extra `video`, is not installed")
    folder, video = tmp_path / "images", tmp_path / "drive.mp4"
    folder.mkdir()
    with av.open(str(video), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 208, 64
        for number in range(2):
            pixels = np.full((64, 208, 3), 60 * number, dtype=np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.jpg")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    words = ["--every", 2, "--no-open3d"]
    run(capsys, "predict", tiny_weights, folder, "--out", tmp_path / "a", *words)
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["0", "predict.json"]
    run(capsys, "predict", tiny_weights, video, "--out", tmp_path / "b", *words)
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == ["000000", "predict.json"]


def test_a_folder_is_predicted_in_shards_and_gone_on_with(capsys, tmp_path: Path, tiny_weights: Path, monkeypatch):
    images, out = tmp_path / "images", tmp_path / "out"
    images.mkdir()
    for number in range(4):
        Image.fromarray(np.full((32, 104, 3), 60 * number, dtype=np.uint8)).save(images / f"{number}.png")
    words = ["predict", tiny_weights, images, "--out", out, "--no-open3d"]

    def folders() -> list[str]:
        return sorted(path.name for path in out.iterdir() if path.is_dir())

    run(capsys, *words, "--shard", "2/2")
    assert folders() == ["1", "3"]
    first = {path: path.stat().st_mtime_ns for path in out.rglob("*.*") if path.parent != out}
    # A process that is killed half-way through an image leaves nothing of it.
    write = results.write_results
    monkeypatch.setattr(results, "write_results", lambda *given, **more: (write(*given, **more), 1 / 0))
    assert main([str(word) for word in [*words, "--shard", "1/2"]]) == 1
    capsys.readouterr()
    assert folders() == ["1", "3"]
    monkeypatch.undo()
    printed = run(capsys, *words).splitlines()
    assert folders() == ["0", "1", "2", "3"] and {Path(line).parent.name for line in printed} == {"0", "2"}
    assert all(path.stat().st_mtime_ns == time for path, time in first.items())
    assert run(capsys, *words) == ""
    # Results of another camera do not join them.
    assert main([str(word) for word in [*words, "--K", 50, 50, 52, 16]]) == 2
    assert "holds results of other settings: K: None != [50" in capsys.readouterr().err
    assert main(
        [str(word) for word in ["predict", tiny_weights, images / "0.png", "--out", out / "x", "--shard", "1/2"]]
    )
    assert "is one image" in capsys.readouterr().err


def test_weights_may_be_scored_on_the_data_of_another_file(capsys, tmp_path: Path, tiny_weights: Path):
    write_cityscapes(tmp_path / "cityscapes", split="val", city="lindau")
    snippets = "{height: 32, width: 104, views: [{sensor: left}], need: [depth], depth: file}"
    (tmp_path / "data.yaml").write_text(
        f"data: {{kind: cityscapes, root: elsewhere, train: [], val: [lindau], snippets: {snippets}}}"
    )
    words = ["evaluate", tiny_weights, "--data", tmp_path / "data.yaml", "--out", tmp_path / "report.json"]
    assert main([str(word) for word in words]) == 3
    assert str(tmp_path / "elsewhere") in capsys.readouterr().err
    printed = run(capsys, *words, "--set", f"data.root={tmp_path / 'cityscapes'}")
    assert "### depth" in printed and "No training data given" in printed
    (tmp_path / "data.yaml").write_text("method: {}")
    assert main([str(word) for word in [*words, "--overwrite"]]) == 2
    assert "data.yaml: data: expected what to read, got nothing" in capsys.readouterr().err


def test_the_demo_prints_every_file_and_the_figures(capsys, tmp_path: Path, tiny_weights: Path, photo: Path):
    words = ["--weights", tiny_weights, "--image", photo, "--no-open3d"]
    printed = run(capsys, "demo", "--out", tmp_path / "demo", *words).splitlines()
    there = {str(path) for path in (tmp_path / "demo").rglob("*") if path.is_file()}
    assert there == {line for line in printed if line.startswith(str(tmp_path / "demo"))}
    assert {Path(path).parent.name for path in there} == {"street", "photo"}
    assert any(line.startswith("depth, ours: abs_rel") for line in printed)
    assert any(line.startswith("completion, solid without ground") for line in printed)
    assert printed[-1].startswith(f"{len(there)} files in ")
