from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image
from pydantic import ValidationError

from scene3d.data.check import check_data
from scene3d.data.cityscapes import cities, read_cityscapes
from scene3d.data.depth_truth import has_truth, measure_truth
from scene3d.data.loading import CityscapesData
from scene3d.data.shot_files import shot_depth, shot_image
from scene3d.data.snippets import SnippetConfig, Snippets, ViewSpec
from scene3d.errors import ConfigError, DataError
from tests.data.small_trees import BASELINE, DEPTH, FOCAL, HEIGHT, WIDTH, wall_image, write_cityscapes


def test_a_snippet_is_a_scene_of_both_sides_without_the_bonnet(tmp_path: Path):
    (scene,) = read_cityscapes(write_cityscapes(tmp_path))
    assert scene.name == "aachen_000002_000000"
    assert [(shot.frame, shot.sensor) for shot in scene.shots[:4]] == [
        (0, "left"),
        (0, "right"),
        (1, "left"),
        (1, "right"),
    ]
    shot = scene.shots[2]
    assert (shot.camera.height, shot.camera.width, shot.cut) == (HEIGHT, WIDTH, HEIGHT // 3)
    assert shot.time == pytest.approx(1 / 17) and shot.cam_to_world is None
    expected = torch.tensor([[FOCAL, 0, WIDTH / 2], [0, FOCAL, HEIGHT / 2], [0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(shot.camera.K, expected)  # u0 and v0 count from pixel centres
    image = shot_image(shot)
    assert image.shape == (3, HEIGHT, WIDTH)
    with Image.open(shot.image) as whole:
        assert whole.height == HEIGHT * 4 // 3
    assert image[1, 0].tolist() == [wall_image(0.125).getpixel((x, 0))[1] for x in range(WIDTH)]


def test_a_snippet_may_be_read_whole(tmp_path: Path):
    (scene,) = read_cityscapes(write_cityscapes(tmp_path), keep=1.0)
    assert (scene.shots[0].camera.height, scene.shots[0].cut) == (HEIGHT * 4 // 3, 0)


def test_disparity_is_depth_where_it_was_measured(tmp_path: Path):
    (scene,) = read_cityscapes(write_cityscapes(tmp_path))
    left = {shot.frame: shot for shot in scene.shots if shot.sensor == "left"}
    depth = shot_depth(left[3])
    assert depth.shape == (HEIGHT, WIDTH)
    assert depth[:, 0].unique().tolist() == [0.0]
    assert depth[:, 1:].unique().tolist() == [DEPTH] and FOCAL * BASELINE / 4 == DEPTH
    assert [frame for frame, shot in left.items() if has_truth(shot, {}, "file")] == [3]
    assert torch.equal(measure_truth(left[3], {}, "file"), depth)


def test_a_sample_carries_depth_labels_and_truth_of_the_upper_part(tmp_path: Path):
    scenes = read_cityscapes(write_cityscapes(tmp_path))
    views = (ViewSpec(sensor="left"), ViewSpec(sensor="left", offset=-2))
    config = SnippetConfig(views=views, height=12, width=32, need=("depth", "labels"), truth="file", depth="file")
    data = Snippets(scenes, config, training=False)
    assert [data.name(i) for i in range(len(data))] == ["aachen_000002_000000 0000000003 left"]
    frames = data[0]
    assert frames.labels[0, 0].unique().tolist() == [2]  # building; nothing of the bonnet
    assert frames.truth.shape == (1, HEIGHT, WIDTH) and frames.depth[0, 0].max() == DEPTH
    assert frames.image[0, 0].amin() > 0.05


def test_frames_that_are_apart_are_snippets_apart(tmp_path: Path):
    write_cityscapes(tmp_path, frames=[1, 2, 3])
    camera = next((tmp_path / "camera").rglob("*.json"))
    for frame in (7, 8):
        image = next(tmp_path.rglob("aachen_000002_000001_leftImg8bit.png"))
        shutil.copy(image, image.with_name(f"aachen_000002_{frame:06d}_leftImg8bit.png"))
    with pytest.raises(DataError, match="aachen_000002_000007_leftImg8bit.png: expected camera/"):
        read_cityscapes(tmp_path)
    shutil.copy(camera, camera.with_name("aachen_000002_000008_camera.json"))
    scenes = read_cityscapes(tmp_path)
    assert [(scene.name, len(scene.shots)) for scene in scenes] == [
        ("aachen_000002_000001", 6),
        ("aachen_000002_000007", 2),
    ]


def test_cities_and_snippets_are_chosen_by_name(tmp_path: Path):
    for city, split in (("aachen", "train"), ("ulm", "train"), ("bonn", "test")):
        write_cityscapes(tmp_path, city, split)
    assert cities(tmp_path) == ["aachen", "bonn", "ulm"]
    assert [scene.name for scene in read_cityscapes(tmp_path, ["bonn"])] == ["bonn_000002_000000"]
    assert len(read_cityscapes(tmp_path, ["ulm_000002_000000", "aachen"])) == 2
    with pytest.raises(DataError, match="expected a city named essen, got aachen, bonn, ulm"):
        read_cityscapes(tmp_path, ["essen"])
    with pytest.raises(DataError, match="expected a snippet named ulm_000002_000009"):
        read_cityscapes(tmp_path, ["ulm_000002_000009"])


def test_splits_by_city_keep_their_snippets_apart(tmp_path: Path):
    for city, split in (("aachen", "train"), ("ulm", "train"), ("bonn", "test")):
        write_cityscapes(tmp_path, city, split)
    data = CityscapesData(root=tmp_path, test=("bonn",))
    assert [scene.name for scene in data.scenes("train")] == ["aachen_000002_000000", "ulm_000002_000000"]
    with pytest.raises(ValidationError, match="bonn_000002_000000 is in val and in test"):
        CityscapesData(root=tmp_path, val=("bonn_000002_000000",), test=("bonn",))
    (tmp_path / "list.txt").write_text("bonn_000002_000000 3 l\n")
    listed = CityscapesData.model_validate(
        {"root": tmp_path, "test": ("bonn",), "lists": {"val": tmp_path / "list.txt"}}
    )
    with pytest.raises(ConfigError, match="val and test share 1 frames, the first of them bonn_000002_000000"):
        listed.build("val")


def test_single_frames_and_unpacked_archives_are_found_too(tmp_path: Path):
    write_cityscapes(tmp_path, frames=[3])
    (tmp_path / "leftImg8bit_sequence").rename(tmp_path / "leftImg8bit")
    shutil.rmtree(tmp_path / "rightImg8bit_sequence")
    (tmp_path / "camera").rename(tmp_path / "camera_trainvaltest")
    (tmp_path / "disparity_trainvaltest").mkdir()
    (tmp_path / "disparity").rename(tmp_path / "disparity_trainvaltest" / "disparity")
    (scene,) = read_cityscapes(tmp_path)
    assert [shot.sensor for shot in scene.shots] == ["left"]
    assert scene.shots[0].depth is not None and scene.shots[0].labels is not None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda camera: camera["intrinsic"].pop("u0"), "no 'u0'"),
        (lambda camera: camera["extrinsic"].update(baseline="wide"), "could not convert"),
        (lambda camera: camera["intrinsic"].update(fx=0), "fx, fy and baseline above 0, got 0.0"),
    ],
)
def test_a_damaged_camera_is_named_in_one_line(tmp_path: Path, change, said: str):
    write_cityscapes(tmp_path)
    path = next((tmp_path / "camera").rglob("*.json"))
    camera = json.loads(path.read_text())
    change(camera)
    path.write_text(json.dumps(camera))
    with pytest.raises(DataError) as caught:
        read_cityscapes(tmp_path)
    assert said in str(caught.value) and str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_folder_that_is_not_cityscapes_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="leftImg8bit_sequence/<split>/<city>"):
        read_cityscapes(tmp_path)


def test_a_tree_is_checked_file_by_file(tmp_path: Path):
    write_cityscapes(tmp_path)
    assert check_data(tmp_path) == []
    left = tmp_path / "leftImg8bit_sequence" / "train" / "aachen"
    Image.new("RGB", (WIDTH, HEIGHT)).save(left / "aachen_000002_000001_leftImg8bit.png")
    next((tmp_path / "disparity").rglob("*.png")).write_bytes(b"no image")
    (tmp_path / "rightImg8bit_sequence" / "train" / "aachen" / "aachen_000002_000004_rightImg8bit.png").unlink()
    found = [str(problem) for problem in check_data(tmp_path)]
    assert len(found) == 4, found
    for what in (
        "expected 64 x 32 pixels",
        "do not decode",
        "frame 4 is missing, which the left camera has",
        "no image for frame 4",
    ):
        assert sum(what in line for line in found) == 1, (what, found)
