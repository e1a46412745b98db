from __future__ import annotations

from pathlib import Path

import pytest

from scene3d.cli import main
from scene3d.data.split_files import KNOWN_COUNTS, list_hash, read_split
from tests.data.small_trees import write_odometry


def test_a_list_of_a_paper_is_counted_written_and_hashed(capsys, tmp_path: Path):
    lines = [f"2011_09_26/2011_09_26_drive_0002_sync {frame} l" for frame in range(KNOWN_COUNTS["eigen test"])]
    (tmp_path / "files.txt").write_text("\n".join(lines))
    out = tmp_path / "lists" / "test.txt"
    words = ["data", "split", str(tmp_path / "files.txt"), "--out", str(out), "--known"]
    assert main([*words, "eigen test"]) == 0
    assert f"697 samples of 1 drives, sha256 {list_hash(read_split(out))}" in capsys.readouterr().out
    assert (tmp_path / "lists" / "test.txt.sha256").exists()
    assert main([*words, "eigen test"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "eigen_zhou val", "--overwrite"]) == 3
    assert "the 4424 samples of eigen_zhou val, got 697" in capsys.readouterr().err


def test_a_list_is_made_from_a_tree_without_the_drives_of_another(capsys, tmp_path: Path):
    for name in ("00", "01"):
        write_odometry(tmp_path / "tree", name=name)
    (tmp_path / "test.txt").write_text("1 2 l\n")
    words = ["data", "split", tmp_path / "tree", "--out", tmp_path / "train.txt", "--without", tmp_path / "test.txt"]
    assert main([str(word) for word in words]) == 0
    assert "6 samples of 1 drives" in capsys.readouterr().out
    assert {sample.drive for sample in read_split(tmp_path / "train.txt")} == {"00"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--known", "eigen tset"], "did you mean eigen test?"),
        (["--neighbours", "-1"], "expected 0 or more, got -1"),
    ],
)
def test_wrong_flags_are_one_line(capsys, tmp_path: Path, words: list[str], said: str):
    assert main(["data", "split", str(tmp_path), "--out", str(tmp_path / "a.txt"), *words]) == 2
    printed = capsys.readouterr().err
    assert said in printed and printed.count("\n") == 1
