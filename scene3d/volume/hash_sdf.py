"""A signed distance field as a sphere and a residual from a multiresolution hash grid: small, and quick on a CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from scene3d.nn.mlp import Mlp
from scene3d.ops.hash_encode import hash_encode, hash_encode_with_jacobian
from scene3d.volume import SurfaceSample
from scene3d.volume.hash_grid import HashGridConfig
from scene3d.volume.numerical_normals import numerical_gradient

ROUNDING = 0.1
"""Radius within which the tip of the cone that a sphere's distance is gets rounded."""


class HashSdfConfig(HashGridConfig):
    """What the hash grid can be told, besides how fine it is.

    Attributes:
        bound: the grids fill the cube from -bound to bound.
        width, layers: of the network over what the grids hold.
        features: channels beside the distance.
        centre, radius: of the sphere that it begins as.
        inside_out: begin hollow: distances are positive within the sphere, as in a room.
        first_levels: grids that count when the training begins; None is all.
        all_from: share of the training from which on all grids count.
        normals: "analytic", or "numerical" over a cell of the finest grid that counts.

    Source: progressive levels and numerical normals are of Li et al., "Neuralangelo", CVPR 2023.
    """

    kind: Literal["hash"] = "hash"
    bound: PositiveFloat = 1.0
    width: PositiveInt = 64
    layers: PositiveInt = 1
    features: NonNegativeInt = 15
    centre: tuple[float, float, float] = (0.0, 0.0, 0.0)
    radius: float = Field(0.5, gt=0, lt=1)
    inside_out: bool = False
    first_levels: PositiveInt | None = None
    all_from: float = Field(0.5, gt=0, le=1)
    normals: Literal["analytic", "numerical"] = "analytic"

    @model_validator(mode="after")
    def _ordered(self) -> HashSdfConfig:
        if self.first_levels is not None and self.first_levels > self.levels:
            raise ValueError(f"first_levels: expected at most levels, {self.levels}, got {self.first_levels}")
        return self

    def build(self) -> HashSdf:
        """The grids and the network, exactly a sphere."""
        return HashSdf(self)


class HashSdf(nn.Module):
    """The table of the grids and the network over them; `at` gives the field."""

    def __init__(self, config: HashSdfConfig) -> None:
        super().__init__()
        self.config = config
        self.starts = config.starts
        self.table = nn.Parameter(config.first_table())
        encoded = 3 + config.levels * config.channels
        self.mlp = Mlp(
            encoded, config.width, config.layers, 1 + config.features, activation="softplus", normalised=False
        )
        with torch.no_grad():
            last = self.mlp.linear()[-1]
            last.weight[0] = 0
            last.bias[0] = 0

    def at(self, progress: float) -> HashField:
        """The field at a share of the training, 0 to 1: with the grids that count by then."""
        first = self.config.first_levels or self.config.levels
        more = (self.config.levels - first) * min(progress / self.config.all_from, 1.0)
        return HashField(self, first + int(more))


@dataclass(frozen=True)
class HashField:
    """A `SignedDistance`: of a network's grids the first `levels`; the others are as if they held nothing."""

    network: HashSdf
    levels: int

    def __call__(self, points: Float[Tensor, "N 3"]) -> SurfaceSample:
        """Distance, its gradient and features; training them needs no gradient of a gradient."""
        config, mlp = self.network.config, self.network.mlp
        base, base_gradient = self._sphere(points)
        if config.normals == "numerical":
            outputs = mlp(self._joined(points, hash_encode(*self._grid(points))))
            cell = 2 * config.bound / config.resolutions[self.levels - 1]
            return SurfaceSample(base + outputs[:, 0], numerical_gradient(self.distance, points, cell), outputs[:, 1:])
        held, jacobian = hash_encode_with_jacobian(*self._grid(points))
        outputs, slope = mlp.with_gradient(self._joined(points, held))
        through_grid = slope[:, None, 3 : 3 + held.shape[1]] @ jacobian / (2 * config.bound)
        return SurfaceSample(base + outputs[:, 0], base_gradient + slope[:, :3] + through_grid[:, 0], outputs[:, 1:])

    def distance(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
        """The distance alone."""
        outputs = self.network.mlp(self._joined(points, hash_encode(*self._grid(points))))
        return self._sphere(points)[0] + outputs[:, 0]

    def _grid(self, points: Tensor) -> tuple[Tensor, Tensor, list[int], list[int]]:
        """As the operator takes it: points in the unit cube, and only the levels that count."""
        starts = self.network.starts[: self.levels + 1]
        # A slice of all of the table would cost its backward a copy of it.
        whole = self.levels == self.network.config.levels
        table = self.network.table if whole else self.network.table[: starts[-1]]
        in_cube = (points / self.network.config.bound + 1) / 2
        return in_cube, table, self.network.config.resolutions[: self.levels], starts

    def _joined(self, points: Tensor, held: Tensor) -> Tensor:
        empty = points.new_zeros(len(points), self.network.mlp.inputs - 3 - held.shape[1])
        return torch.cat([points, held, empty], dim=1)

    def _sphere(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """A rounded cone of distances that is 0 at the radius, and its gradient."""
        config = self.network.config
        aside = points - points.new_tensor(config.centre)
        rounded = (aside.square().sum(dim=1) + ROUNDING**2).sqrt()
        sign = -1 if config.inside_out else 1
        return sign * (rounded - (config.radius**2 + ROUNDING**2) ** 0.5), sign * aside / rounded[:, None]
