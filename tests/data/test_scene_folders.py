from __future__ import annotations

from pathlib import Path

import pytest

from scene3d.data.scene_folders import Layout
from scene3d.errors import DataError

LAYOUT = Layout("a map", ("map.txt", "maps/*.txt"))


def test_a_folder_is_a_scene_or_holds_scenes(tmp_path: Path):
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "map.txt").touch()
    (tmp_path / "neither").mkdir()
    assert LAYOUT.folders(tmp_path, None) == [tmp_path / "a", tmp_path / "b"]
    assert LAYOUT.folders(tmp_path, ["b"]) == [tmp_path / "b"]
    assert LAYOUT.folders(tmp_path / "a", None) == LAYOUT.folders(tmp_path / "a", ["a"]) == [tmp_path / "a"]


def test_marks_are_tried_in_their_order(tmp_path: Path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "0.txt").touch()
    assert LAYOUT.mark(tmp_path) == tmp_path / "maps" / "0.txt"
    (tmp_path / "map.txt").touch()
    assert LAYOUT.mark(tmp_path) == tmp_path / "map.txt"


def test_no_scene_no_folder_and_no_such_name(tmp_path: Path):
    with pytest.raises(DataError, match="expected a folder with a map, got none"):
        LAYOUT.folders(tmp_path, None)
    with pytest.raises(DataError, match="got no such folder"):
        LAYOUT.folders(tmp_path / "gone", None)
    (tmp_path / "map.txt").touch()
    with pytest.raises(DataError, match="expected a folder c with a map"):
        LAYOUT.folders(tmp_path, ["c"])
