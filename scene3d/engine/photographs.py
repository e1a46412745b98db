"""Images of anybody's: read from wherever they are, and cut to what another camera would have seen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image, ImageOps
from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, read_image, resize
from scene3d.errors import MissingExtraError, UsageError, wrong_file
from scene3d.geometry.camera import Camera

NARROWEST = 8  # pixels; what is smaller than the smallest patch of any network holds no picture
EXIF_ORIENTATION = 0x0112
Picture = Path | str | Image.Image | np.ndarray | Tensor


def image_files(folder: Path) -> list[Path]:
    """The image files of a folder in the order of their names.

    Raises:
        DataError: there is none in it.
    """
    files = sorted(file for file in folder.glob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise wrong_file(folder, expected=f"images ({', '.join(IMAGE_SUFFIXES)})", got="none")
    return files


def match(image: UInt8[Tensor, "3 h w"], camera: Camera, wanted: Camera) -> tuple[UInt8[Tensor, "3 H W"], Camera]:
    """The part of an image that another camera would have seen, at that camera's size, and its K.

    Exact to the pixel at which it is cut; skew is left as it is.

    Raises:
        UsageError: the image is hardly one, or hardly anything of it lies in the other camera's field of view.
    """
    if min(image.shape[-2:]) < NARROWEST:
        size = f"{image.shape[-2]}x{image.shape[-1]}"
        raise UsageError(f"image: expected at least {NARROWEST}x{NARROWEST} pixels, one patch, got {size}")
    left, right = _window(camera, wanted, axis=0, length=camera.width, wanted_length=wanted.width)
    top, bottom = _window(camera, wanted, axis=1, length=camera.height, wanted_length=wanted.height)
    if right - left < NARROWEST or bottom - top < NARROWEST:
        raise UsageError(
            f"K: expected a camera that looks where the training camera did, got one that shares "
            f"{max(right - left, 0)} x {max(bottom - top, 0)} pixels with it"
        )
    cut = image[:, top:bottom, left:right]
    seen = camera.crop(top, left, bottom - top, right - left).resize(wanted.height, wanted.width)
    return resize(cut, wanted.height, wanted.width), seen


def read_picture(image: Picture) -> UInt8[Tensor, "3 H W"]:
    """RGB pixels of whatever holds an image; a file is turned upright as its EXIF says.

    Raises:
        DataError: the file is missing or damaged.
        UsageError: the shape or the values are not those of an image.
    """
    if isinstance(image, (str, Path)):
        pixels = read_image(Path(image))
        with Image.open(image) as picture:
            if picture.getexif().get(EXIF_ORIENTATION, 1) == 1:
                return pixels
            return read_picture(ImageOps.exif_transpose(picture))
    if isinstance(image, Image.Image):
        return torch.from_numpy(np.array(image.convert("RGB"))).permute(2, 0, 1).contiguous()
    if isinstance(image, np.ndarray):
        channels_last = image[..., None] if image.ndim == 2 else image
        if channels_last.ndim != 3:
            raise UsageError(f"image: expected an array [H, W, 3], got {list(image.shape)}")
        image = torch.from_numpy(np.ascontiguousarray(channels_last)).permute(2, 0, 1)
    if image.ndim != 3 or image.shape[0] not in (1, 3) or 0 in image.shape:
        raise UsageError(f"image: expected [3, H, W] (an array: [H, W, 3]), got {list(image.shape)}")
    image = image.detach().cpu().expand(3, -1, -1)
    if image.is_floating_point():
        if not bool(((image >= 0) & (image <= 1)).all()):
            raise UsageError("image: expected floating-point values in [0, 1], got others")
        image = (image * 255).round().to(torch.uint8)
    if image.dtype != torch.uint8:
        raise UsageError(f"image: expected 8 bits or floating point, got {image.dtype}")
    return image.contiguous()


def given_camera(K: Any, height: int, width: int) -> Camera:
    """A K that a user gave, checked against the image."""
    numbers = torch.as_tensor(K, dtype=torch.float32).cpu()
    if numbers.numel() == 4:
        fx, fy, cx, cy = numbers.flatten().tolist()
        numbers = torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])
    if numbers.shape != (3, 3) or not bool(torch.isfinite(numbers).all()):
        raise UsageError(f"K: expected 3 x 3 finite numbers or fx, fy, cx, cy, got {list(numbers.shape)}")
    fx, fy, cx, cy = (float(value) for value in (numbers[0, 0], numbers[1, 1], numbers[0, 2], numbers[1, 2]))
    if fx <= 0 or fy <= 0 or not (0 < cx < width and 0 < cy < height):
        raise UsageError(
            f"K: expected pixels of an image of {height} x {width}, got fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g}",
            hint="K of another size? Scale it with the image",
        )
    return Camera(numbers, height, width)


def _window(camera: Camera, wanted: Camera, *, axis: int, length: int, wanted_length: int) -> tuple[int, int]:
    """First and last pixel along an axis that lie in the wanted field of view."""
    focal, centre = float(camera.K[axis, axis]), float(camera.K[axis, 2])
    wanted_focal, wanted_centre = float(wanted.K[axis, axis]), float(wanted.K[axis, 2])
    first = centre + focal * (0 - wanted_centre) / wanted_focal
    last = centre + focal * (wanted_length - wanted_centre) / wanted_focal
    return max(round(first), 0), min(round(last), length)


def video_frames(video: Path) -> Iterator[tuple[int, np.ndarray]]:
    """Number and RGB pixels [H, W, 3] of every frame of a video.

    Raises:
        MissingExtraError: PyAV is not installed.
        DataError: it is not a video.
    """
    try:
        import av
    except ImportError:
        raise MissingExtraError("reading video needs PyAV", hint='pip install "scene3d[video]"') from None
    try:
        with av.open(str(video)) as container:
            for number, frame in enumerate(container.decode(video=0)):
                yield number, frame.to_ndarray(format="rgb24")
    except (av.FFmpegError, IndexError, OSError) as error:
        raise wrong_file(video, expected="a video", got=str(error)) from None
