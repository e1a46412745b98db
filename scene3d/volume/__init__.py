"""Fields and how they are rendered: a field is asked at points, a renderer asks it along rays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True)
class FieldSample:
    """What a field says of N points of each of B scenes.

    Attributes:
        density: 1/m, how quickly light is absorbed.
        valid: False where the field has no evidence (behind the camera, outside of its image).
        features: None where they were not asked for, or the field has none.
    """

    density: Float[Tensor, "B N"]
    valid: Bool[Tensor, "B N"]
    features: Float[Tensor, "B N C"] | None = None


@runtime_checkable
class Field(Protocol):
    """A value that can be asked at points, in the coordinates it was made in. It holds its scene; no module does."""

    def __call__(self, points: Float[Tensor, "B N 3"], *, features: bool = True) -> FieldSample:
        """Density, and features if asked for, at points in metres."""
        ...
