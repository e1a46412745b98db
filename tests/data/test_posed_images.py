from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from scene3d.data.posed_images import read_posed_images
from scene3d.data.snippets import SnippetConfig, Snippets, ViewSpec
from scene3d.errors import DataError

CAMERA = {"fx": 20, "fy": 21, "cx": 8, "cy": 4}


def write(folder: Path, *entries: dict[str, Any], **rest: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for entry in entries:
        if "file" in entry:
            Image.new("RGB", (16, 8)).save(folder / entry["file"])
    (folder / "scene.json").write_text(json.dumps({"images": entries, **rest}))
    return folder


def moved(x: float) -> list[list[float]]:
    return [[1, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]


def test_a_folder_of_images_with_cameras_is_a_scene(tmp_path: Path):
    K = [[20, 0, 8], [0, 21, 4], [0, 0, 1]]
    write(
        tmp_path / "yard",
        {"file": "a.png", "K": K, "cam_to_world": moved(0), "time": 0.5},
        {"file": "b.png", **CAMERA, "cam_to_world": moved(2), "width": 16, "height": 8},
        label_ids={"7": 0},
    )
    (scene,) = read_posed_images(tmp_path / "yard")
    assert scene.name == "yard"
    assert [(s.frame, s.sensor) for s in scene.shots] == [(0, "left"), (1, "left")]
    assert scene.shots[0].camera.K.tolist() == scene.shots[1].camera.K.tolist() == K
    assert scene.shots[0].time == 0.5
    assert scene.label_ids == {7: 0}
    views = (ViewSpec(sensor="left"), ViewSpec(sensor="left", offset=1))
    frames = Snippets([scene], SnippetConfig(views=views, height=8, width=16), training=False)[0]
    assert frames.cam_to_world[0, 1, 0, 3] == 2


def test_sub_folders_are_scenes_of_their_own(tmp_path: Path):
    for name in ("a", "b"):
        write(tmp_path / name, {"file": "0.png", **CAMERA})
    assert [scene.name for scene in read_posed_images(tmp_path)] == ["a", "b"]
    assert [scene.name for scene in read_posed_images(tmp_path, ["b"])] == ["b"]
    with pytest.raises(DataError, match="a folder c with scene.json, got a, b"):
        read_posed_images(tmp_path, ["c"])


def test_a_transform_may_be_unknown(tmp_path: Path):
    write(tmp_path, {"file": "0.png", **CAMERA})
    assert read_posed_images(tmp_path)[0].shots[0].cam_to_world is None


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"file": "0.png"}, "either K or all of fx, fy, cx, cy"),
        ({"file": "0.png", "fx": 1, "fy": 1, "cx": 1}, "either K or all of fx, fy, cx, cy"),
        ({**CAMERA}, r"images\.0\.file: Field required"),
        ({"file": "0.png", **CAMERA, "pose": []}, r"images\.0\.pose: Extra inputs"),
        ({"file": "0.png", **CAMERA, "cam_to_world": [[1, 0], [0, 1]]}, r"images\.0\.cam_to_world"),
        ({"file": "0.png", **CAMERA, "cam_to_world": [[2, 0, 0, 0], *moved(0)[1:]]}, "rigid cam_to_world for 0.png"),
        ({"file": "0.png", **CAMERA, "cam_to_world": [[float("nan"), 0, 0, 0], *moved(0)[1:]]}, "rigid cam_to_world"),
        ({"file": "0.png", **CAMERA, "width": 32}, r"0\.png: expected width 32, which its K is for, got 16"),
        ({"file": "0.png", "K": [[1, 0, 0], [0, 1, 0], [0, 0, 2]]}, "a camera matrix K for 0.png"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, entry: dict[str, Any], message: str):
    write(tmp_path, entry)
    with pytest.raises(DataError, match=message):
        read_posed_images(tmp_path)


def test_what_is_no_json_or_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="expected a folder with scene.json, got none"):
        read_posed_images(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read_posed_images(tmp_path / "gone")
    write(tmp_path, {"file": "0.png", **CAMERA})
    (tmp_path / "0.png").unlink()
    with pytest.raises(DataError, match=r"0\.png: expected a PNG or JPEG image, got no such file"):
        read_posed_images(tmp_path)
    (tmp_path / "scene.json").write_text('{"images": [\n{,')
    with pytest.raises(DataError, match=r"scene\.json: expected JSON, got .* on line 2"):
        read_posed_images(tmp_path)


def test_two_images_of_one_camera_at_one_frame_are_refused(tmp_path: Path):
    write(tmp_path, *({"file": f"{i}.png", **CAMERA, "frame": 3} for i in range(2)))
    with pytest.raises(DataError, match=r"one image of sensor left at frame 3, got 0\.png and 1\.png"):
        read_posed_images(tmp_path)


def test_K_is_read_in_full_precision(tmp_path: Path):
    write(tmp_path, {"file": "0.png", **CAMERA, "fx": 552.554261})
    assert read_posed_images(tmp_path)[0].shots[0].camera.K.dtype == torch.float64
