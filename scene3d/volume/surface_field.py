"""What a surface is made of: a signed distance, colours that follow the view, and how sharp it is.

Source: Wang et al., "NeuS: learning neural implicit surfaces by volume rendering", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.nn.mlp import Mlp
from scene3d.ops.frequencies import encode_frequencies, encoded_size
from scene3d.volume import SignedDistance, SurfaceSample
from scene3d.volume.fourier_sdf import FourierSdfConfig
from scene3d.volume.hash_sdf import HashSdfConfig

SdfConfig = Annotated[FourierSdfConfig | HashSdfConfig, Field(discriminator="kind")]
"""Every kind of signed distance field that there is."""

QUICKNESS = 10.0
"""The exponent of the sharpness is learnt in units of this, so that the rate of the networks serves it too."""

LEAST, MOST = 1e-6, 1e6
"""Bounds of the sharpness, 1 over the unit of length."""

Colours = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""Points, normals, directions and features, N of each, to RGB in [0, 1]."""


@dataclass(frozen=True)
class SurfaceField:
    """A surface, ready to be asked at points and rendered, in coordinates in which the scene lies in the unit sphere.

    Attributes:
        surface: the signed distance.
        colours: of points, told the surface's normal and features there and the direction of the view.
        sharpness: of the logistic density about the surface, 1 over the unit of length.
        unit_normals: whether colours and opacities are told the gradient made a unit vector, or as it is.
    """

    surface: SignedDistance
    colours: Colours
    sharpness: Float[Tensor, ""]
    unit_normals: bool = False

    def __call__(self, points: Float[Tensor, "N 3"]) -> SurfaceSample:
        """Signed distance, its gradient and features."""
        return self.surface(points)

    def normals(self, sample: SurfaceSample) -> Float[Tensor, "N 3"]:
        """What counts as the normal: see `unit_normals`."""
        return nn.functional.normalize(sample.gradient, dim=-1) if self.unit_normals else sample.gradient

    def colour(
        self, points: Float[Tensor, "N 3"], directions: Float[Tensor, "N 3"], sample: SurfaceSample
    ) -> Float[Tensor, "N 3"]:
        """RGB in [0, 1] of points seen along unit directions; `sample` is what the field said of them."""
        return self.colours(points, self.normals(sample), directions, sample.features)


class ColourConfig(Config):
    """What the colour network can be told; defaults are the published ones.

    Attributes:
        width, layers: of its hidden layers.
        octaves: of the encoding of the view's direction.
    """

    width: PositiveInt = 256
    layers: PositiveInt = 4
    octaves: NonNegativeInt = 4

    def build(self, features: int) -> ColourNetwork:
        """The network, told that many features of the surface."""
        return ColourNetwork(self, features)


class ColourNetwork(nn.Module):
    """Position, view, normal and features to colour."""

    def __init__(self, config: ColourConfig, features: int) -> None:
        super().__init__()
        self.octaves = config.octaves
        inputs = 3 + encoded_size(3, config.octaves) + 3 + features
        self.mlp = Mlp(inputs, config.width, config.layers, 3)

    def forward(
        self,
        points: Float[Tensor, "N 3"],
        normals: Float[Tensor, "N 3"],
        directions: Float[Tensor, "N 3"],
        features: Float[Tensor, "N C"],
    ) -> Float[Tensor, "N 3"]:
        """RGB in [0, 1]; directions are unit vectors from the camera."""
        views = encode_frequencies(directions, self.octaves, base=1.0)
        return torch.sigmoid(self.mlp(torch.cat([points, views, normals, features], dim=1)))


class Sharpness(nn.Module):
    """One learnt number: how quickly the opacity rises at the surface. It grows while the surface is found."""

    def __init__(self, first: float) -> None:
        super().__init__()
        self.exponent = nn.Parameter(torch.tensor(first))

    def forward(self) -> Float[Tensor, ""]:
        """The sharpness, 1 over the unit of length; its inverse is the width of the blur."""
        return torch.exp(QUICKNESS * self.exponent).clamp(LEAST, MOST)


class SurfaceConfig(Config):
    """What a surface is built of.

    Attributes:
        sdf: the signed distance field.
        colour: the colour network.
        sharpness: first exponent; 0.3 is a blur of 0.05.
        sharpened: last exponent, towards which it rises evenly over the training instead of being learnt, as in Yariv
            et al., "BakedSDF", SIGGRAPH 2023; for rooms, whose colours alone keep it low. None learns it.
        unit_normals: see `SurfaceField`; the published method takes the gradient as it is.
    """

    sdf: SdfConfig = FourierSdfConfig()
    colour: ColourConfig = ColourConfig()
    sharpness: float = 0.3
    sharpened: float | None = None
    unit_normals: bool = False

    def build(self) -> SurfaceNetworks:
        """The networks of a scene, as a sphere."""
        return SurfaceNetworks(self)


class SurfaceNetworks(nn.Module):
    """All that is learnt of one scene's surface; `field` makes the value that is asked."""

    def __init__(self, config: SurfaceConfig) -> None:
        super().__init__()
        self.config = config
        self.sdf = config.sdf.build()
        self.colour = config.colour.build(config.sdf.features)
        self.sharpness = Sharpness(config.sharpness).requires_grad_(config.sharpened is None)

    @torch.no_grad()
    def sharpen(self, progress: float) -> None:
        """Make the sharpness what it is to be at a share of the training, 0 to 1, where it is not learnt."""
        config = self.config
        if config.sharpened is not None:
            self.sharpness.exponent.fill_(config.sharpness + progress * (config.sharpened - config.sharpness))

    def field(self, progress: float = 1.0) -> SurfaceField:
        """The surface at a share of the training, 0 to 1; a hash grid begins with its coarse levels."""
        return SurfaceField(self.sdf.at(progress), self.colour, self.sharpness(), self.config.unit_normals)
