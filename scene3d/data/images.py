"""Image files and pixels: decode, resize, resample a fisheye, write depth."""

from __future__ import annotations

import io
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Integer, UInt8
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from scene3d.errors import DataError, wrong_file
from scene3d.geometry.camera import to_grid
from scene3d.geometry.fisheye import Fisheye, pinhole_lookup
from scene3d.structures.scene import Virtual

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
_FORMATS = ("PNG", "JPEG")
DEPTH_SCALE = 256.0
"""Steps a metre of a 16-bit depth PNG, as KITTI writes it."""


def read_image(path: Path | str) -> UInt8[Tensor, "3 H W"]:
    """An 8-bit RGB image; gray becomes three equal channels, alpha is dropped, EXIF rotation is ignored.

    Raises:
        DataError: the file is missing, empty, truncated, not an image, or holds 16 bits a channel.
    """
    image, bits = _decode(path, "RGB", expected="an 8-bit PNG or JPEG image")
    if bits != 8:
        raise wrong_file(
            path,
            expected="8 bits a channel",
            got="16",
            hint="depth PNGs go under `depth`, not among the images",
        )
    return image


def read_mask(path: Path | str) -> Bool[Tensor, "H W"]:
    """True in the brighter half of an 8-bit image; colours count as their gray.

    Raises:
        DataError: the file is missing, damaged, or holds 16 bits a channel.
    """
    gray, bits = _decode(path, "L", expected="an 8-bit PNG or JPEG mask")
    if bits != 8:
        raise wrong_file(path, expected="a mask of 8 bits", got="16")
    return gray[0] > 127


def read_depth(path: Path | str, steps: float = DEPTH_SCALE, unknown: int = 0) -> Float[Tensor, "H W"]:
    """Depth along z in metres of a 16-bit gray PNG; 0 where nothing was measured.

    Args:
        path: the file.
        steps: of its values, a metre.
        unknown: a value that says "not measured", besides 0.

    Raises:
        DataError: the file is missing, damaged, or not a 16-bit PNG of one channel.
    """
    values, bits = _decode(path, None, expected="a 16-bit gray PNG of depth")
    if bits != 16 or values.shape[0] != 1:
        raise wrong_file(path, expected="a 16-bit gray PNG of depth", got=f"{values.shape[0]} channels of {bits} bits")
    depth = values[0].float()
    return torch.where(depth == unknown, 0.0, depth / steps)


def read_disparity(path: Path | str) -> Float[Tensor, "H W"]:
    """Disparity in pixels of a 16-bit gray PNG of Cityscapes, (value - 1) / 256; 0 where nothing was measured.

    Raises:
        DataError: as for `read_depth`.
    """
    values = read_depth(path) * DEPTH_SCALE
    return (values - 1).clamp(min=0) / DEPTH_SCALE


def read_labels(path: Path | str) -> UInt8[Tensor, "H W"]:
    """The raw class ids of an 8-bit PNG of one channel.

    Raises:
        DataError: the file is missing, damaged, or not an 8-bit image of one channel.
    """
    ids, bits = _decode(path, None, expected="an 8-bit gray PNG of class ids")
    if bits != 8 or ids.shape[0] != 1:
        got = f"{ids.shape[0]} channels of {bits} bits"
        raise wrong_file(path, expected="an 8-bit gray PNG of class ids", got=got)
    return ids[0]


def image_size(path: Path | str) -> tuple[int, int]:
    """Height and width from the header alone.

    Raises:
        DataError: the file is missing or its header is not an image's.
    """
    try:
        with Image.open(path, formats=_FORMATS) as image:
            return image.height, image.width
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        size = Path(path).stat().st_size if Path(path).is_file() else None
        got = "no such file" if size is None else f"{size} bytes that are not one"
        raise wrong_file(path, expected="a PNG or JPEG image", got=got) from None


def _decode(
    path: Path | str, mode: Literal["RGB", "L"] | None, *, expected: str
) -> tuple[Integer[Tensor, "C H W"], int]:
    """Pixels in a mode of Pillow, None being that of the file, and how many bits the file has for each value."""
    try:
        data = Path(path).read_bytes()
    except FileNotFoundError:
        raise wrong_file(path, expected=expected, got="no such file") from None
    except OSError as error:
        raise wrong_file(path, expected=expected, got=error.strerror or "an error of the system") from None
    if not data:
        raise wrong_file(path, expected=expected, got="an empty file")
    try:
        with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
            # Pillow reads colours of 16 bits as 8; the header of a PNG tells them apart, at a fixed place.
            bits = 16 if image.format == "PNG" and data[24] == 16 else 8
            # Nor does it mind a PNG that is cut off after its pixels.
            if image.format == "PNG" and b"IEND" not in data:
                raise OSError("it is cut off")
            pixels = _in_mode(image, mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise wrong_file(path, expected=expected, got=f"{len(data)} bytes that do not decode: {reason}") from None
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1).contiguous(), bits


def _in_mode(image: Image.Image, mode: Literal["RGB", "L"] | None) -> np.ndarray:
    """Pixels of an open file, 8 bits or, of gray alone, 16."""
    if image.mode.startswith("I"):
        return np.array(image).astype(np.uint16)
    if image.mode == "1":
        image = image.convert("L")
    return np.array(image if mode in (None, image.mode) else image.convert(mode))


