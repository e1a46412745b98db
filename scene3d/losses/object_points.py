"""What sparse points say of an object's surface: it goes through its own points, and keeps off the ground's.

Both terms lead the first part of a fit and fade out: points are few and noisy. Source: Wang et al., "AutoRecon", CVPR
2023, section 3.3; thresholds and schedule are those of its published code.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def points_on_surface(
    sdf: Float[Tensor, "N"],  # noqa: UP037
    tolerance: Float[Tensor, "N"],  # noqa: UP037
) -> Float[Tensor, ""]:
    """Mean of how much farther from the surface than their tolerance the object's own points are.

    Args:
        sdf: signed distance at the points.
        tolerance: from `point_tolerance`, in the unit of the distance.
    """
    return (sdf.abs() - tolerance).clamp(min=0).sum() / max(len(sdf), 1)


def ground_off_surface(
    sdf: Float[Tensor, "N"],  # noqa: UP037
    clearance: Float[Tensor, "N"],  # noqa: UP037
) -> Float[Tensor, ""]:
    """Mean of how much nearer to the surface than to the object's points those of the ground are.

    Without it the ground's slab becomes part of the object, which hides behind nothing there.

    Args:
        sdf: signed distance at points of the supporting plane.
        clearance: from `clearance_of`, in the unit of the distance.
    """
    return (clearance - sdf.abs()).clamp(min=0).sum() / max(len(sdf), 1)


@torch.no_grad()
def point_tolerance(
    points: Float[Tensor, "N 3"],
    neighbours: int = 10,
    deviations: float = 0.5,
) -> Float[Tensor, "N"]:  # noqa: UP037
    """How far the surface may pass each point by: mean plus half a deviation of the distances to its nearest ten.

    Args:
        points: of the object.
        neighbours: fewer are taken where there are fewer other points.
        deviations: how many are added to the mean.
    """
    number = min(neighbours, len(points) - 1)
    if number < 1:
        return points.new_zeros(len(points))
    near = torch.cat([_nearest(part, points, number + 1) for part in points.split(_PART)])
    # The first is the point itself.
    distances = near[:, 1:]
    return distances.mean(dim=1) + deviations * distances.std(dim=1, correction=0)


@torch.no_grad()
def clearance_of(ground: Float[Tensor, "N 3"], foreground: Float[Tensor, "M 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
    """Distance of points of the ground to the nearest point of the object.

    Args:
        ground: points of the supporting plane.
        foreground: the object's, at least one.
    """
    parts = [_nearest(part, foreground, 1)[:, 0] for part in ground.split(_PART)]
    return torch.cat(parts) if parts else ground.new_zeros(0)


def fading(step: int, end: int = 15_000) -> float:
    """What share of their weight the terms have at a step: half a cosine from 1 at the start to 0 at the end."""
    return 0.5 * (1 + math.cos(math.pi * min(step / end, 1.0)))


_PART = 4096
"""Points whose distances to all others are held at a time."""


def _nearest(points: Float[Tensor, "N 3"], others: Float[Tensor, "M 3"], number: int) -> Float[Tensor, "N k"]:
    """Distances to the nearest others, near to far. Not by the expansion of the square, which blurs small distances."""
    between = torch.cdist(points, others, compute_mode="donot_use_mm_for_euclid_dist")
    return between.topk(number, dim=1, largest=False).values
