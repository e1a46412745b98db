"""The similarity that brings what is to be reconstructed into the unit ball, from a box, points or cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.errors import DataError
from scene3d.geometry.se3 import transform

Fit = Literal["within", "around"]
"""How a ball lies to a box: see `similarity_of_box`."""

OUTLYING = 3.0
"""Points further from the middle than this many median distances are not of the surface."""

ASTRAY = 0.5
"""Cameras whose axes pass the common point by more than this share of their distance look at nothing together."""

PARALLEL = 1e-3
"""Axes whose least-squares system is conditioned worse than this meet nowhere."""


@dataclass(frozen=True, kw_only=True)
class Similarity:
    """Where the unit ball lies in the world: scaled and moved, not turned.

    Attributes:
        world_to_unit: the world's points in units of the radius from the centre.
        unit_to_world: its inverse.
    """

    world_to_unit: Float[Tensor, "4 4"]
    unit_to_world: Float[Tensor, "4 4"]

    @property
    def radius(self) -> float:
        """World units a unit: lengths and depths of the world are divided by it."""
        return float(self.unit_to_world[0, 0])

    def cameras(self, cam_to_world: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
        """``cam_to_unit`` of cameras: rigid, so depth along their axes is in units too."""
        cam_to_unit = cam_to_world.clone()
        cam_to_unit[..., :3, 3] = transform(self.world_to_unit.to(cam_to_world), cam_to_world[..., :3, 3])
        return cam_to_unit


def similarity_of_ball(centre: Float[Tensor, "3"], radius: float) -> Similarity:  # noqa: UP037
    """The similarity that makes a ball of the world the unit ball.

    Raises:
        DataError: the radius is not above 0, or a number is not finite.
    """
    if not (math.isfinite(radius) and radius > 0 and torch.isfinite(centre).all()):
        raise DataError(f"region of interest: expected a finite centre and a radius above 0, got {radius}")
    unit_to_world = torch.eye(4, dtype=torch.float64)
    unit_to_world[:3, :3] *= radius
    unit_to_world[:3, 3] = centre
    world_to_unit = torch.eye(4, dtype=torch.float64)
    world_to_unit[:3, :3] /= radius
    world_to_unit[:3, 3] = -centre / radius
    return Similarity(world_to_unit=world_to_unit, unit_to_world=unit_to_world)


def similarity_of_box(bounds: Float[Tensor, "2 3"], fit: Fit = "within") -> Similarity:
    """The ball of a box.

    Args:
        bounds: corners (min, max) in the world.
        fit: "within" makes the longest edge 2 units long: a cube's faces touch the ball, so a box about a ball gives
            that ball back. "around" makes the diagonal so: the ball holds the box whole.

    Raises:
        DataError: the box is empty or not finite.
    """
    size = (bounds[1] - bounds[0]).double()
    if not torch.isfinite(bounds).all() or (size <= 0).any():
        raise DataError(f"region of interest: expected corners (min, max) of a box, got {bounds.tolist()}")
    length = size.amax() if fit == "within" else size.norm()
    return similarity_of_ball(bounds.double().mean(dim=0), float(length) / 2)


def similarity_of_points(points: Float[Tensor, "N 3"], keep: float = 0.99) -> Similarity:
    """The ball of most points of a cloud, whatever a few far ones do.

    The middle is the median of each coordinate. Of the points within `OUTLYING` median distances of it, taken about
    the middle of their box, the ball holds the share `keep`.

    Raises:
        DataError: there are fewer than 4 points, one is not finite, or half of them are one.
    """
    if len(points) < 4 or not torch.isfinite(points).all():
        got = f"{len(points)}" if len(points) < 4 else "some that are not finite"
        raise DataError(f"sparse points: expected at least 4 finite points, got {got}")
    points = points.double()
    distance = (points - points.median(dim=0).values).norm(dim=1)
    typical = distance.median()
    if typical <= 0:
        raise DataError("sparse points: expected points apart from each other, got one place for half of them")
    near = points[distance <= OUTLYING * typical]
    centre = (near.amin(dim=0) + near.amax(dim=0)) / 2
    ranked = (near - centre).norm(dim=1).sort().values
    return similarity_of_ball(centre, float(ranked[math.ceil(keep * len(ranked)) - 1]))


def similarity_of_cameras(
    cam_to_world: Float[Tensor, "V 4 4"],
    half_view: Float[Tensor, "V"],  # noqa: UP037
) -> Similarity:
    """The ball that cameras look at together and that just fits into the view of the middle one of them.

    Its centre is the point nearest to all optical axes. A camera that stands twice counts once.

    Args:
        cam_to_world: of at least two cameras in different places.
        half_view: half of each camera's narrower angle of view, radians.

    Raises:
        DataError: there are fewer than two different cameras, a number is not finite, the axes are parallel, the
            cameras look away from where the axes come closest, or the axes do not come close.
    """
    if not (torch.isfinite(cam_to_world).all() and torch.isfinite(half_view).all()):
        raise DataError("cameras: expected finite transforms, got some that are not")
    rows = torch.cat([cam_to_world.double()[:, :3].flatten(1), half_view.double()[:, None]], dim=1)
    distinct = torch.unique(rows, dim=0)
    matrices, half = distinct[:, :12].unflatten(1, (3, 4)), distinct[:, 12]
    centres, axes = matrices[:, :, 3], matrices[:, :, 2]
    places = len(torch.unique(centres, dim=0))
    if places < 2:
        raise DataError(f"cameras: expected at least 2 in different places, got {places}", hint="give bounds")
    target = _nearest_to_axes(centres, axes)
    towards = target - centres
    ahead = (towards * axes).sum(dim=1)
    behind = int((ahead <= 0).sum())
    if behind:
        got = f"{behind} of {len(axes)} that look away from where their axes come closest"
        raise DataError(f"cameras: expected all to look at one place, got {got}", hint="give bounds or sparse points")
    aside = (towards - ahead[:, None] * axes).norm(dim=1) / towards.norm(dim=1)
    if aside.median() > ASTRAY:
        got = f"axes that pass it by {float(aside.median()):.0%} of their distance"
        raise DataError(f"cameras: expected all to look at one place, got {got}", hint="give bounds or sparse points")
    return similarity_of_ball(target, float((towards.norm(dim=1) * half.sin()).median()))


def _nearest_to_axes(centres: Float[Tensor, "V 3"], axes: Float[Tensor, "V 3"]) -> Float[Tensor, "3"]:  # noqa: UP037
    """The point whose squared distances from lines sum to the least: sum (I - a a^T) (x - c) = 0."""
    across = torch.eye(3, dtype=axes.dtype) - axes[:, :, None] * axes[:, None, :]
    system = across.mean(dim=0)
    if torch.linalg.eigvalsh(system)[0] < PARALLEL:
        raise DataError("cameras: expected axes that meet, got parallel ones", hint="give bounds or sparse points")
    return torch.linalg.solve(system, (across @ centres[:, :, None]).mean(dim=0)[:, 0])
