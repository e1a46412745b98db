from __future__ import annotations

import io
import os
import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scene3d.data import images
from scene3d.data.images import (
    fisheye_lookup,
    image_size,
    read_depth,
    read_image,
    read_labels,
    read_mask,
    resample,
    resize,
    resize_depth,
    resize_labels,
    write_bytes,
    write_depth,
    write_image,
)
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera, pinhole, pixel_centres
from scene3d.geometry.fisheye import Fisheye, unproject_fisheye
from scene3d.structures.scene import Virtual


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def encoded(array: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, kind)
    return buffer.getvalue()


def test_a_png_is_read_as_it_is(tmp_path: Path):
    pixels = noise(5, 7, 3)
    (tmp_path / "a.png").write_bytes(encoded(pixels))
    image = read_image(tmp_path / "a.png")
    assert image.dtype == torch.uint8
    assert torch.equal(image, torch.from_numpy(pixels).permute(2, 0, 1))
    assert image_size(tmp_path / "a.png") == (5, 7)


def test_gray_becomes_three_channels_and_alpha_is_dropped(tmp_path: Path):
    gray, alpha = noise(4, 4), noise(4, 4, 4)
    (tmp_path / "gray.png").write_bytes(encoded(gray))
    (tmp_path / "alpha.png").write_bytes(encoded(alpha))
    assert torch.equal(read_image(tmp_path / "gray.png"), torch.from_numpy(gray).expand(3, 4, 4))
    assert torch.equal(read_image(tmp_path / "alpha.png"), torch.from_numpy(alpha[..., :3]).permute(2, 0, 1))


def test_exif_rotation_is_ignored_since_K_is_for_the_stored_pixels(tmp_path: Path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90 degrees
    Image.fromarray(noise(8, 16, 3)).save(tmp_path / "a.jpg", exif=exif)
    assert read_image(tmp_path / "a.jpg").shape == (3, 8, 16)


def test_a_png_that_is_cut_off_after_its_pixels_is_named(tmp_path: Path):
    path = tmp_path / "even.png"
    Image.new("RGB", (16, 12), (100, 100, 100)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[:-12])
    with pytest.raises(
        DataError, match=r"even.png: expected an 8-bit PNG or JPEG image, .* do not decode: it is cut off"
    ):
        read_image(path)


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("kept", [0.0, 0.02, 0.5, 0.9])
def test_an_empty_or_truncated_image_is_named(tmp_path: Path, kind: str, kept: float):
    data = encoded(noise(40, 60, 3), kind)
    path = tmp_path / f"frame.{kind.lower()}"
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(DataError, match=rf"frame\.{kind.lower()}: expected an 8-bit PNG or JPEG image, got"):
        read_image(path)


def test_what_is_no_image_or_not_there_is_named(tmp_path: Path):
    (tmp_path / "a.png").write_text("hello")
    with pytest.raises(DataError, match=r"a\.png: .* got 5 bytes that do not decode"):
        read_image(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a\.png: expected a PNG or JPEG image, got 5 bytes"):
        image_size(tmp_path / "a.png")
    for read in (read_image, image_size, read_depth, read_labels):
        with pytest.raises(DataError, match="no such file"):
            read(tmp_path / "gone.png")


def test_a_depth_png_among_the_images_is_refused(tmp_path: Path):
    write_depth(tmp_path / "depth.png", torch.ones(3, 4))
    with pytest.raises(DataError, match="8 bits a channel, got 16"):
        read_image(tmp_path / "depth.png")


def test_colours_of_16_bits_are_refused(tmp_path: Path):
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    # One pixel of RGB at 16 bits: a row is a filter byte and six bytes.
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 16, 2, 0, 0, 0))
    png = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(7))) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(png)
    with pytest.raises(DataError, match="8 bits a channel, got 16"):
        read_image(tmp_path / "deep.png")
    with pytest.raises(DataError, match="16-bit gray PNG of depth, got 3 channels of 16 bits"):
        read_depth(tmp_path / "deep.png")


def test_two_levels_are_black_and_white_and_a_palette_is_its_indices_or_its_colours(tmp_path: Path):
    two = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    two.save(tmp_path / "two.png")
    assert read_labels(tmp_path / "two.png").tolist() == [[0, 255], [255, 0]]
    assert read_mask(tmp_path / "two.png").tolist() == [[False, True], [True, False]]
    few = Image.new("P", (2, 1))
    few.putpalette([10, 20, 30, 40, 50, 60])
    few.putdata([1, 0])
    few.save(tmp_path / "few.png")
    assert read_labels(tmp_path / "few.png").tolist() == [[1, 0]]
    assert read_image(tmp_path / "few.png")[:, 0].T.tolist() == [[40, 50, 60], [10, 20, 30]]


def test_depth_is_metres_times_256_and_zero_is_not_measured(tmp_path: Path):
    depth = torch.tensor([[0.0, 1.0, 80.25], [-1.0, torch.nan, torch.inf], [0.0001, 255.99609375, 1e6]])
    write_depth(tmp_path / "d.png", depth)
    stored = np.asarray(Image.open(tmp_path / "d.png"))
    # 1e-4 m rounds to no step, but it was measured; 1e6 m does not fit; NaN and infinity were not measured.
    assert stored.tolist() == [[0, 256, 20544], [0, 0, 0], [1, 65535, 65535]]
    assert torch.equal(read_depth(tmp_path / "d.png"), torch.from_numpy(stored.astype(np.float32)) / 256)


