"""What was found of an object before its surface is known: its points, its box and what it stands on."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.planes import Plane


@dataclass(frozen=True, kw_only=True)
class ObjectRegion:
    """An object among the points of its scene, in the world of the scene.

    Attributes:
        points: of the object and about it, those that are to be believed.
        colours: RGB 0..255 of each.
        foreground: which are the object's.
        box: holds the object with some room; its third axis points up where there is a plane, and it stands on it.
        plane: what the object stands on, the object's side up; None where nothing flat was found under it.
    """

    points: Float[Tensor, "N 3"]
    colours: UInt8[Tensor, "N 3"]
    foreground: Bool[Tensor, "N"]  # noqa: UP037
    box: OrientedBox
    plane: Plane | None = None
