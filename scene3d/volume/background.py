"""What lies outside of the unit sphere: a field over the sphere turned inside out.

Source: Zhang et al., "NeRF++: analyzing and improving neural radiance fields", 2020, section 4.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt, model_validator
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.ops.frequencies import encode_frequencies, encoded_size


class BackgroundSample(NamedTuple):
    """What a background says of N points.

    Attributes:
        density: 1 over the unit of length.
        colour: RGB in [0, 1], seen along the direction asked for.
    """

    density: Float[Tensor, "N"]  # noqa: UP037
    colour: Float[Tensor, "N 3"]


@runtime_checkable
class Background(Protocol):
    """All that lies outside of the unit sphere."""

    def __call__(self, points: Float[Tensor, "N 3"], directions: Float[Tensor, "N 3"]) -> BackgroundSample:
        """Density and colour at points seen along unit directions."""
        ...


class SphereBackgroundConfig(Config):
    """What the background's network can be told; defaults are the published ones.

    Attributes:
        width, layers: of its hidden layers.
        skip: hidden layer, from 0, after which the position is given again; None is none.
        octaves, view_octaves: of the encodings of position and direction.
    """

    kind: Literal["sphere"] = "sphere"
    width: PositiveInt = 256
    layers: PositiveInt = 8
    skip: NonNegativeInt | None = 4
    octaves: NonNegativeInt = 10
    view_octaves: NonNegativeInt = 4

    @model_validator(mode="after")
    def _fitting(self) -> SphereBackgroundConfig:
        if self.skip is not None and self.skip >= self.layers:
            raise ValueError(f"skip: expected below layers, {self.layers}, got {self.skip}")
        return self

    def build(self) -> SphereBackground:
        """The network."""
        return SphereBackground(self)


class SphereBackground(nn.Module):
    """Density and colour by the direction of a point from the origin and its inverse distance."""

    def __init__(self, config: SphereBackgroundConfig) -> None:
        super().__init__()
        self.config = config
        width, position = config.width, encoded_size(4, config.octaves)
        coming = [position] + [width + (position if i == config.skip else 0) for i in range(config.layers)]
        self.layers = nn.ModuleList(nn.Linear(size, width) for size in coming[:-1])
        self.to_density = nn.Linear(coming[-1], 1)
        self.to_features = nn.Linear(coming[-1], width)
        self.view = nn.Linear(width + encoded_size(3, config.view_octaves), width // 2)
        self.to_colour = nn.Linear(width // 2, 3)

    def forward(self, points: Float[Tensor, "N 3"], directions: Float[Tensor, "N 3"]) -> BackgroundSample:
        """Density and colour at points outside of the unit sphere, seen along unit directions."""
        encoded = encode_frequencies(inverted(points), self.config.octaves, base=1.0)
        hidden = encoded
        for i, layer in enumerate(self.layers):
            hidden = torch.relu(layer(hidden))
            if i == self.config.skip:
                hidden = torch.cat([encoded, hidden], dim=1)
        density = nn.functional.softplus(self.to_density(hidden)[:, 0])
        views = encode_frequencies(directions, self.config.view_octaves, base=1.0)
        seen = torch.relu(self.view(torch.cat([self.to_features(hidden), views], dim=1)))
        return BackgroundSample(density, torch.sigmoid(self.to_colour(seen)))


def inverted(points: Float[Tensor, "N 3"]) -> Float[Tensor, "N 4"]:
    """Direction from the origin and inverse distance: four numbers in [-1, 1], however far the point.

    Points within the unit sphere are taken as they are, with inverse distance 1.
    """
    distance = points.norm(dim=1, keepdim=True).clamp(min=1.0)
    return torch.cat([points / distance, 1 / distance], dim=1)