def test_an_8_bit_image_is_not_a_depth_map_and_colour_not_a_label_map(tmp_path: Path):
    (tmp_path / "gray.png").write_bytes(encoded(noise(4, 4)))
    (tmp_path / "colour.png").write_bytes(encoded(noise(4, 4, 3)))
    with pytest.raises(DataError, match="16-bit gray PNG of depth, got 1 channels of 8 bits"):
        read_depth(tmp_path / "gray.png")
    assert read_labels(tmp_path / "gray.png").shape == (4, 4)
    with pytest.raises(DataError, match="8-bit gray PNG of class ids, got 3 channels"):
        read_labels(tmp_path / "colour.png")


def test_an_image_written_is_the_image_read(tmp_path: Path):
    image = torch.from_numpy(noise(3, 6, 5))
    write_image(tmp_path / "a.png", image)
    assert torch.equal(read_image(tmp_path / "a.png"), image)


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(images.os, "fsync", full)
    with pytest.raises(DataError, match=r"a\.bin: cannot be written: No space left on device"):
        write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a.bin"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be written: No such file or directory"):
        write_bytes(tmp_path / "gone" / "a.bin", b"")


def test_shrinking_averages_and_does_not_alias():
    stripes = torch.zeros(3, 8, 64, dtype=torch.uint8)
    stripes[..., ::2] = 200
    small = resize(stripes, 2, 16)
    assert small.shape == (3, 2, 16)
    assert (small[..., 1:-1].float() - 100).abs().max() <= 15
    assert torch.equal(resize(stripes, 8, 64), stripes)
    assert torch.equal(resize(stripes.expand(2, 1, 3, 8, 64), 2, 16), small.expand(2, 1, 3, 2, 16))


def test_labels_are_taken_at_the_centre_and_never_mixed():
    ids = torch.tensor([[1, 2, 3, 4, 5, 6]], dtype=torch.uint8)
    # Centres of two pixels of three each: columns 1 and 4.
    assert resize_labels(ids, 1, 2).tolist() == [[2, 5]]
    assert resize_labels(ids, 2, 12).tolist() == [[1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6]] * 2


def test_shrunken_depth_keeps_single_measurements_and_invents_none():
    depth = torch.zeros(6, 9)
    depth[0, 0] = 5.0  # alone in its pixel of 3 x 3, in the corner
    depth[1, 4], depth[1, 5] = 20.0, 7.0  # the first is in the middle of its pixel
    depth[3, 6], depth[5, 8] = 30.0, 3.0  # both in corners: as far from the middle, the nearer one wins
    assert resize_depth(depth, 2, 3).tolist() == [[5.0, 20.0, 0.0], [0.0, 0.0, 3.0]]


def test_enlarged_depth_repeats():
    depth = torch.tensor([[0.0, 2.5]])
    assert resize_depth(depth, 2, 4).tolist() == [[0.0, 0.0, 2.5, 2.5]] * 2


FISHEYE = Fisheye(1.5, 0.01, 0.0, 0.0, 0.0, 150.0, 150.0, 100.0, 90.0, 180, 200)


def test_a_fisheye_resampled_to_a_pinhole_shows_each_direction_where_the_pinhole_sees_it():
    rays, seen = unproject_fisheye(pixel_centres(180, 200), FISHEYE)
    slope = torch.where(seen & (rays[..., 2] > 0.05), rays[..., 0] / rays[..., 2].clamp(min=0.05), 0.0)
    picture = (128 + 100 * slope).clamp(0, 255).round().to(torch.uint8).expand(3, -1, -1)
    virtual = Virtual(camera=pinhole(40.0, 24, 32), rotation=torch.eye(3))
    # At half the size of the virtual camera: 12 x 16 pixels, focal length 20.
    lookup = fisheye_lookup(FISHEYE, virtual, 12, 16)
    view = resample(picture, lookup)
    expected = 128 + 100 * (pixel_centres(12, 16)[..., 0] - 8) / 20
    assert lookup.covered.all()
    assert (view[0].float() - expected).abs().max() < 1.5


def test_what_the_fisheye_does_not_cover_is_black_and_marked():
    virtual = Virtual(camera=pinhole(4.0, 8, 64), rotation=torch.eye(3))
    narrow = replace(FISHEYE, width=120)
    lookup = fisheye_lookup(narrow, virtual, 8, 64)
    view = resample(torch.full((3, 180, 120), 200, dtype=torch.uint8), lookup)
    assert lookup.covered[4, 32]
    assert not lookup.covered[4, -1]
    assert (view[:, ~lookup.covered] == 0).all()
    assert torch.isfinite(lookup.grid).all()


def test_a_camera_resized_with_its_image_still_sees_the_same(tmp_path: Path):
    # A white dot at pixel (20, 10) of 40 x 20, whose direction is known; shrunk by two it is at (10, 5).
    image = torch.zeros(3, 20, 40, dtype=torch.uint8)
    image[:, 10, 20] = 255
    camera = Camera(torch.tensor([[30.0, 0, 20.5], [0, 30.0, 10.5], [0, 0, 1]]), 20, 40)
    small, K = resize(image, 10, 20)[0].float(), camera.resize(10, 20).K
    centre = (pixel_centres(10, 20) * small[..., None]).sum((0, 1)) / small.sum()
    torch.testing.assert_close(centre, K[:2, 2], atol=0.05, rtol=0)
