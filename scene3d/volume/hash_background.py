"""What lies outside of the unit sphere, drawn into a ball twice as large and kept in a hash grid: quick to learn.

Source of the contraction: Barron et al., "Mip-NeRF 360: Unbounded anti-aliased neural radiance fields", CVPR 2022,
equation 10.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.volume.background import BackgroundSample
from scene3d.volume.hash_radiance import HashRadianceConfig


class HashBackgroundConfig(Config):
    """What the surroundings can be told.

    Attributes:
        field: the grid and its networks.
    """

    kind: Literal["hash"] = "hash"
    field: HashRadianceConfig = HashRadianceConfig(table_bits=16)

    def build(self) -> HashBackground:
        """The grid and its networks."""
        return HashBackground(self)


class HashBackground(nn.Module):
    """A `Background` over contracted points."""

    def __init__(self, config: HashBackgroundConfig) -> None:
        super().__init__()
        self.config = config
        self.radiance = config.field.build()

    def forward(self, points: Float[Tensor, "N 3"], directions: Float[Tensor, "N 3"]) -> BackgroundSample:
        """Density and colour at points, seen along unit directions."""
        return self.radiance(contracted(points) / 2, directions)


def contracted(points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
    """Points within the unit ball as they are; all others between it and the ball of radius 2, the farther the closer.

    A point at distance d > 1 comes to lie at 2 - 1 / d in the same direction.
    """
    distance = points.norm(dim=1, keepdim=True).clamp(min=1.0)
    return (2 - 1 / distance) * points / distance
