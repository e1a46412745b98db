"""Angles between predicted and true surface normals, in the figures that papers give."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from scene3d.errors import UsageError

LIMITS = (11.25, 22.5, 30.0)
"""Degrees below which normals are counted as good.

Source: Fouhey et al., "Data-driven 3D primitives for single image understanding", ICCV 2013.
"""


@dataclass(frozen=True, kw_only=True)
class NormalScores:
    """Figures of the angles, degrees.

    Attributes:
        mean, median, rmse: as they are called.
        within: share of normals closer than each of `LIMITS`.
        normals: how many counted.
    """

    mean: float
    median: float
    rmse: float
    within: tuple[float, ...]
    normals: int


def normal_angles(
    predicted: Float[Tensor, "*shape 3"], true: Float[Tensor, "*shape 3"], *, either_side: bool = False
) -> Float[Tensor, "*shape"]:
    """Angle between two normals of any length, degrees; NaN where one of them is zero.

    Args:
        predicted, true: in the same frame.
        either_side: whether a normal that points to the other side of the surface is as good.
    """
    one, two = F.normalize(predicted.double(), dim=-1), F.normalize(true.double(), dim=-1)
    # Half the angle by its chord: the arc cosine knows nothing of angles below a hundredth of a degree.
    angle = 2 * torch.atan2((one - two).norm(dim=-1), (one + two).norm(dim=-1)) * 180 / math.pi
    if either_side:
        angle = torch.minimum(angle, 180 - angle)
    known = (one.norm(dim=-1) > 0) & (two.norm(dim=-1) > 0)
    return torch.where(known, angle, torch.nan)


def score_normals(
    predicted: Float[Tensor, "*shape 3"],
    true: Float[Tensor, "*shape 3"],
    mask: Bool[Tensor, "*shape"] | None = None,
    *,
    either_side: bool = False,
) -> NormalScores:
    """Figures over the normals that are known on both sides; papers take them an image and average over images.

    Args:
        predicted, true: in the same frame; zero where not known.
        mask: which of them count; None counts all.
        either_side: see `normal_angles`.

    Raises:
        UsageError: no normal counts.
    """
    angles = normal_angles(predicted, true, either_side=either_side)
    counted = ~angles.isnan() if mask is None else mask & ~angles.isnan()
    angles = angles[counted]
    if len(angles) == 0:
        raise UsageError("normals: expected some that are known on both sides and in the mask, got none")
    return NormalScores(
        mean=angles.mean().item(),
        median=angles.quantile(0.5).item() if len(angles) < 2**24 else angles.median().item(),
        rmse=(angles**2).mean().sqrt().item(),
        within=tuple((angles < limit).double().mean().item() for limit in LIMITS),
        normals=len(angles),
    )
