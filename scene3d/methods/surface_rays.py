"""What rays see of a surface, and points beside them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn


class SeenRays(NamedTuple):
    """What R rays see of a surface.

    Attributes:
        colour: RGB in [0, 1], with what is behind the surface.
        distance: along the ray, units; 0 where it meets no surface.
        normals: outward unit vectors; 0 where it meets none.
        opacity: how much of the ray the surface stops, in [0, 1].
    """

    colour: Float[Tensor, "R 3"]
    distance: Float[Tensor, "R"]  # noqa: UP037
    normals: Float[Tensor, "R 3"]
    opacity: Float[Tensor, "R"]  # noqa: UP037


def points_in_ball(count: int, like: Tensor) -> Float[Tensor, "N 3"]:
    """Random points, uniform in the unit ball."""
    reach = torch.rand(count, 1, device=like.device, dtype=like.dtype) ** (1 / 3)
    drawn = torch.randn(count, 3, device=like.device, dtype=like.dtype)
    return nn.functional.normalize(drawn, dim=1) * reach


def ball_met(origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"]) -> Bool[Tensor, "R"]:  # noqa: UP037
    """Which rays come through the unit ball, ahead of where they begin."""
    ahead = -(origins * directions).sum(dim=1, keepdim=True).clamp(max=0)
    return (origins + ahead * directions).norm(dim=1) < 1
