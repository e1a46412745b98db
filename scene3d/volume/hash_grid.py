"""How fine the grids of a multiresolution hash table are.

Source: Mueller et al., "Instant neural graphics primitives", SIGGRAPH 2022.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor

from scene3d.config import Config
from scene3d.ops.hash_encode import level_starts

FIRST_TABLE = 1e-4
"""Largest first value of the table, as published."""


class HashGridConfig(Config):
    """What a hash grid can be told.

    Attributes:
        levels: grids, one finer than the other.
        channels: that each grid holds at a corner.
        coarsest, finest: cells along an edge of the first and the last grid.
        table_bits: no level has more rows than two to this.
    """

    levels: PositiveInt = 12
    channels: int = Field(2, ge=1, le=8)
    coarsest: PositiveInt = 16
    finest: PositiveInt = 512
    table_bits: int = Field(17, ge=4, le=28)

    @model_validator(mode="after")
    def _from_coarse_to_fine(self) -> HashGridConfig:
        if self.finest < self.coarsest:
            raise ValueError(f"finest: expected at least coarsest, {self.coarsest}, got {self.finest}")
        return self

    @property
    def resolutions(self) -> list[int]:
        """Cells along an edge of each grid, by one factor from the coarsest to the finest."""
        steps = max(self.levels - 1, 1)
        return [round(self.coarsest * (self.finest / self.coarsest) ** (i / steps)) for i in range(self.levels)]

    @property
    def starts(self) -> list[int]:
        """First row of each grid in the table, and the number of all rows."""
        return level_starts(self.resolutions, 2**self.table_bits)

    def first_table(self) -> Float[Tensor, "T C"]:
        """The table that a training begins with: hardly anything."""
        return torch.empty(self.starts[-1], self.channels).uniform_(-FIRST_TABLE, FIRST_TABLE)
