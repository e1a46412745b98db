"""The similarity that lays one set of points over another, in closed form."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.se3 import rigid


def umeyama(
    source: Float[Tensor, "N 3"], target: Float[Tensor, "N 3"], *, with_scale: bool
) -> tuple[Float[Tensor, ""], Float[Tensor, "4 4"]]:
    """Scale s and transform T that make the mean of |T (s source) - target|^2 smallest.

    Where all points of the source are one, the scale is 1. Where the points lie on a line, the turn about it is
    arbitrary.

    Args:
        source: points, metres or up to scale.
        target: the point that each of them belongs to.
        with_scale: whether the scale is free (7 degrees of freedom) or 1 (6).

    Returns:
        The scale, and `source_to_target` for the scaled source.

    Source: Umeyama, "Least-squares estimation of transformation parameters between two point patterns",
    TPAMI 1991, equations 34 to 42.
    """
    source_mean, target_mean = source.mean(dim=0), target.mean(dim=0)
    centred = source - source_mean
    covariance = (target - target_mean).mT @ centred / len(source)
    left, singular, right = torch.linalg.svd(covariance)
    signs = torch.ones_like(singular)
    # A mirror image would fit better than any rotation: the least of the three directions is given up.
    signs[-1] = torch.where(torch.linalg.det(left) * torch.linalg.det(right) < 0, -1.0, 1.0)
    rotation = left @ torch.diag(signs) @ right
    variance = (centred**2).sum() / len(source)
    free = with_scale and bool(variance > 0)
    scale = (singular * signs).sum() / variance if free else torch.ones_like(variance)
    return scale, rigid(rotation, target_mean - scale * rotation @ source_mean)


def least_squares_scale(source: Float[Tensor, "N 3"], target: Float[Tensor, "N 3"]) -> Float[Tensor, ""]:
    """The factor s that makes the sum of |s source - target|^2 smallest; 1 where the source is all zeros."""
    squares = (source**2).sum()
    return torch.where(squares > 0, (source * target).sum() / squares, torch.ones_like(squares))
