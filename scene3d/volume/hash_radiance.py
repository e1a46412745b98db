"""Density and colour within a box from a multiresolution hash grid: for what is seen but need not have a surface."""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from scene3d.nn.mlp import Mlp
from scene3d.ops.frequencies import encode_frequencies, encoded_size
from scene3d.ops.hash_encode import hash_encode
from scene3d.volume.background import BackgroundSample
from scene3d.volume.hash_grid import HashGridConfig

DENSEST = 10.0
"""Largest exponent of a density: e^10 lets nothing through a thousandth of a unit."""


class HashRadianceConfig(HashGridConfig):
    """What the grid and its networks can be told.

    Attributes:
        width: of the hidden layer of either network.
        features: that the density's network hands to the colour's.
        view_octaves: of the encoding of the view's direction.
    """

    levels: PositiveInt = 8
    coarsest: PositiveInt = 8
    finest: PositiveInt = 256
    table_bits: PositiveInt = 15
    width: PositiveInt = 32
    features: NonNegativeInt = 15
    view_octaves: NonNegativeInt = 2

    def build(self) -> HashRadiance:
        """The grid and its networks."""
        return HashRadiance(self)


class HashRadiance(nn.Module):
    """A field over the cube from -1 to 1; who asks brings a box to it."""

    def __init__(self, config: HashRadianceConfig) -> None:
        super().__init__()
        self.config = config
        self.table = nn.Parameter(config.first_table())
        encoded, views = config.levels * config.channels, encoded_size(3, config.view_octaves)
        self.density = Mlp(encoded, config.width, 1, 1 + config.features, normalised=False)
        self.colour = Mlp(config.features + views, config.width, 1, 3, normalised=False)

    def forward(self, points: Float[Tensor, "N 3"], directions: Float[Tensor, "N 3"]) -> BackgroundSample:
        """Density, 1 over the unit of length of who asks, and colour of points in the cube seen along directions."""
        held = hash_encode((points + 1) / 2, self.table, self.config.resolutions, self.config.starts)
        found = self.density(held)
        views = encode_frequencies(directions, self.config.view_octaves, base=1.0)
        colour = torch.sigmoid(self.colour(torch.cat([found[:, 1:], views], dim=1)))
        return BackgroundSample(found[:, 0].clamp(max=DENSEST).exp(), colour)
