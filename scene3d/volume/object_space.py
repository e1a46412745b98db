"""An object, the slab that it stands on, and all around them: who holds which part of a ray.

Coordinates are those in which the region of interest is the unit ball; object and slab lie in it.

Source: Wang et al., "AutoRecon: Automated 3D object discovery and reconstruction", CVPR 2023, section 3.3.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.se3 import invert, rigid, transform
from scene3d.structures.object_region import ObjectRegion
from scene3d.volume import SignedDistance, SurfaceSample
from scene3d.volume.background import Background, BackgroundSample


class ObjectSpace(nn.Module):
    """The boxes of the object and of the slab under it; no slab where nothing flat was found. Both are remembered."""

    box_to_unit: Tensor
    box_half: Tensor
    slab_to_unit: Tensor
    slab_half: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name in ("box", "slab"):
            self.register_buffer(f"{name}_to_unit", torch.eye(4))
        self.register_buffer("box_half", torch.full((3,), 0.5))
        self.register_buffer("slab_half", torch.zeros(3))

    @property
    def box(self) -> OrientedBox:
        """Of the object; its third axis is up where there is a slab."""
        return OrientedBox(box_to_world=self.box_to_unit, half=self.box_half)

    @property
    def slab(self) -> OrientedBox | None:
        """What lies under the object: with its top at the foot of its box, and as wide as the unit ball."""
        if not bool((self.slab_half > 0).all()):
            return None
        return OrientedBox(box_to_world=self.slab_to_unit, half=self.slab_half)

    def settle(self, region: ObjectRegion, unit_to_world: Float[Tensor, "4 4"], thickness: float) -> None:
        """Put the boxes where an object was found.

        Args:
            region: in the world; its box lies in the region of interest.
            unit_to_world: of that region; scaled and moved, not turned.
            thickness: of the slab, in heights of the object's box.
        """
        placed = unit_to_world.cpu().double()
        scale, middle = placed[0, 0], placed[:3, 3]
        turned, half = region.box.box_to_world[:3, :3].double(), region.box.half.double() / scale
        at = (region.box.box_to_world[:3, 3].double() - middle) / scale
        self.box_to_unit.copy_(rigid(turned, at))
        self.box_half.copy_(half)
        self.slab_half.zero_()
        deep = float(thickness * half[2])
        if region.plane is None:
            self.slab_half.zero_()
            return
        # As wide as the ball anywhere: what of the ground lies in the ball lies in the slab.
        self.slab_half.copy_(half.new_tensor([1.0, 1.0, deep]))
        aside = at - (half[2] + deep) * turned[:, 2]
        foot = (aside @ turned[:, 2]) * turned[:, 2]
        self.slab_to_unit.copy_(rigid(turned, foot))

    def holds(self, points: Float[Tensor, "N 3"]) -> Bool[Tensor, "N"]:  # noqa: UP037
        """Which points are the object's to explain."""
        return self.box.contains(points)


@dataclass(frozen=True)
class ObjectSurroundings:
    """A `Background`: a field in the slab, another everywhere else.

    Attributes:
        space: where the slab is.
        under: asked in the slab, with the slab as the cube from -1 to 1.
        around: asked at all other points.
    """

    space: ObjectSpace
    under: Background
    around: Background

    def __call__(self, points: Float[Tensor, "N 3"], directions: Float[Tensor, "N 3"]) -> BackgroundSample:
        """Density and colour."""
        slab = self.space.slab
        if slab is None:
            return self.around(points, directions)
        below = slab.contains(points)
        in_slab = transform(invert(slab.box_to_world), points[below]) / slab.half
        near, far = self.under(in_slab, directions[below]), self.around(points[~below], directions[~below])
        order = torch.cat([below.nonzero()[:, 0], (~below).nonzero()[:, 0]]).argsort()
        return BackgroundSample(*(torch.cat(parts)[order] for parts in zip(near, far, strict=True)))


@dataclass(frozen=True)
class WithinBox:
    """A `SignedDistance` that ends at the faces of a box: what lies beyond them is outside."""

    surface: SignedDistance
    box: OrientedBox

    def __call__(self, points: Float[Tensor, "N 3"]) -> SurfaceSample:
        """The surface's own gradient and features, and the distance that `distance` says."""
        sample = self.surface(points)
        return sample._replace(sdf=torch.maximum(sample.sdf, self.box.distance(points)))

    def distance(self, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
        """The larger of the distances to the surface and to the box."""
        return torch.maximum(self.surface.distance(points), self.box.distance(points))
