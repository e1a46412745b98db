from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.engine.photographs import match, read_picture
from scene3d.errors import DataError, UsageError
from scene3d.geometry.camera import Camera, pinhole

WANTED = pinhole(40.0, 24, 80)


def picture(height: int = 60, width: int = 100) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)


def test_every_kind_of_image_gives_the_same_pixels(tmp_path):
    array = picture()
    Image.fromarray(array).save(tmp_path / "a.png")
    tensor = torch.from_numpy(array).permute(2, 0, 1)
    for image in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(array), array, tensor, tensor / 255):
        assert torch.equal(read_picture(image), tensor)
    assert read_picture(array[..., 0]).shape == (3, 60, 100)


def test_a_photograph_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    Image.fromarray(picture()).save(tmp_path / "a.jpg", exif=exif)
    assert read_picture(tmp_path / "a.jpg").shape == (3, 100, 60)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 3, 4, 5), np.uint8),
        np.zeros((4, 5, 2), np.uint8),
        np.zeros((4, 5, 3), np.uint16),
        np.full((4, 5, 3), 2.0),
        np.full((4, 5, 3), np.nan),
        np.zeros((0, 5, 3), np.uint8),
    ],
)
def test_what_is_no_image_is_refused(image):
    with pytest.raises(UsageError, match="image: expected"):
        read_picture(image)


@pytest.mark.parametrize("size", [(7, 100), (60, 7), (1, 1)])
def test_an_image_smaller_than_a_patch_is_refused(size):
    with pytest.raises(UsageError, match=f"at least 8x8 pixels, one patch, got {size[0]}x{size[1]}"):
        match(torch.zeros(3, *size, dtype=torch.uint8), pinhole(40.0, *size), WANTED)


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"a\.png"):
        read_picture(tmp_path / "a.png")


def test_a_wider_camera_is_cut_to_that_of_the_training():
    wide = pinhole(40.0, 48, 160)
    image, camera = match(torch.zeros(3, 48, 160, dtype=torch.uint8), wide, WANTED)
    assert image.shape == (3, 24, 80)
    torch.testing.assert_close(camera.K, WANTED.K)


def test_a_pixel_keeps_its_ray():
    # One bright pixel; focal lengths differ by 2, so that it covers half a pixel of the result.
    source = Camera(torch.tensor([[80.0, 0, 90.0], [0, 80.0, 30.0], [0, 0, 1.0]]), 60, 200)
    image = torch.zeros(3, 60, 200, dtype=torch.uint8)
    image[:, 40:42, 120:122] = 255
    seen, camera = match(image, source, WANTED)
    row, column = divmod(int(seen[0].argmax()), 80)
    x = (column + 0.5 - camera.K[0, 2]) / camera.K[0, 0]
    y = (row + 0.5 - camera.K[1, 2]) / camera.K[1, 1]
    assert x.item() == pytest.approx((121 - 90) / 80, abs=0.5 / 40)
    assert y.item() == pytest.approx((41 - 30) / 80, abs=0.5 / 40)


def test_a_narrower_camera_fills_the_frame_and_k_says_so():
    narrow = pinhole(80.0, 24, 80)
    _, camera = match(torch.zeros(3, 24, 80, dtype=torch.uint8), narrow, WANTED)
    torch.testing.assert_close(camera.K, narrow.K)
