"""Which of two parts of a scene is the object: what the cameras keep in view and nothing stands on.

Published code asks the class token of DINO; our contract of extractors has none, so the cameras are asked.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.planes import ransac_plane

EQUALLY_SEEN = 0.1
"""Parts whose shares in view differ by less than this are both looked at."""

FLAT = 0.7
"""A part of which this share lies on one plane is a thing to stand on, or a wall."""


def choose_foreground(
    points: Float[Tensor, "N 3"],
    side: Bool[Tensor, "N"],  # noqa: UP037
    in_view: Float[Tensor, "N"],  # noqa: UP037
    tolerance: float,
    generator: torch.Generator | None = None,
) -> Bool[Tensor, "N"]:  # noqa: UP037
    """Which points are the object's.

    Whoever photographs an object keeps it in the image while what is behind it comes and goes: the part that is in
    view of more cameras is the object. Where both are as much in view, a flat part is the ground; where neither is
    flat, both are the object, as before a black cloth.

    Args:
        points: at least one on either side.
        side: of a cut.
        in_view: share of the cameras that have each point in their image.
        tolerance: a point this near lies on a plane.
        generator: draws the planes that are tried.
    """
    seen_one, seen_two = in_view[side].mean(), in_view[~side].mean()
    if (seen_one - seen_two).abs() >= EQUALLY_SEEN:
        return side if seen_one > seen_two else ~side
    flat_one, flat_two = (_is_flat(points[part], tolerance, generator) for part in (side, ~side))
    if flat_one == flat_two:
        return torch.ones_like(side)
    return ~side if flat_one else side


def _is_flat(points: Float[Tensor, "N 3"], tolerance: float, generator: torch.Generator | None) -> bool:
    try:
        _, inliers = ransac_plane(points, tolerance, trials=500, generator=generator)
    except ValueError:
        # Fewer than three points, or a line of them, say nothing.
        return False
    return bool(inliers.double().mean() >= FLAT)
