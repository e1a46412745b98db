"""Photographs to predictions: each is made to look as if the training camera had taken it, and the method asked."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scene3d.data.snippet_config import SnippetConfig, ViewSpec
from scene3d.engine.distributed import pick_device
from scene3d.engine.photographs import Picture, given_camera, image_files, match, read_picture, video_frames
from scene3d.errors import CheckpointError, Scene3dError
from scene3d.geometry.camera import Camera
from scene3d.methods import Method, as_module
from scene3d.nn.extractor import fingerprint
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction, Prediction
from scene3d.structures.scene import Shot
from scene3d.visualise.points import with_points

log = logging.getLogger(__name__)

_View = tuple[UInt8[Tensor, "3 H W"], Camera]
"""Pixels as the network takes them, and their camera."""


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
        earlier: which images before one the method looks up, as negative offsets: (-1,) is the one before. They
            follow the image as views; those that are not there are absent.
    """

    def __init__(
        self,
        method: Method,
        view: TrainingView,
        *,
        device: str = "auto",
        recipe: Any = None,
        earlier: Sequence[int] = (),
    ) -> None:
        self.method, self.view, self.recipe, self.earlier = method, view, recipe, tuple(earlier)
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
        """What the method says of frames that are ready; a completed scene with the points that the image shows."""
        try:
            with torch.inference_mode():
                prediction = self.method.predict(frames.to(self.device))
                return with_points(prediction, frames) if isinstance(prediction, CompletionPrediction) else prediction
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise self._too_large(frames, error) from None
        except RuntimeError as error:
            # The CPU's allocator has no exception of its own.
            if "can't allocate memory" not in str(error) and "not enough memory" not in str(error):
                raise
            raise self._too_large(frames, error) from None

    @property
    def fingerprint(self) -> str:
        """Of the weights and the camera: predictors that share it say the same of the same image."""
        return fingerprint(as_module(self.method), self.view.notes())

    @property
    def snippet_config(self) -> SnippetConfig:
        """What to read of each frame of a drive: as the recipe scores it; of released weights, by what they look up."""
        if self.recipe is not None:
            return self.recipe.data.scoring or self.recipe.data.snippets
        camera = self.view.camera
        own = ViewSpec(sensor="left")
        views = (own, *(own.model_copy(update={"offset": offset}) for offset in self.earlier))
        # Their depth has a scale of its own, in which the data do not know where the camera was.
        return SnippetConfig(views=views, height=camera.height, width=camera.width, motion="estimated")

    def predict_folder(self, folder: Path | str, K: Any = None, *, every: int = 1) -> Iterator[tuple[Path, Prediction]]:
        """The prediction of every image file in a folder, in the order of their names.

        Raises:
            DataError: there is no image in it.
        """
        for frames, shot in self.snippets(image_files(Path(folder)), K, every=every):
            yield shot.image, self.predict_frames(frames)

    def predict_video(self, video: Path | str, K: Any = None, *, every: int = 1) -> Iterator[tuple[int, Prediction]]:
        """Number and prediction of every so manieth frame of a video.

        Raises:
            MissingExtraError: PyAV is not installed.
            DataError: it is not a video.
        """
        images = (image for _, image in video_frames(Path(video)))
        for frames, shot in self.snippets(images, K, every=every):
            yield shot.frame, self.predict_frames(frames)

    def snippets(
        self,
        images: Iterable[Picture],
        K: Any = None,
        *,
        every: int = 1,
        take: Callable[[int], bool] = lambda number: True,
    ) -> Iterator[tuple[Frames, Shot]]:
        """Images that follow one another, each with those before it that the method looks up, and what it is.

        Args:
            images: in order; each is read once, and only if it is a reference or looked up by one.
            K: of all of them, as for `predict`.
            every: take one in so many as the reference; those before it are its neighbours all the same.
            take: whether the image of this number, from 0, is to be a reference; of those that `every` leaves.
        """
        recent: deque[_View | None] = deque(maxlen=1 - min(self.earlier, default=0))
        for number, image in enumerate(images):
            asked = [after % every == 0 and take(after) for after in (number, *(number - o for o in self.earlier))]
            recent.appendleft(self._matched(image, K) if any(asked) else None)
            if asked[0] and recent[0] is not None:
                file = Path(image) if isinstance(image, (str, Path)) else Path(f"{number:06d}")
                shot = Shot(image=file, frame=number, sensor="image", camera=recent[0][1])
                yield self._frames(list(recent), str(file)), shot

    def frames(self, image: Picture, K: Any = None) -> Frames:
        """The image as the network gets it: cut, resized, with its K and with the place of the voxel grid."""
        name = str(image) if isinstance(image, (str, Path)) else "image"
        return self._frames([self._matched(image, K)], name)

    def _frames(self, recent: Sequence[_View | None], name: str) -> Frames:
        """An image and those before it, the last one first, as a snippet."""
        assert recent[0] is not None
        pixels, camera = recent[0]
        offsets = (0, *self.earlier)
        chosen = [recent[-offset] if -offset < len(recent) else None for offset in offsets]
        views = [(torch.zeros_like(pixels), camera) if view is None else view for view in chosen]
        return Frames(
            image=torch.stack([view[0] for view in views])[None].float() / 255,
            K=torch.stack([view[1].K.float() for view in views])[None],
            present=torch.tensor([[view is not None for view in chosen]]),
            names=(name,),
            offset=torch.tensor([offsets]),
            grid_to_cam=self.view.grid_to_cam[None],
        )

    def camera_of(self, image: Picture, K: Any = None) -> Camera:
        """The camera that an image is taken for: the given one, or the assumed one."""
        return self._camera(read_picture(image), K)

    def _matched(self, image: Picture, K: Any) -> _View:
        pixels = read_picture(image)
        return match(pixels, self._camera(pixels, K), self.view.camera)

    def _camera(self, pixels: UInt8[Tensor, "3 H W"], K: Any) -> Camera:
        height, width = pixels.shape[-2:]
        return self._assumed(height, width) if K is None else given_camera(K, height, width)

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
