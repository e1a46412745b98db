"""Fields and how they are rendered: a field is asked at points, a renderer asks it along rays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

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


@runtime_checkable
class ImageField(Field, Protocol):
    """A field of B images, in the coordinates of their cameras.

    Attributes:
        K: of the images, in pixels of `height` x `width`.
    """

    @property
    def K(self) -> Float[Tensor, "B 3 3"]: ...  # noqa: D102, N802
    @property
    def height(self) -> int: ...  # noqa: D102
    @property
    def width(self) -> int: ...  # noqa: D102

    def select(self, index: int) -> ImageField:
        """The field of one image of the batch."""
        ...


class SurfaceSample(NamedTuple):
    """What a signed distance field says of N points.

    Attributes:
        sdf: signed distance to the surface, > 0 outside; of the unit of the points.
        gradient: of the distance by the point: the outward normal, about of length 1.
        features: what a colour network is told besides.
    """

    sdf: Float[Tensor, "N"]  # noqa: UP037
    gradient: Float[Tensor, "N 3"]
    features: Float[Tensor, "N C"]


@runtime_checkable
class SignedDistance(Protocol):
    """A signed distance field of one scene, in coordinates in which the scene lies in the unit sphere."""

    def __call__(self, points: Float[Tensor, "N 3"]) -> SurfaceSample:
        """Distance, its gradient and features."""
        ...

    def distance(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
        """The distance alone, which costs less."""
        ...
