from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.data.shot_files import shot_depth
from scene3d.data.transforms_json import read_transforms_json
from scene3d.data.views import ViewReader, view_camera
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye
from tests.data.epipolar import epipolar_offsets
from tests.data.photograph_trees import HEIGHT, WIDTH, K, orbit, write_transforms


def test_convention_transforms_json_looks_backward_and_has_its_centres_where_we_have_ours(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path / "toy"))
    assert scene.name == "toy"
    for i, shot in enumerate(scene.shots):
        torch.testing.assert_close(shot.cam_to_world, orbit(i))
        assert isinstance(shot.camera, Camera) and shot.virtual is None
        torch.testing.assert_close(shot.camera.K, K)


def test_a_lens_is_undone_as_the_image_is_read(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path, k1=0.5, k2=-0.02, p1=0.003, p2=0.004))
    shot = scene.shots[0]
    assert isinstance(shot.camera, Fisheye)
    lens = shot.camera
    assert (lens.k1, lens.k2, lens.p1, lens.p2) == (0.5, -0.02, 0.003, 0.004)
    assert (lens.gamma1, lens.gamma2, lens.u0, lens.v0) == (20, 21, 8.5, 6.25)
    torch.testing.assert_close(view_camera(shot, HEIGHT, WIDTH).K, K)
    pixels = ViewReader(HEIGHT, WIDTH).pixels(shot)
    assert pixels.valid[6, 8] and not pixels.valid[0, 0]
    assert (pixels.image[:, pixels.valid] == 100).all()


def test_a_frame_may_have_a_camera_of_its_own(tmp_path: Path):
    folder = write_transforms(tmp_path)
    said = json.loads((folder / "transforms.json").read_text())
    said["frames"][1] |= {"fl_x": 30, "cx": 7}
    (folder / "transforms.json").write_text(json.dumps(said))
    shots = read_transforms_json(folder)[0].shots
    assert shots[0].camera.K[0].tolist() == [20, 0, 8.5]
    assert shots[1].camera.K[0].tolist() == [30, 0, 7] and shots[1].camera.K[1, 1] == 21


def test_an_angle_of_view_is_enough_and_a_suffix_may_be_missing(tmp_path: Path):
    folder = write_transforms(tmp_path, 1)
    said = json.loads((folder / "transforms.json").read_text())
    frames = [{**said["frames"][0], "file_path": "images/0000"}]
    (folder / "transforms.json").write_text(json.dumps({"camera_angle_x": 2 * math.atan(0.4), "frames": frames}))
    (shot,) = read_transforms_json(folder)[0].shots
    # Half of 16 pixels over a tangent of 0.4 is 20.
    torch.testing.assert_close(shot.camera.K, torch.tensor([[20.0, 0, 8], [0, 20, 6], [0, 0, 1]], dtype=torch.float64))
    assert shot.image.name == "0000.png"


def test_masks_and_depth_in_millimetres_are_named_by_a_frame(tmp_path: Path):
    folder = write_transforms(tmp_path, 1, {"mask_path": "m.png", "depth_file_path": "d.png"}, k1=0.1)
    (shot,) = read_transforms_json(folder)[0].shots
    mask = np.zeros((HEIGHT, WIDTH), dtype=np.uint8)
    mask[:, 8:] = 255
    Image.fromarray(mask).save(folder / "m.png")
    Image.fromarray(np.full((HEIGHT, WIDTH), 1250, dtype=np.uint16)).save(folder / "d.png")
    # The lens widens about column 8.5, so the edge at column 8 stays within a pixel.
    seen = ViewReader(HEIGHT, WIDTH).mask(shot)
    assert seen[6, 10:14].all() and not seen[6, :7].any()
    assert (shot_depth(shot) == 1.25).all()


def test_an_image_that_is_not_there_is_refused_or_passed_over(tmp_path: Path):
    folder = write_transforms(tmp_path)
    (folder / "images" / "0001.png").unlink()
    with pytest.raises(DataError, match=r"0001\.png: expected an image that .*got no such file .*skip_missing"):
        read_transforms_json(folder)
    (scene,) = read_transforms_json(folder, skip_missing=True)
    assert [shot.frame for shot in scene.shots] == [0, 2]


@pytest.mark.parametrize(
    ("frame", "top", "message"),
    [
        ({}, {"fl_x": None}, "expected fl_x, or camera_angle_x, got neither"),
        ({}, {"w": 32}, "expected w = 32, which its camera is for, got 16"),
        ({}, {"camera_model": "OPENCV_FISHEYE"}, "got OPENCV_FISHEYE with k3"),
        ({}, {"k3": 0.1}, r"with k1, k2, p1, p2, got OPENCV with k3 = 0\.1"),
        ({}, {"frames": []}, "frames: "),
        ({"transform_matrix": [[1, 0, 0, 0]] * 3}, {}, r"frames\.0\.transform_matrix"),
        (
            {"transform_matrix": [[2, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]},
            {},
            "a rigid transform_matrix",
        ),
        ({"file_path": None}, {}, r"frames\.0\.file_path"),
    ],
)
def test_a_wrong_entry_is_named(tmp_path: Path, frame: dict[str, Any], top: dict[str, Any], message: str):
    write_transforms(tmp_path, 1, frame, **top)
    with pytest.raises(DataError, match=message):
        read_transforms_json(tmp_path)


def test_what_is_no_json_is_named(tmp_path: Path):
    (tmp_path / "transforms.json").write_text("{,")
    with pytest.raises(DataError, match=r"transforms\.json: expected JSON, got .* on line 1"):
        read_transforms_json(tmp_path)


def test_cameras_of_the_fox_agree_with_its_images(shared_data: Path):
    (scene,) = read_transforms_json(shared_data / "ngp_fox_quarter")
    assert len(scene.shots) == 50
    offsets = epipolar_offsets(scene.shots[5], scene.shots[6], 1.5, 40)
    assert len(offsets) > 20 and offsets.abs().median() <= 0.5
