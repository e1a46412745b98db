"""Rays of a batch of scenes."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Rays:
    """R rays of each of B scenes, in the coordinates that the scene's field is asked in.

    Attributes:
        origins: metres.
        directions: unit length, so that a position along the ray is a distance in metres.
    """

    origins: Float[Tensor, "B R 3"]
    directions: Float[Tensor, "B R 3"]

    def split(self, count: int) -> list[Rays]:
        """The same rays, at most so many of each scene at a time."""
        parts = zip(self.origins.split(count, dim=1), self.directions.split(count, dim=1), strict=True)
        return [Rays(origins=origins, directions=directions) for origins, directions in parts]
