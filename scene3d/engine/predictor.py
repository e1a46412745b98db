"""One photograph to a prediction: read it, make it look as if the training camera had taken it, ask the method."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps
from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, read_image, resize
from scene3d.engine.distributed import pick_device
from scene3d.errors import CheckpointError, MissingExtraError, Scene3dError, UsageError, wrong_file
from scene3d.geometry.camera import Camera
from scene3d.methods import Method, as_module
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import Prediction

log = logging.getLogger(__name__)


NARROWEST = 8  # pixels; a window smaller than this holds no picture
EXIF_ORIENTATION = 0x0112
Picture = Path | str | Image.Image | np.ndarray | Tensor


@dataclass(frozen=True)
class TrainingView:
    """The camera that a method was trained with, at the size that its network takes.

    Attributes:
        camera: of view 0.
        grid_to_cam: where the voxel grid lay.
    """

    camera: Camera
    grid_to_cam: Float[Tensor, "4 4"]

    def notes(self) -> dict[str, Any]:
        """Plain values, to lie beside the weights."""
        return {
            "K": self.camera.K.double().tolist(),
            "height": self.camera.height,
            "width": self.camera.width,
            "grid_to_cam": self.grid_to_cam.double().tolist(),
        }

    @staticmethod
    def from_notes(notes: Mapping[str, Any], source: Path | str) -> TrainingView:
        """What `notes` wrote.

        Raises:
            CheckpointError: something is missing or is not a number.
        """
        try:
            K = torch.tensor(notes["K"], dtype=torch.float32).reshape(3, 3)
            grid_to_cam = torch.tensor(notes["grid_to_cam"], dtype=torch.float32).reshape(4, 4)
            return TrainingView(Camera(K, int(notes["height"]), int(notes["width"])), grid_to_cam)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise CheckpointError(f"{source}: expected the camera of the training, got {error!r}") from None


class Predictor:
    """A trained method that takes any image.

    An image is cut and resized so that its rays are those of the training camera as far as it reaches. Where
    its field of view is narrower, the part that there is fills the network's size, and K says so. The image
    that the network saw is `frames(...).image[0, 0]`; a prediction is of that image.

    Without K, the camera is assumed to have square pixels, its axis in the middle, and the horizontal field
    of view of the training camera. Depth is off by as much as that is.

    Args:
        method: trained.
        view: of the training.
        device: "auto", "cpu", "cuda", "cuda:1".
        recipe: of the training, for whoever wants to know.
    """

    def __init__(self, method: Method, view: TrainingView, *, device: str = "auto", recipe: Any = None) -> None:
        self.method, self.view, self.recipe = method, view, recipe
        self.device = pick_device(device)
        as_module(method).to(self.device).eval()
        self._told = False

    def predict(self, image: Picture | Frames, K: Any = None) -> Prediction:
        """What the method says of one image, or of frames that are ready.

        Args:
            image: `Frames` of the network's size; or a file, a PIL image, RGB pixels [H, W, 3] (or gray [H, W]) as
                an array, or [3, H, W] as a tensor. 8-bit, or floating point in [0, 1].
            K: 3 x 3 or (fx, fy, cx, cy), in pixels of this image, with the centre of the first pixel at
                (0.5, 0.5); None assumes.

        Raises:
            DataError: the file is missing or damaged.
            UsageError: the shape is not that of an image, or K is not of this image.
            Scene3dError: the memory of the device does not suffice.
        """
        return self.predict_frames(image if isinstance(image, Frames) else self.frames(image, K))

    def predict_frames(self, frames: Frames) -> Prediction:
        """What the method says of frames that are ready."""
        try:
            with torch.inference_mode():
                return self.method.predict(frames.to(self.device))
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._too_large(frames, error) from None
        except RuntimeError as error:
            # The CPU's allocator has no exception of its own.
            if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
                raise
            raise self._too_large(frames, error) from None

    def predict_folder(self, folder: Path | str, K: Any = None, *, every: int = 1) -> Iterator[tuple[Path, Prediction]]:
        """The prediction of every image file in a folder, in the order of their names.

        Raises:
            DataError: there is no image in it.
        """
        folder = Path(folder)
        files = sorted(file for file in folder.glob("*") if file.suffix.lower() in IMAGE_SUFFIXES)
        if not files:
            raise wrong_file(folder, expected=f"images ({', '.join(IMAGE_SUFFIXES)})", got="none")
        for file in files[::every]:
            yield file, self.predict(file, K)

    def predict_video(self, video: Path | str, K: Any = None, *, every: int = 1) -> Iterator[tuple[int, Prediction]]:
        """Number and prediction of every so manieth frame of a video.

        Raises:
            MissingExtraError: PyAV is not installed.
            DataError: it is not a video.
        """
        for number, image in video_frames(Path(video)):
            if number % every == 0:
                yield number, self.predict(image, K)

    def frames(self, image: Picture, K: Any = None) -> Frames:
        """The image as the network gets it: cut, resized, with its K and with the place of the voxel grid."""
        pixels = read_picture(image)
        height, width = pixels.shape[-2:]
        camera = self._assumed(height, width) if K is None else _given(K, height, width)
        pixels, camera = match(pixels, camera, self.view.camera)
        return Frames(
            image=(pixels.float() / 255)[None, None],
            K=camera.K.float()[None, None],
            present=torch.ones(1, 1, dtype=torch.bool),
            names=(str(image) if isinstance(image, (str, Path)) else "image",),
            grid_to_cam=self.view.grid_to_cam[None],
        )

    def _assumed(self, height: int, width: int) -> Camera:
        trained = self.view.camera
        focal = float(trained.K[0, 0]) * width / trained.width
        if not self._told:
            degrees = 2 * np.degrees(np.arctan(width / 2 / focal))
            log.warning("no K given: assuming a horizontal field of view of %.0f degrees, as in training", degrees)
            self._told = True
        K = torch.tensor([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])
        return Camera(K, height, width)

    def _too_large(self, frames: Frames, error: BaseException) -> Scene3dError:
        size = "x".join(str(side) for side in frames.image.shape[-2:])
        reason = str(error).splitlines()[0] if str(error) else "no more to be had"
        return Scene3dError(
            f"{self.device}: out of memory for an image of {size}: {reason}",
            hint="device cpu, or a smaller method.chunk in the recipe",
        )


def match(image: UInt8[Tensor, "3 h w"], camera: Camera, wanted: Camera) -> tuple[UInt8[Tensor, "3 H W"], Camera]:
    """The part of an image that another camera would have seen, at that camera's size, and its K.

    Exact to the pixel at which it is cut; skew is left as it is.

    Raises:
        UsageError: hardly anything of the image lies in the other camera's field of view.
    """
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


def _given(K: Any, height: int, width: int) -> Camera:
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
