from __future__ import annotations

from pathlib import Path

import pytest

from scene3d.engine.batch_folder import BatchFolder, Shard, unique_names, whole_folder
from scene3d.errors import DataError, UsageError


def test_shards_share_the_work_without_rest_or_double():
    shards = [Shard.parse(f"{number}/3") for number in (1, 2, 3)]
    owners = [[shard.number for shard in shards if shard.has(index)] for index in range(7)]
    assert owners == [[1], [2], [3], [1], [2], [3], [1]]


@pytest.mark.parametrize("text", ["0/4", "5/4", "2", "2/", "/2", "a/b", "1/0", "-1/2", "1/2/3"])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(UsageError, match="--shard: expected NUMBER/COUNT"):
        Shard.parse(text)


def test_results_that_are_there_are_not_wanted_again_unless_asked_for(tmp_path: Path):
    folder = BatchFolder(tmp_path / "out", {"weights": "a", "K": (1.0, 2.0)}, overwrite=False)
    with folder.writing("x") as place:
        (place / "depth.png").write_bytes(b"1")
    assert (tmp_path / "out" / "x" / "depth.png").read_bytes() == b"1"
    again = BatchFolder(tmp_path / "out", {"weights": "a", "K": (1.0, 2.0)}, overwrite=False)
    assert not again.wants("x") and again.wants("y")
    assert BatchFolder(tmp_path / "out", {"weights": "b", "K": None}, overwrite=True).wants("x")


def test_what_fails_half_way_leaves_nothing_and_what_was_there(tmp_path: Path):
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "new") as place:
        (place / "half").write_bytes(b"")
        1 / 0  # noqa: B018
    assert list(tmp_path.iterdir()) == []
    # Left over by a process that was killed.
    (tmp_path / ".new.part").mkdir()
    (tmp_path / ".new.part" / "stale").write_bytes(b"")
    with whole_folder(tmp_path / "new") as place:
        (place / "whole").write_bytes(b"1")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["whole"]
    with whole_folder(tmp_path / "new") as place:
        (place / "whole").write_bytes(b"2")
        (place / "more").write_bytes(b"3")
    assert {path.name: path.read_bytes() for path in (tmp_path / "new").iterdir()} == {"whole": b"2", "more": b"3"}


def test_a_folder_of_other_results_is_not_mixed_with(tmp_path: Path):
    (tmp_path / "diary.txt").write_text("mine")
    with pytest.raises(UsageError, match="does not say what made it"):
        BatchFolder(tmp_path, {"weights": "a"}, overwrite=False)
    BatchFolder(tmp_path / "out", {"weights": "a"}, overwrite=False)
    with pytest.raises(UsageError, match="other settings: weights: 'a' != 'b'"):
        BatchFolder(tmp_path / "out", {"weights": "b"}, overwrite=False)
    (tmp_path / "out" / "predict.json").write_text("{")
    with pytest.raises(DataError, match="expected what made the results beside it"):
        BatchFolder(tmp_path / "out", {"weights": "a"}, overwrite=False)


def test_two_images_of_one_name_are_refused(tmp_path: Path):
    assert unique_names([Path("a.png"), Path("b.png")]) == ["a", "b"]
    with pytest.raises(UsageError, match=r"a\.jpg: its results would be called as those of a\.png"):
        unique_names([Path("a.png"), Path("a.jpg")])
