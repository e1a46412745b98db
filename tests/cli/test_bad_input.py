"""Whatever a user gives wrongly ends in one line that names it, and a code; nothing half-written stays."""

from __future__ import annotations

import pickle
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from scene3d.cli import main
from tests.tiny import CONFIGS

TINY = str(CONFIGS / "tiny" / "scene_completion.yaml")


def fails(capsys: pytest.CaptureFixture[str], code: int, *words: object) -> str:
    """The one line on stderr of a command that must fail with that code."""
    status = main([str(word) for word in words])
    captured = capsys.readouterr()
    lines = [line for line in captured.err.splitlines() if line.startswith("scene3d: error: ")]
    assert status == code, captured.err
    assert len(lines) == 1
    assert "Traceback" not in captured.err + captured.out
    return lines[0]


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:500])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def replaced_by_text(path: Path) -> None:
    path.write_text("not an image")


@pytest.mark.parametrize("spoil", [truncated, emptied, replaced_by_text, Path.unlink])
def test_a_damaged_photograph(capsys, tmp_path: Path, tiny_weights: Path, photo: Path, spoil):
    spoil(photo)
    line = fails(capsys, 3, "predict", tiny_weights, photo, "--out", tmp_path / "out")
    assert str(photo) in line and "expected" in line
    assert not (tmp_path / "out").exists()


def test_a_photograph_that_is_not_there_stops_the_demo_at_once(capsys, tmp_path: Path, tiny_weights: Path):
    line = fails(capsys, 3, "demo", "--weights", tiny_weights, "--image", tmp_path / "no.jpg", "--out", tmp_path / "o")
    assert "no.jpg" in line and "no such file" in line


