"""The plane that an object stands on, and the box about it.

After the coarse stage of AutoRecon (Wang et al., CVPR 2023): the shares below are those of its published code,
unless said.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.boxes import OrientedBox, box_about
from scene3d.geometry.planes import Plane, ransac_plane
from scene3d.geometry.se3 import rigid

WITHIN = 1.0
"""Background this near to the object, in its extents, may be what it stands on."""

SUPPORT = 0.05
"""A plane holds at least this many points for each of the object."""

GAP = 0.5
"""And is at most this far from the object's lowest points, in its extents: a ball that is seen from above has no points
below its equator. The published code has 0.2, for objects with points down to the ground."""

BELOW = 0.1
"""And has at most this share of the object below it."""

CANDIDATES = 5
"""Planes that are looked at, one after another without the points of the last."""

TAILS = 0.005
"""Share of the points that the tight box leaves out on each side of each axis: a stray one decides nothing."""

ROOM = 0.1
"""By this share of its size the box is larger than the object's points; smooth parts have none at their rims."""


def supporting_plane(
    foreground: Float[Tensor, "N 3"],
    background: Float[Tensor, "M 3"],
    tolerance: float,
    generator: torch.Generator | None = None,
) -> Plane | None:
    """The plane under an object, the object's side up; None where nothing flat is there.

    Args:
        foreground: points of the object, at least one.
        background: other points.
        tolerance: a point this near lies on a plane.
        generator: draws the planes that are tried.
    """
    low, high = foreground.amin(dim=0), foreground.amax(dim=0)
    extent = float((high - low).amax())
    about = ((background >= low - WITHIN * extent) & (background <= high + WITHIN * extent)).all(dim=1)
    rest = background[about]
    for _ in range(CANDIDATES):
        if len(rest) < max(3, SUPPORT * len(foreground)):
            return None
        try:
            plane, inliers = ransac_plane(rest, tolerance, generator=generator)
        except ValueError:
            return None
        if inliers.sum() < max(3, SUPPORT * len(foreground)):
            return None
        up = plane if plane.height(foreground).median() >= 0 else plane.flipped()
        heights = up.height(foreground)
        lowest = heights.quantile(0.01) if len(heights) < 2**24 else heights.amin()
        if lowest.abs() <= GAP * extent and (heights < -tolerance).double().mean() <= BELOW:
            return up
        rest = rest[~inliers]
    return None


def object_box(foreground: Float[Tensor, "N 3"], plane: Plane | None) -> OrientedBox:
    """A box about an object with `ROOM` on all sides; where there is a plane it stands on it, not below.

    Args:
        foreground: points of the object, at least 4 that span a volume.
        plane: from `supporting_plane`.
    """
    tight = box_about(foreground, None if plane is None else plane.normal, tails=TAILS)
    half = tight.half * (1 + ROOM)
    if plane is None:
        return OrientedBox(box_to_world=tight.box_to_world, half=half)
    rotation, middle = tight.box_to_world[:3, :3], tight.box_to_world[:3, 3]
    top = float(plane.height(middle[None])[0] + half[2])
    foot = middle - plane.height(middle[None])[0] * plane.normal
    height = torch.cat([half[:2], half.new_tensor([top / 2])])
    return OrientedBox(box_to_world=rigid(rotation, foot + top / 2 * plane.normal), half=height)


def grown_box(box: OrientedBox, factor: float, *, standing: bool) -> OrientedBox:
    """A box larger by a factor about the same middle; or, standing, on the same foot: its third axis is up."""
    grown = box.box_to_world.clone()
    if standing:
        grown[:3, 3] += (factor - 1) * box.half[2] * box.box_to_world[:3, 2]
    return OrientedBox(box_to_world=grown, half=box.half * factor)
