"""Points of a surface that structure from motion found along with the cameras, and which images saw each."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int, UInt8
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class SparsePoints:
    """N points with their tracks: T observations, those of one point after another.

    Attributes:
        points: in the world of the scene.
        colours: RGB 0..255 of each.
        errors: mean reprojection error of each, pixels of the images as they lie on disk.
        track_start: point n was seen by observations ``track_start[n]`` up to, not including, ``track_start[n + 1]``.
        track_shot: which of the scene's shots an observation is in.
        track_pixel: where in that image, as it lies on disk, lens and all; pixel centres at +0.5.
    """

    points: Float[Tensor, "N 3"]
    colours: UInt8[Tensor, "N 3"]
    errors: Float[Tensor, "N"]  # noqa: UP037
    track_start: Int[Tensor, "starts"]  # noqa: UP037
    track_shot: Int[Tensor, "T"]  # noqa: UP037
    track_pixel: Float[Tensor, "T 2"]
