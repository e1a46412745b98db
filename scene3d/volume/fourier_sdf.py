"""A signed distance field as one deep network over encoded positions, as published with NeuS.

Source: Wang et al., "NeuS", NeurIPS 2021; it begins as a sphere after Atzmon and Lipman, "SAL", CVPR 2020.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.nn.mlp import Mlp
from scene3d.ops.frequencies import encode_frequencies, encoded_size, frequency_gradient
from scene3d.volume import SurfaceSample
from scene3d.volume.numerical_normals import numerical_gradient

BASE = 1.0
"""First frequency, radians per unit of length."""


class FourierSdfConfig(Config):
    """What the deep network can be told; defaults are the published ones.

    Attributes:
        width, layers: of the network's hidden layers.
        skip: the layer that is given the position again; None is none.
        features: channels beside the distance.
        octaves: of the encoding.
        scale: positions are multiplied by it, and distances divided; 3 shows the network a larger scene.
        radius: of the sphere that it begins as.
        inside_out: begin hollow: distances are positive within the sphere, as in a room.
        normals: "analytic", or "numerical" from values around a point.
        step: of numerical normals.
    """

    kind: Literal["fourier"] = "fourier"
    width: PositiveInt = 256
    layers: PositiveInt = 8
    skip: PositiveInt | None = 4
    features: NonNegativeInt = 256
    octaves: NonNegativeInt = 6
    scale: PositiveFloat = 1.0
    radius: float = Field(0.5, gt=0, lt=1)
    inside_out: bool = False
    normals: Literal["analytic", "numerical"] = "analytic"
    step: PositiveFloat = 1e-3

    @model_validator(mode="after")
    def _fitting(self) -> FourierSdfConfig:
        if self.skip is not None and self.skip > self.layers:
            raise ValueError(f"skip: expected at most layers, {self.layers}, got {self.skip}")
        if self.skip is not None and self.width <= encoded_size(3, self.octaves):
            raise ValueError(f"width: expected over the {encoded_size(3, self.octaves)} of the encoding that skips")
        return self

    def build(self) -> FourierSdf:
        """The network, shaped as a sphere."""
        return FourierSdf(self)


class FourierSdf(nn.Module):
    """Position to signed distance, gradient and features; a `SignedDistance`, whose scene is its parameters."""

    def __init__(self, config: FourierSdfConfig) -> None:
        super().__init__()
        self.config = config
        self.mlp = Mlp(
            encoded_size(3, config.octaves),
            config.width,
            config.layers,
            1 + config.features,
            activation="softplus",
            skip=config.skip,
        )
        _shape_as_sphere(self.mlp, config.radius, config.inside_out)

    def at(self, progress: float) -> FourierSdf:
        """The field at a share of the training; nothing of it follows the training but the parameters."""
        return self

    def forward(self, points: Float[Tensor, "N 3"]) -> SurfaceSample:
        """Distance, its gradient and features."""
        encoded = encode_frequencies(points * self.config.scale, self.config.octaves, BASE)
        if self.config.normals == "numerical":
            outputs, gradient = self.mlp(encoded), numerical_gradient(self.distance, points, self.config.step)
        else:
            outputs, slope = self.mlp.with_gradient(encoded)
            # By the scaled position of the scaled distance, which is by the position of the distance.
            gradient = frequency_gradient(encoded, slope, 3, BASE)
        return SurfaceSample(outputs[:, 0] / self.config.scale, gradient, outputs[:, 1:])

    def distance(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
        """The distance alone."""
        encoded = encode_frequencies(points * self.config.scale, self.config.octaves, BASE)
        return self.mlp(encoded)[:, 0] / self.config.scale


@torch.no_grad()
def _shape_as_sphere(mlp: Mlp, radius: float, inside_out: bool) -> None:
    """Weights with which the first output is about the distance to a sphere.

    A random layer with a ReLU keeps the length of its input, if nothing but the position goes in; so the mean of the
    last one, scaled, is the distance from the origin. Channels of the encoding wait at weight 0.
    """
    waves = mlp.inputs - 3
    *hidden, last = mlp.linear()
    for i, layer in enumerate(hidden):
        weight = torch.randn_like(layer.weight) * math.sqrt(2 / layer.out_features)
        if waves and i in (0, mlp.skip):
            weight[:, -waves:] = 0
        layer.weight = weight
        layer.bias.zero_()
    sign = -1 if inside_out else 1
    mean = sign * math.sqrt(math.pi / last.in_features)
    last.weight = mean + 1e-4 * torch.randn_like(last.weight)
    last.bias.fill_(-sign * radius)
