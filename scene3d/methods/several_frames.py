"""Scene completion from several frames of a drive: a method for one image is asked of each, and the answers are fused.

Nothing is learnt for it: it needs where the camera was, and a method with a field.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.errors import UsageError
from scene3d.fusion.several_frames import FusedField, StretchedField, stretch_to
from scene3d.geometry.depth import ray_lengths
from scene3d.geometry.se3 import invert
from scene3d.stereo.snippets import match_snippet
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction
from scene3d.volume import ImageField


@runtime_checkable
class CompletesFields(Protocol):
    """A method that makes a field of an image, and a completed scene of a field."""

    def encode(self, image: Float[Tensor, "B 3 H W"], K: Float[Tensor, "B 3 3"]) -> ImageField:
        """The field of an image, in the coordinates of its camera."""
        ...

    def complete(self, field: ImageField, frames: Frames) -> CompletionPrediction:
        """What the field says of the reference view and of the voxel grid."""
        ...

    def render_view(
        self, field: ImageField, height: int, width: int
    ) -> tuple[Float[Tensor, "B H W"], Float[Tensor, "B C H W"] | None]:
        """Distance (metres) and features of every pixel of the field's own image."""
        ...


class SeveralFrames:
    """Answers as its method does, with the frames before the reference taken into account.

    Args:
        method: trained on single images.
        earlier: offsets of the frames that are looked up, as (-1, -2). Those that a drive does not have, or of which it
            does not know where the camera was, have no say.

    Raises:
        UsageError: the method has no field to fuse.
    """

    def __init__(self, method: object, earlier: tuple[int, ...]) -> None:
        if not isinstance(method, CompletesFields):
            raise UsageError(f"several frames: expected a method of completion, got {type(method).__name__}")
        self.method, self.earlier = method, earlier

    @torch.no_grad()
    def predict(self, frames: Frames) -> CompletionPrediction:
        """The completed scene of the reference view."""
        return self.method.complete(self.field(frames), frames)

    @torch.no_grad()
    def field(self, frames: Frames) -> ImageField:
        """The fused field of the reference and the frames that are looked up, in the reference's coordinates."""
        heard = frames.lookups(self.earlier)
        if frames.posed is not None:
            heard = heard & frames.posed
        views = [0, *(v for v in range(1, heard.shape[1]) if bool(heard[:, v].any()))]
        own = self.method.encode(frames.image[:, 0], frames.K[:, 0])
        if frames.cam_to_world is None or len(views) == 1:
            return own
        heard[:, 0] = True
        matched = _matched(frames, heard)
        height, width = frames.image.shape[-2:]
        fields: list[ImageField] = []
        for v in views:
            field = own if v == 0 else self.method.encode(frames.image[:, v], frames.K[:, v])
            distance, _ = self.method.render_view(field, height, width)
            rendered = distance / ray_lengths(frames.K[:, v], height, width)
            fields.append(StretchedField(field, stretch_to(rendered, matched[:, v])))
        placed = invert(frames.cam_to_world[:, views]) @ frames.cam_to_world[:, :1]
        return FusedField(tuple(fields), placed.transpose(0, 1), heard[:, views].T)


def _matched(frames: Frames, heard: Bool[Tensor, "B V"]) -> Float[Tensor, "B V H W"]:
    """Depth of the views of each snippet that have a say, by matching them; 0 where it is not believed."""
    assert frames.cam_to_world is not None
    depth = frames.image.new_zeros(frames.image[:, :, 0].shape)
    for b, there in enumerate(heard):
        some = there.nonzero()[:, 0]
        depth[b, some] = match_snippet(frames.image[b, some], frames.K[b, some], frames.cam_to_world[b, some])
    return depth
