from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from scene3d.data.snippets import SnippetConfig, ViewSpec
from scene3d.data.trees import along, is_tree, read_drive
from scene3d.errors import DataError, UsageError
from tests.data.small_trees import write_odometry, write_raw


def write_posed(root: Path) -> Path:
    root.mkdir()
    Image.new("RGB", (8, 6)).save(root / "0.png")
    entry = {"file": "0.png", "fx": 8, "fy": 8, "cx": 4, "cy": 3, "sensor": "front"}
    (root / "scene.json").write_text(json.dumps({"images": [entry]}))
    return root


def test_the_only_drive_needs_no_name_and_one_of_several_does(tmp_path: Path):
    write_odometry(tmp_path, name="00")
    assert read_drive(tmp_path).name == "00"
    write_odometry(tmp_path, name="07")
    assert read_drive(tmp_path, "07").name == "07"
    with pytest.raises(UsageError, match=r"expected the name of one of its drives, got none \(hint: 00, 07\)"):
        read_drive(tmp_path)
    with pytest.raises(UsageError, match="has no drive 0; did you mean '07'|has no drive 0; did you mean '00'"):
        read_drive(tmp_path, "0")


def test_every_layout_is_known_and_a_folder_of_images_is_none(tmp_path: Path):
    write_raw(tmp_path / "raw")
    assert read_drive(tmp_path / "raw").name == "2011_09_26_drive_0001_sync"
    assert read_drive(write_posed(tmp_path / "posed")).name == "posed"
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (8, 6)).save(images / "0.png")
    assert is_tree(tmp_path / "raw") and is_tree(tmp_path / "posed")
    assert not is_tree(images) and not is_tree(tmp_path / "none")
    with pytest.raises(DataError, match="got none of them"):
        read_drive(images)


def test_a_drive_is_read_with_the_views_of_the_recipe_and_without_its_truth(tmp_path: Path):
    own, before, right = (ViewSpec(sensor="left"), ViewSpec(sensor="left", offset=-1), ViewSpec(sensor="right"))
    config = SnippetConfig(views=(own, before, right), height=24, width=64, depth="file", need=("voxels",), every=5)
    write_odometry(tmp_path / "a")
    found = along(read_drive(tmp_path / "a"), config)
    assert found == SnippetConfig(views=(own, before, right), height=24, width=64, require="reference")
    # A drive of one camera of another name is read with that one alone.
    alone = along(read_drive(write_posed(tmp_path / "b")), config)
    assert [(view.sensor, view.offset) for view in alone.views] == [("front", 0), ("front", -1)]