def write_bytes(path: Path | str, data: bytes) -> None:
    """Write a file whole or not at all: to a temporary name beside it, flushed to disk, then renamed.

    Raises:
        DataError: the disk is full or the folder cannot be written to; nothing is left behind.
    """
    path = Path(path)
    temporary: str | None = None
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise DataError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None and os.path.exists(temporary):
            os.unlink(temporary)


def write_depth(path: Path | str, depth: Float[Tensor, "H W"]) -> None:
    """Write depth along z as a 16-bit PNG of metres x 256.

    What is not finite or not positive is written as 0, not measured; what lies beyond 255.99 m as 255.99 m;
    what is nearer than half a step as one step, so that it does not turn into "not measured".

    Raises:
        DataError: the file cannot be written.
    """
    measured = torch.isfinite(depth) & (depth > 0)
    steps = (torch.where(measured, depth, 0.0) * DEPTH_SCALE).round().clamp(1, 65535) * measured
    buffer = io.BytesIO()
    Image.fromarray(steps.cpu().numpy().astype(np.uint16)).save(buffer, "PNG")
    write_bytes(path, buffer.getvalue())


def write_image(path: Path | str, image: UInt8[Tensor, "3 H W"]) -> None:
    """Write an 8-bit RGB image in the format of its suffix, PNG or JPEG.

    Raises:
        DataError: the file cannot be written.
    """
    buffer = io.BytesIO()
    kind = "PNG" if Path(path).suffix.lower() == ".png" else "JPEG"
    Image.fromarray(image.permute(1, 2, 0).contiguous().cpu().numpy()).save(buffer, kind)
    write_bytes(path, buffer.getvalue())


def resize(image: UInt8[Tensor, "*batch C H W"], height: int, width: int) -> UInt8[Tensor, "*batch C h w"]:
    """Bilinear with antialiasing; the image keeps spanning [0, W] x [0, H], so its K is scaled."""
    if image.shape[-2:] == (height, width):
        return image
    flat = image.reshape(-1, *image.shape[-3:])
    resized = F.interpolate(flat, (height, width), mode="bilinear", antialias=True)
    return resized.reshape(*image.shape[:-2], height, width)


def resize_labels(ids: Integer[Tensor, "H W"], height: int, width: int) -> Integer[Tensor, "h w"]:
    """The label at the centre of each new pixel; labels are never mixed."""
    rows = ((torch.arange(height) + 0.5) * ids.shape[0] / height).long()
    columns = ((torch.arange(width) + 0.5) * ids.shape[1] / width).long()
    return ids[rows[:, None], columns]


def resize_depth(depth: Float[Tensor, "H W"], height: int, width: int) -> Float[Tensor, "h w"]:
    """The measurement nearest to the centre of each new pixel, 0 where none falls into it.

    Depths are never averaged, which would invent surfaces between near and far, and sparse depth keeps
    every pixel that holds a measurement. When enlarging, each pixel takes the one its centre lies in.
    """
    old_height, old_width = depth.shape
    if height > old_height or width > old_width:
        return resize_labels(depth.view(torch.int32), height, width).view(torch.float32)
    row, column = (depth > 0).nonzero(as_tuple=True)
    y, x = (row + 0.5) * height / old_height, (column + 0.5) * width / old_width
    target = y.long() * width + x.long()
    off_centre = (y - y.floor() - 0.5) ** 2 + (x - x.floor() - 0.5) ** 2
    nearest = torch.full((height * width,), torch.inf).scatter_reduce(0, target, off_centre, "amin")
    chosen = off_centre == nearest[target]
    resized = torch.full((height * width,), torch.inf)
    resized = resized.scatter_reduce(0, target[chosen], depth[row, column][chosen], "amin")
    return torch.where(resized.isinf(), 0.0, resized).reshape(height, width)


@dataclass(frozen=True)
class Lookup:
    """Where each pixel of a virtual pinhole view comes from, at twice its size in each direction.

    Attributes:
        grid: as `torch.nn.functional.grid_sample` wants it, two by two samples a pixel.
        covered: pixels all of whose samples lie in the fisheye image.
    """

    grid: Float[Tensor, "H2 W2 2"]
    covered: Bool[Tensor, "H W"]


def fisheye_lookup(fisheye: Fisheye, virtual: Virtual, height: int, width: int) -> Lookup:
    """Prepare the resampling of a fisheye image to a pinhole view of ``height`` x ``width``.

    Four samples a pixel are averaged, since a wide view shrunk to network size would alias.
    """
    camera = virtual.camera.resize(2 * height, 2 * width)
    source, seen = pinhole_lookup(fisheye, camera, virtual.rotation.to(camera.K.dtype))
    grid = to_grid(source, fisheye.height, fisheye.width).float()
    covered = seen.reshape(height, 2, width, 2).all(dim=3).all(dim=1)
    # Far outside of [-1, 1] is outside; this keeps the unseen directions from being infinite.
    return Lookup(torch.where(seen[..., None], grid, 2.0), covered)


def resample(image: UInt8[Tensor, "3 h w"], lookup: Lookup) -> UInt8[Tensor, "3 H W"]:
    """The virtual pinhole view of a fisheye image; black where the fisheye does not look."""
    # The outermost half pixel of the image has no neighbour; it is not to be mixed with black.
    sampled = F.grid_sample(image[None].float(), lookup.grid[None], padding_mode="border", align_corners=False)
    view = F.avg_pool2d(sampled, 2)[0] * lookup.covered
    return view.round().clamp(0, 255).to(torch.uint8)