def test_an_unknown_kind_of_file_and_an_empty_folder(capsys, tmp_path: Path, tiny_weights: Path):
    table = tmp_path / "table.csv"
    table.write_text("1,2")
    assert ".csv" in fails(capsys, 3, "predict", tiny_weights, table, "--out", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    assert "none" in fails(capsys, 3, "predict", tiny_weights, tmp_path / "empty", "--out", tmp_path / "out")


def test_a_broken_video(capsys, tmp_path: Path, tiny_weights: Path):
    video = tmp_path / "drive.mp4"
    video.write_bytes(b"\x00" * 2000)
    assert "drive.mp4" in fails(capsys, 3, "predict", tiny_weights, video, "--out", tmp_path / "out")


def test_a_K_of_another_size(capsys, tmp_path: Path, tiny_weights: Path, photo: Path):
    words = ["--K", 7000, 7000, 6000, 1800]
    line = fails(capsys, 2, "predict", tiny_weights, photo, "--out", tmp_path / "out", *words)
    assert "K: expected pixels of an image of 120 x 400" in line


def test_every_must_be_positive(capsys, tmp_path: Path, tiny_weights: Path, photo: Path):
    line = fails(capsys, 2, "predict", tiny_weights, photo, "--out", tmp_path / "o", "--every", 0)
    assert "--every: expected 1 or more, got 0" in line


def test_weights_with_one_flipped_byte(capsys, tmp_path: Path, tiny_weights: Path, photo: Path):
    content = bytearray(tiny_weights.read_bytes())
    content[-1000] ^= 1
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(content)
    line = fails(capsys, 3, "predict", damaged, photo, "--out", tmp_path / "out")
    assert "damaged.safetensors" in line and "sha256" in line


def test_a_pickle_in_place_of_weights_is_not_run(capsys, tmp_path: Path, photo: Path):
    trap, sprung = tmp_path / "trap.safetensors", tmp_path / "sprung"

    class Trap:
        def __reduce__(self):
            return Path.touch, (sprung,)

    trap.write_bytes(pickle.dumps(Trap()))
    assert "trap.safetensors" in fails(capsys, 3, "predict", trap, photo, "--out", tmp_path / "out")
    torch.save(Trap(), trap)
    assert "trap.safetensors" in fails(capsys, 3, "predict", trap, photo, "--out", tmp_path / "out")
    assert not sprung.exists()


@pytest.mark.parametrize(("name", "code"), [("stret", 2), ("runs/none", 3), ("none.safetensors", 3)])
def test_weights_that_are_not_there(capsys, tmp_path: Path, photo: Path, name: str, code: int):
    assert name in fails(capsys, code, "predict", name, photo, "--out", tmp_path / "out")
    assert name in fails(capsys, code, "evaluate", name, "--out", tmp_path / "figures.json")
    assert name in fails(capsys, code, "demo", "--weights", name, "--out", tmp_path / "out")


def test_nothing_is_overwritten_unasked(capsys, tmp_path: Path, tiny_weights: Path, photo: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    for words in (["predict", tiny_weights, photo], ["demo", "--weights", tiny_weights]):
        assert "--overwrite" in fails(capsys, 2, *words, "--out", out)
    for words in (["evaluate", tiny_weights, "--out"], ["show", photo, "--screenshot"]):
        assert "--overwrite" in fails(capsys, 2, *words, out / "mine.txt")
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("train: {stepz: 3}", "stepz"),
        ("train: {steps: many}", "steps"),
        ("method: {kind: scene_completions}", "scene_completion"),
        ("train: !!python/object/apply:os.system ['true']", "tag"),
        ("a: &a [1]\ntrain: {steps: *a}", "alias"),
        ("train: [", "expected YAML"),
        ("extends: nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_a_wrong_recipe(capsys, tmp_path: Path, text: str, complaint: str):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(text if "extends" in text else f"extends: {TINY}\n{text}")
    line = fails(capsys, 2, "train", recipe, "--out", tmp_path / "run")
    assert str(tmp_path) in line and complaint in line
    assert not (tmp_path / "run").exists()


def test_a_misspelt_key_on_the_command_line_gets_the_nearest_name(capsys, tmp_path: Path):
    line = fails(capsys, 2, "train", TINY, "--out", tmp_path / "run", "--set", "train.stepz=3")
    assert "train.stepz" in line and "did you mean" in line and "steps" in line


def test_data_that_is_not_there(capsys, tmp_path: Path):
    line = fails(capsys, 3, "train", TINY, "--out", tmp_path / "run", "--set", f"data.root={tmp_path / 'none'}")
    assert str(tmp_path / "none") in line
    assert str(tmp_path / "none") in fails(capsys, 3, "data", "check", tmp_path / "none")
    assert not (tmp_path / "run").exists()


def test_a_device_that_is_not_there(capsys, tmp_path: Path, tiny_weights: Path, photo: Path):
    words = ["predict", tiny_weights, photo, "--out", tmp_path / "out", "--device", "quantum"]
    assert "quantum" in fails(capsys, 2, *words)


def test_files_that_cannot_be_shown(capsys, tmp_path: Path):
    assert "none.ply" in fails(capsys, 3, "show", tmp_path / "none.ply", "--screenshot", tmp_path / "a.png")
    odd = tmp_path / "odd.xyzw"
    odd.write_text("1")
    assert "odd.xyzw" in fails(capsys, 3, "show", odd, "--screenshot", tmp_path / "a.png")


def test_streets_out_of_range(capsys, tmp_path: Path):
    assert "--streets" in fails(capsys, 2, "data", "make-street", tmp_path / "a", "--streets", 0)
    assert "9999" in fails(capsys, 2, "data", "make-street", tmp_path / "a", "--seed", 9999, "--streets", 2)


def test_a_full_disk_leaves_one_line_and_no_half_file(tmp_path: Path, tiny_weights: Path, photo: Path):
    # The kernel refuses to let any file grow beyond 20 kB, as a full disk would in the midst of a picture.
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, "-m", "scene3d", "predict", tiny_weights, photo, "--out", out, "--no-open3d"],
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("scene3d: error: ")]
    assert done.returncode in (1, 3), done.stderr
    assert len(lines) == 1 and str(out) in lines[0]
    assert "Traceback" not in done.stderr
    # All of an image's results or none.
    assert not out.exists() and not any(path.name.startswith(".out") for path in tmp_path.iterdir())
