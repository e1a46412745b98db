"""Fields of one image asked about other images: what these look like, and whether they get the same features."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.data.snippet_config import ViewSpec
from scene3d.engine.rules import OURS
from scene3d.errors import DataError, Scene3dError, UsageError
from scene3d.evaluation.feature_consistency import Consistency, consistency, correspondences, sample
from scene3d.evaluation.view_tables import NovelView, consistency_table, novel_views_table
from scene3d.evaluation.views import psnr, ssim
from scene3d.geometry.camera import pixel_centres
from scene3d.geometry.depth import ray_lengths
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import invert
from scene3d.structures.frames import Frames
from scene3d.structures.rays import Rays
from scene3d.structures.tables import Table
from scene3d.volume import ImageField
from scene3d.volume.renderer import Rendering
from scene3d.volume.source_views import SourceViews

log = logging.getLogger(__name__)

AS_IT_IS = "the reference image as it is"
TEACHER = "teacher, each image by itself"


@runtime_checkable
class LooksAlongRays(Protocol):
    """A method whose fields can be asked along any rays."""

    def encode(self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"]) -> ImageField:
        """The field of an image, in the coordinates of its camera."""
        ...

    def render_view(
        self, field: ImageField, height: int, width: int
    ) -> tuple[Float[Tensor, "B H W"], Float[Tensor, "B C H W"] | None]:
        """Distance (metres) and features of every pixel of the field's own image."""
        ...

    def look(self, field: ImageField, rays: Rays, sources: SourceViews | None = None) -> Rendering:
        """What rays meet."""
        ...

    def expand(self, features: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch E"]:
        """Unit vectors of the teacher's size from the field's features."""
        ...

    def teacher_features(self, image: Float[Tensor, "B V 3 H W"]) -> Float[Tensor, "B V C h w"]:
        """What the teacher says of every view."""
        ...


@runtime_checkable
class StandsOnAField(Protocol):
    """A method that says more of the field of another one, such as its classes."""

    completion: nn.Module


class NovelViewScorer:
    """Adds frame after frame; `tables` lays out what came together.

    Args:
        method: makes a field of the reference image.
        views: which images are asked about; the last ones of every snippet.

    Raises:
        UsageError: the method has no field that can be asked along rays.
    """

    def __init__(self, method: object, views: Sequence[ViewSpec]) -> None:
        if isinstance(method, StandsOnAField):
            method = method.completion
        if not isinstance(method, LooksAlongRays):
            raise UsageError(f"evaluate.novel_views: expected a method of completion, got {type(method).__name__}")
        self.method = method
        self.names = [f"{view.sensor}{f' {_instant(view)}' if _instant(view) else ''}" for view in views]
        self._views: dict[str, list[NovelView]] = defaultdict(list)
        self._features: dict[str, list[Consistency]] = defaultdict(list)
        self._teaches = True

    def add(self, frames: Frames) -> None:
        """Ask the field of view 0 about the other views of one snippet, as far as it is known where these stand."""
        if frames.cam_to_world is None:
            return
        known = frames.present[0] if frames.posed is None else frames.present[0] & frames.posed[0]
        first = frames.image.shape[1] - len(self.names)
        there = [(name, first + i) for i, name in enumerate(self.names) if bool(known[first + i])]
        if not there:
            return
        height, width = frames.image.shape[-2:]
        field = self.method.encode(frames.image[:, 0], frames.K[:, 0])
        distance, features = self.method.render_view(field, height, width)
        for name, view in there:
            self._compare_pixels(field, frames, view, name)
            if features is not None:
                self._compare_features(distance[0], features[0], frames, view, name)

    def tables(self) -> list[Table]:
        """What was found.

        Raises:
            DataError: there was no view whose place is known.
        """
        if not self._views:
            raise DataError(
                "evaluate.novel_views: expected frames that have these views and say where they stand, got none"
            )
        found = [novel_views_table(self._views)]
        return [*found, consistency_table(self._features)] if self._features else found

    def _compare_pixels(self, field: ImageField, frames: Frames, view: int, name: str) -> None:
        """The view as the field shows it, coloured by the reference image alone."""
        assert frames.cam_to_world is not None
        height, width = frames.image.shape[-2:]
        cam_to_field = invert(frames.cam_to_world[:, 0]) @ frames.cam_to_world[:, view]
        pixels = pixel_centres(height, width, device=frames.K.device).to(frames.K).reshape(1, -1, 2)
        origins, directions = pixel_rays(pixels, frames.K[:, view], cam_to_field)
        identity = torch.eye(4).to(cam_to_field)[None, None]
        sources = SourceViews(frames.image[:, :1], frames.K[:, :1], identity, _shown(frames)[:, :1])
        seen = self.method.look(field, Rays(origins=origins, directions=directions), sources)
        assert seen.colour is not None and seen.unseen is not None
        rendered = seen.colour[0, 0].T.reshape(3, height, width).clamp(0, 1)
        shown = _shown(frames)[0, view]
        visible = (torch.maximum(seen.unseen[0, 0], seen.unknown[0]) < 0.5).reshape(height, width) & shown
        if not bool(visible[5:-5, 5:-5].any()):
            return
        true = frames.image[0, view]
        for row, image in ((OURS, rendered), (AS_IT_IS, frames.image[0, 0])):
            whole = psnr(image, true, shown), ssim(image, true, shown)
            part = psnr(image, true, visible), ssim(image, true, visible)
            self._views[f"{row}, {name}"].append(NovelView(*whole, *part, visible.float().mean().item()))

    def _compare_features(self, distance: Tensor, features: Tensor, frames: Frames, view: int, name: str) -> None:
        """The features of two images, each by its own field, at the places that both show."""
        assert frames.cam_to_world is not None
        height, width = frames.image.shape[-2:]
        other = self.method.encode(frames.image[:, view], frames.K[:, view])
        other_distance, other_features = self.method.render_view(other, height, width)
        assert other_features is not None
        K, other_K = frames.K[0, 0], frames.K[0, view]
        places = correspondences(
            distance / ray_lengths(K, height, width),
            other_distance[0] / ray_lengths(other_K, height, width),
            K,
            other_K,
            invert(frames.cam_to_world[0, view]) @ frames.cam_to_world[0, 0],
            _shown(frames)[0, view],
        )
        maps = {OURS: (features, other_features[0], 1.0)}
        taught = self._taught(frames.image[:, [0, view]])
        if taught is not None:
            maps[TEACHER] = (taught[0], taught[1], width / taught.shape[-1])
        for row, (here, there, stride) in maps.items():
            vectors = sample(here, places.here, stride).T, sample(there, places.there, stride).T
            if row == OURS:
                vectors = self.method.expand(vectors[0]), self.method.expand(vectors[1])
            found = consistency(*vectors, places.share)
            if found is not None:
                self._features[f"{row}, {name}"].append(found)

    def _taught(self, images: Float[Tensor, "1 2 3 H W"]) -> Float[Tensor, "2 C h w"] | None:
        """What the teacher says, where it can be had: a method predicts without its teacher."""
        if not self._teaches:
            return None
        try:
            return self.method.teacher_features(images)[0].float()
        except Scene3dError as error:
            log.warning("no row of the teacher: %s", error)
            self._teaches = False
            return None


def _instant(view: ViewSpec) -> str:
    """How many frames later, as part of a row's name; nothing for the reference's own instant."""
    if isinstance(view.offset, tuple):
        return f"{view.offset[0] + view.plus:+d} or later"
    later = view.offset + view.plus
    return f"{later:+d}" if later else ""


def _shown(frames: Frames) -> Tensor:
    """True on pixels that a view really shows [B, V, H, W]."""
    if frames.valid is not None:
        return frames.valid
    return frames.present[..., None, None].expand(*frames.image.shape[:2], *frames.image.shape[-2:])
