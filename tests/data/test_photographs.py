"""Every kind of photographs: named in a config, recognised as a tree, checked before training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from scene3d.data.check import check_data
from scene3d.data.loading import DataConfig
from scene3d.data.snippets import SnippetConfig
from scene3d.data.trees import read_drive
from tests.data.photograph_trees import (
    HEIGHT,
    WIDTH,
    write_middlebury,
    write_neus,
    write_seven_scenes,
    write_transforms,
    write_tum,
)

KINDS = {
    "neus": write_neus,
    "transforms_json": write_transforms,
    "middlebury": write_middlebury,
    "tum_rgbd": write_tum,
    "seven_scenes": write_seven_scenes,
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def tree(kind: str, tmp_path: Path) -> Path:
    write: Callable[[Path], Path] = KINDS[kind]
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write(tmp_path / name)
    return tmp_path


def test_a_config_reads_its_kind_and_frames_come_of_it(kind: str, tree: Path):
    said = {"kind": kind, "root": tree, "val": ["b"], "snippets": {"height": HEIGHT, "width": WIDTH}}
    config = TypeAdapter(DataConfig).validate_python(said)
    assert [scene.name for scene in config.scenes("train")] == ["a"]
    assert [scene.name for scene in config.scenes("val")] == ["b"]
    assert config.snippets == SnippetConfig(height=HEIGHT, width=WIDTH)
    dataset = config.build("train")
    assert len(dataset) == 3
    assert dataset[0].image.shape == (1, 1, 3, HEIGHT, WIDTH) and dataset[0].cam_to_world is not None


def test_a_tree_is_recognised_by_what_lies_in_it(tree: Path):
    assert read_drive(tree, "b").name == "b"
    assert read_drive(tree / "a").name == "a"


def test_a_good_tree_has_no_problem_and_a_damaged_image_is_one(tree: Path):
    assert check_data(tree, workers=1) == []
    shot = read_drive(tree, "b").shots[1]
    shot.image.write_bytes(shot.image.read_bytes()[:60])
    (problem,) = check_data(tree, workers=1)
    assert problem.file == shot.image and "do not decode" in problem.what


def test_masks_and_depth_are_opened_too(tmp_path: Path):
    write_neus(tmp_path / "neus")
    (tmp_path / "neus" / "mask" / "001.png").write_bytes(b"")
    (problem,) = check_data(tmp_path / "neus", workers=1)
    assert "001.png" in str(problem) and "got an empty file" in str(problem)
    (tmp_path / "chess").mkdir()
    write_seven_scenes(tmp_path / "chess")
    (tmp_path / "chess" / "frame-000010.pose.txt").write_text("1")
    (tmp_path / "chess" / "frame-000020.depth.png").write_bytes(b"oops")
    found = [str(problem) for problem in check_data(tmp_path / "chess", workers=1)]
    # The reader refuses the sequence; its images are opened all the same, depth as depth.
    assert len(found) == 2
    assert any("frame-000010.pose.txt: expected 4 numbers" in line for line in found)
    assert any("frame-000020.depth.png: expected a 16-bit gray PNG of depth" in line for line in found)


def test_numbers_in_the_names_of_photographs_are_no_frames(tmp_path: Path):
    write_transforms(tmp_path)
    (tmp_path / "images" / "0001.png").rename(tmp_path / "images" / "0110.png")
    text = (tmp_path / "transforms.json").read_text()
    (tmp_path / "transforms.json").write_text(text.replace("0001.png", "0110.png"))
    assert check_data(tmp_path, workers=1) == []


def test_real_photographs_are_whole(shared_data: Path):
    for folder in (
        "dtu_scan65_neus_400x300",
        "middlebury_templeRing",
        "sevenscenes_redkitchen_rgbd",
        "ngp_fox_quarter",
    ):
        assert check_data(shared_data / folder, workers=1) == []
