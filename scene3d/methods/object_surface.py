"""The surface of an object that was found in photographs, learned without masks beside what it stands on.

Source: the fine stage of Wang et al., "AutoRecon: Automated 3D object discovery and reconstruction", CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator
from torch import Tensor

from scene3d.config import Config
from scene3d.errors import DataError
from scene3d.fusion.meshing import MeshingConfig, surface_mesh
from scene3d.geometry.se3 import transform
from scene3d.losses import LossTerms
from scene3d.losses.object_points import (
    clearance_of,
    fading,
    ground_off_surface,
    point_tolerance,
    points_on_surface,
)
from scene3d.methods.neural_surface import NeuralSurface, NeuralSurfaceConfig
from scene3d.methods.surface_config import SamplingConfig
from scene3d.structures.frames import Frames
from scene3d.structures.object_region import ObjectRegion
from scene3d.structures.solids import Mesh
from scene3d.volume.background import Background
from scene3d.volume.hash_radiance import HashRadianceConfig
from scene3d.volume.image_rays import Aim, ImageRays
from scene3d.volume.object_space import ObjectSpace, ObjectSurroundings, WithinBox
from scene3d.volume.surface_field import SurfaceField
from scene3d.volume.surface_occupancy import NEAREST, MarchSamplingConfig
from scene3d.volume.surface_renderer import SurfaceRendering
from scene3d.volume.surface_sampling import (
    RaySections,
    ball_limits,
    even_sections,
    merged,
    outside_distances,
    sections_between,
)

FLAT = 0.02
"""Points within this share of the box's half diagonal of the plane are the ground's."""


class SlabConfig(Config):
    """What the object stands on.

    Attributes:
        field: its density and colours.
        thickness: in heights of the object's box; AutoRecon has 0.3.
        samples: of a ray through it.
    """

    field: HashRadianceConfig = HashRadianceConfig()
    thickness: float = Field(0.3, gt=0)
    samples: PositiveInt = 16


class GuideConfig(Config):
    """What the sparse points ask of the surface.

    Attributes:
        points: weight of its going through the object's own.
        ground: weight of its keeping off those of the ground.
        count: points of either kind that are asked in a step.
        until: share of the training at whose end both have faded out.

    Weights are AutoRecon's.
    """

    points: float = Field(0.1, ge=0)
    ground: float = Field(0.1, ge=0)
    count: NonNegativeInt = 512
    until: float = Field(0.5, gt=0, le=1)


class ObjectSurfaceConfig(NeuralSurfaceConfig):
    """What an object's surface can be told, besides what any can.

    Attributes:
        slab: what it stands on, where something flat was found.
        guide: what the sparse points ask of it.
        inside: share of the rays that go through the object's box, from `aimed` on.
        aimed: share of the training before which rays go anywhere.
    """

    kind: Literal["object_surface"] = "object_surface"  # type: ignore[assignment]
    sampling: SamplingConfig = MarchSamplingConfig(outside=16)
    slab: SlabConfig = SlabConfig()
    guide: GuideConfig = GuideConfig()
    inside: float = Field(0.8, ge=0, le=1)
    aimed: float = Field(1 / 3, ge=0, le=1)

    @model_validator(mode="after")
    def _marching_before_a_sphere(self) -> ObjectSurfaceConfig:
        if self.sampling.kind != "march" or self.background.kind == "plain":
            got = f"{self.sampling.kind} and {self.background.kind}"
            raise ValueError(f"object_surface: expected sampling march and surroundings, got {got}")
        return self

    def build(self) -> ObjectSurface:
        """The method."""
        return ObjectSurface(self)


class ObjectSurface(NeuralSurface):
    """Posed images and what was found of an object (`Frames.objects`) to its surface.

    The object is a surface in its box; the slab under it and all around are fields without one. Box and slab are part
    of what was learned; the points are asked for in every training.

    Args:
        config: see `ObjectSurfaceConfig`.
    """

    config: ObjectSurfaceConfig

    def __init__(self, config: ObjectSurfaceConfig) -> None:
        super().__init__(config)
        self.space = ObjectSpace()
        self.under = config.slab.field.build()
        self._guides: _Guides | None = None

    def mesh(self, config: MeshingConfig = MeshingConfig()) -> Mesh:  # noqa: B008  (frozen)
        """The surface in the object's box, closed where it leaves it, in the world.

        Raises:
            DataError: there is none.
        """
        field = self.surface.field()
        return surface_mesh(
            replace(field, surface=WithinBox(field.surface, self.space.box)), self.unit_to_world, config
        )

    def _settle(self, frames: Frames) -> None:
        super()._settle(frames)
        if self._guides is not None:
            return
        if not frames.objects:
            name = frames.names[0] if frames.names else "frames"
            raise DataError(
                f"{name}: expected what was found of the object, got none",
                hint="data.snippets.region.object: FOLDER, which scene3d reconstruct --object writes",
            )
        region = frames.objects[0]
        self.space.settle(region, self.unit_to_world, self.config.slab.thickness)
        self._guides = _Guides.of(region, self.unit_to_world)

    def _aim(self, progress: float) -> Aim | None:
        return self.space.box.hit if self.config.inside and progress >= self.config.aimed else None

    def _beside(self, like: Tensor) -> Float[Tensor, "K 3"]:
        count = self.config.loss.points
        drawn = 2 * torch.rand(count, 3, device=like.device, dtype=like.dtype) - 1
        box = self.space.box
        in_box = transform(box.box_to_world, drawn * box.half)
        assert self._guides is not None
        return torch.cat([in_box, *self._guides.draw(self.config.guide.count, like)])

    def _priors(self, seen: SurfaceRendering, rays: ImageRays, frames: Frames, step: int) -> LossTerms:
        found = super()._priors(seen, rays, frames, step)
        guide = self.config.guide
        share = fading(step, max(round(guide.until * self.config.steps), 1))
        assert self._guides is not None
        own, ground = self._guides.drawn
        first = self.config.loss.points
        on, off = seen.beside.sdf[first:].split([len(own), len(ground)])
        terms = {
            "points": points_on_surface(on, self._guides.tolerance.to(on)[own]),
            "ground": ground_off_surface(off, self._guides.clearance.to(off)[ground]),
        }
        return found.joined(LossTerms(terms, {"points": share * guide.points, "ground": share * guide.ground}))

    def _place(self, field: SurfaceField, origins: Tensor, directions: Tensor, *, jitter: bool) -> RaySections:
        origins, directions = origins.detach(), directions.detach()
        assert self.occupancy is not None
        near, far = self.space.box.crossed(origins, directions)
        own = self.occupancy.march(field, origins, directions, near, far, jitter=jitter)
        marches = [own]
        enters, leaves = ball_limits(origins, directions)
        if (slab := self.space.slab) is not None:
            near, far = slab.crossed(origins, directions)
            near, far = torch.maximum(near, enters), torch.minimum(far, leaves)
            marches.append(even_sections(near, far, self.config.slab.samples, jitter=jitter))
        beyond = outside_distances(leaves.clamp(min=NEAREST), self.occupancy.config.outside, 0.0, jitter=jitter)
        marches.append(sections_between(beyond, 0.0))
        whole, places = merged(marches)
        return RaySections(own, whole, places)

    def _around(self) -> Background:
        assert self.background is not None
        return ObjectSurroundings(self.space, self.under, self.background)

    def _within(self) -> Callable[[Tensor], Tensor]:
        return self.space.holds


class _Guides:
    """The sparse points of a scene, in units: the object's with what the surface may pass them by, and the ground's.

    Attributes:
        own, ground: points.
        tolerance, clearance: of each of them, see `scene3d.losses.object_points`.
        drawn: indices of those that were drawn last.
    """

    def __init__(self, own: Tensor, ground: Tensor) -> None:
        self.own, self.ground = own, ground
        self.tolerance, self.clearance = point_tolerance(own), clearance_of(ground, own)
        self.drawn = torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64)

    @classmethod
    def of(cls, region: ObjectRegion, unit_to_world: Float[Tensor, "4 4"]) -> _Guides:
        placed = unit_to_world.cpu().double()
        points = (region.points.double() - placed[:3, 3]) / placed[0, 0]
        flat = torch.zeros_like(region.foreground)
        if region.plane is not None:
            near = FLAT * region.box.half.norm()
            flat = ~region.foreground & (region.plane.height(region.points).abs() < near)
        within = points.norm(dim=1) < 1
        return cls(points[region.foreground & within].float(), points[flat & within].float())

    def draw(self, count: int, like: Tensor) -> list[Tensor]:
        """So many of each kind, at random; none of a kind that there is none of."""
        self.drawn = tuple(  # type: ignore[assignment]
            torch.randint(len(points), (count,)) if len(points) else torch.zeros(0, dtype=torch.int64)
            for points in (self.own, self.ground)
        )
        return [points[index].to(like) for points, index in zip((self.own, self.ground), self.drawn, strict=True)]
