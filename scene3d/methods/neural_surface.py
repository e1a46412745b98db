"""The surface of one scene from posed photographs, learned by rendering it.

Source: Wang et al., "NeuS: learning neural implicit surfaces by volume rendering", NeurIPS 2021.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.errors import DataError
from scene3d.fusion.meshing import MeshingConfig, surface_mesh
from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.depth import ray_lengths
from scene3d.geometry.se3 import rigid
from scene3d.losses import LossTerms
from scene3d.losses.surface import eikonal, emptiness, silhouette
from scene3d.methods.camera_correction import corrected_camera
from scene3d.methods.surface_config import (
    BackgroundConfig,
    PlainBackgroundConfig,
    RateScales,
    RefinementConfig,
    SamplingConfig,
    SurfaceLossConfig,
)
from scene3d.methods.surface_priors import surface_priors
from scene3d.methods.surface_rays import SeenRays, colour_seen, points_in_ball
from scene3d.nn.pose_refinement import PoseRefinement
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import SOLID, SurfacePrediction
from scene3d.structures.solids import Mesh
from scene3d.volume.background import Background, SphereBackgroundConfig
from scene3d.volume.image_rays import Aim, ImageRays, all_rays, draw_rays
from scene3d.volume.object_space import WithinBox
from scene3d.volume.surface_field import SurfaceConfig, SurfaceField
from scene3d.volume.surface_occupancy import MarchSamplingConfig, SurfaceOccupancy
from scene3d.volume.surface_renderer import SurfaceRendering, render_surface
from scene3d.volume.surface_sampling import RaySections, SurfaceSamplingConfig, ball_limits, place_sections


class NeuralSurfaceConfig(Config):
    """What a neural surface can be told; defaults are the published ones without masks.

    Attributes:
        surface: signed distance, colours and sharpness.
        background: what rays see behind it.
        sampling: where rays ask.
        rays: of a step, over all images of its batch.
        inside: share of them that go through the masks.
        met: draw the others so that they meet the region of interest, the ball or what the surface is confined to:
            before a plain background those that do not see nothing that could be learnt.
        steps: of the training, over which `anneal` and the levels of a hash grid are counted.
        anneal: share of the training in which the opacity turns from independent of the angle of a ray to what the
            published equation says; 0 with masks.
        loss: weights.
        scales: of the learning rate.
        refinement: of the cameras; None takes them as they come.
        chunk: rays that are rendered at once when no gradient is needed.
    """

    kind: Literal["neural_surface"] = "neural_surface"
    surface: SurfaceConfig = SurfaceConfig()
    background: BackgroundConfig = SphereBackgroundConfig()
    sampling: SamplingConfig = SurfaceSamplingConfig()
    rays: PositiveInt = 512
    inside: float = Field(0.0, ge=0, le=1)
    met: bool = False
    steps: PositiveInt = 300_000
    anneal: float = Field(1 / 6, ge=0, le=1)
    loss: SurfaceLossConfig = SurfaceLossConfig()
    scales: RateScales = RateScales()
    refinement: RefinementConfig | None = None
    chunk: PositiveInt = 2048

    @model_validator(mode="after")
    def _fitting(self) -> NeuralSurfaceConfig:
        around = not isinstance(self.background, PlainBackgroundConfig)
        if around and self.met:
            raise ValueError(f"met: expected a plain background with it, got {self.background.kind}")
        if around != bool(self.sampling.outside):
            wanted = "some samples" if around else "none"
            raise ValueError(
                f"sampling.outside: expected {wanted} with a {self.background.kind} background, "
                f"got {self.sampling.outside}"
            )
        return self

    def build(self) -> NeuralSurface:
        """The method."""
        return NeuralSurface(self)


class NeuralSurface(nn.Module):
    """Posed images of one scene to its surface.

    The region of interest comes with the frames (`Frames.unit_to_world`, `Frames.bounds`) and is kept: it is part of
    what was learned.

    Args:
        config: see `NeuralSurfaceConfig`.
    """

    unit_to_world: Tensor
    bounds: Tensor

    def __init__(self, config: NeuralSurfaceConfig) -> None:
        super().__init__()
        self.config = config
        self.surface = config.surface.build()
        around, sampling = config.background, config.sampling
        self.background = None if isinstance(around, PlainBackgroundConfig) else around.build()
        self.occupancy = SurfaceOccupancy(sampling) if isinstance(sampling, MarchSamplingConfig) else None
        refined = config.refinement
        self.cameras = None if refined is None else PoseRefinement(refined.images, refined.fixed)
        self.register_buffer("unit_to_world", torch.eye(4, dtype=torch.float64))
        self.register_buffer("bounds", torch.zeros(2, 3))

    def training_step(self, frames: Frames, step: int) -> LossTerms:
        """Render random rays of the images and compare.

        Raises:
            DataError: the frames have no region of interest, no transforms, or no masks where these are needed.
        """
        config = self.config
        self._settle(frames)
        progress = min(step / config.steps, 1.0)
        self.surface.sharpen(progress)
        field = self.surface.field(progress)
        if self.occupancy is not None and step % self.occupancy.config.refresh == 0:
            self.occupancy.refresh(field)
        rays = self._draw(frames, progress)
        anneal = 1.0 if config.anneal == 0 else min(progress / config.anneal, 1.0)
        beside = self._beside(rays.origins)
        seen = self._render(field, rays.origins, rays.directions, jitter=True, anneal=anneal, beside=beside)
        terms = {
            "colour": colour_seen(seen, rays, self._plain(), frames.names),
            "eikonal": eikonal(torch.cat([seen.gradients[seen.inside], seen.beside.gradient])),
        }
        weights = {"colour": 1.0, "eikonal": config.loss.eikonal}
        box = self._box()
        if box is not None:
            terms["empty"] = emptiness(seen.beside.sdf[~box.contains(beside)])
            weights["empty"] = config.loss.empty
        if rays.mask is not None and config.loss.mask:
            terms["mask"] = silhouette(seen.surface.clamp(0, 1), rays.mask)
            weights["mask"] = config.loss.mask
        sections = torch.tensor(len(seen.sdf) / len(rays.origins))
        observed = {"blur": 1 / field.sharpness.detach(), "sections a ray": sections}
        return LossTerms(terms, weights, observed).joined(self._priors(seen, rays, frames, step))

    @torch.no_grad()
    def predict(self, frames: Frames) -> SurfacePrediction:
        """Colour, depth, normals and opacity of view 0 of each snippet."""
        height, width = frames.image.shape[-2:]
        rays = [all_rays(frames, i, self.unit_to_world, self.cameras) for i in range(len(frames.image))]
        seen = [self.render_rays(*some) for some in rays]
        colour, distance, normals, opacity = (
            torch.stack(list(part)).unflatten(1, (height, width)) for part in zip(*seen, strict=True)
        )
        lengths = ray_lengths(frames.K[:, 0], height, width).to(distance)
        return SurfacePrediction(
            colour=colour.permute(0, 3, 1, 2),
            depth=distance * float(self.unit_to_world[0, 0]) / lengths,
            normals=normals.permute(0, 3, 1, 2),
            opacity=opacity,
            K=frames.K[:, 0],
            behind=self._behind(),
        )

    def correct_camera(self, frames: Frames, steps: int) -> Frames:
        """The frames, of one snippet, with the camera of view 0 where it sees the image best.

        Raises:
            DataError: the view has no transform.
        """
        field = self.surface.field()

        def difference(rays: ImageRays) -> Tensor:
            seen = self._render(field, rays.origins, rays.directions, jitter=False)
            return colour_seen(seen, rays, self._plain(), frames.names)

        rays = self.config.rays
        return corrected_camera(frames, self.unit_to_world, difference, rays=rays, steps=steps, refine=self.cameras)

    @torch.no_grad()
    def render_rays(self, origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"]) -> SeenRays:
        """What rays in units see, in chunks; a background of random colour is black."""
        field = self.surface.field()
        seen = [
            self._seen(field, *part)
            for part in zip(origins.split(self.config.chunk), directions.split(self.config.chunk), strict=True)
        ]
        return SeenRays(*(torch.cat(part) for part in zip(*seen, strict=True)))

    def mesh(self, config: MeshingConfig = MeshingConfig()) -> Mesh:  # noqa: B008  (frozen)
        """The surface in the region of interest, in the world; closed where it leaves the box that it is confined to.

        Raises:
            DataError: there is none.
        """
        field, box = self.surface.field(), self._box()
        if box is not None:
            field = replace(field, surface=WithinBox(field.surface, box))
        return surface_mesh(field, self.unit_to_world, config)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The tables of hash grids, the networks, the sharpness and the cameras, each with its factor."""
        scales, refined = self.config.scales, self.config.refinement
        names = {"table": scales.table, "sharpness": scales.sharpness, "twist": refined.scale if refined else 1.0}
        groups: dict[str, list[nn.Parameter]] = {**{part: [] for part in names}, "networks": []}
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                continue
            part = next((part for part in names if f".{part}" in name), "networks")
            groups[part].append(parameter)
        names["networks"] = scales.networks
        return [{"params": params, "scale": names[part]} for part, params in groups.items() if params]

    def _settle(self, frames: Frames) -> None:
        """Take over where the scene lies."""
        if frames.unit_to_world is None:
            name = frames.names[0] if frames.names else "frames"
            raise DataError(f"{name}: expected a region of interest, got none", hint="data.snippets.region: {}")
        self.unit_to_world.copy_(frames.unit_to_world[0])
        if frames.bounds is not None:
            if self.background is not None or not self.config.loss.points:
                had = f"background.kind {self.config.background.kind}, loss.points {self.config.loss.points}"
                wanted = "a plain background and loss.points, for a surface that is confined"
                raise DataError(f"{frames.names[0]}: expected {wanted}, got {had}", hint="region.confined: false")
            self.bounds.copy_((frames.bounds[0] - self.unit_to_world[:3, 3]) / self.unit_to_world[0, 0])
        known = 0 if self.cameras is None else len(self.cameras.twist)
        if known and (frames.number is None or int(frames.number.max()) >= known):
            got = "none" if frames.number is None else int(frames.number.max())
            raise DataError(f"{frames.names[0]}: expected a frame number below refinement.images, {known}, got {got}")

    def _draw(self, frames: Frames, progress: float) -> ImageRays:
        """The rays of a step."""
        return draw_rays(
            frames,
            self.unit_to_world,
            self.config.rays,
            self.config.inside,
            refine=self.cameras,
            aim=self._aim(progress),
            region=self._meets if self.config.met else None,
            normals=self.config.loss.normals > 0,
        )

    def _aim(self, progress: float) -> Aim | None:
        """What rays are to go through at a share of the training; None for masks, where there are any."""
        return None

    def _meets(self, origins: Tensor, directions: Tensor) -> Bool[Tensor, "R"]:  # noqa: UP037
        """Which rays come through where the surface may be."""
        box = self._box()
        near, far = ball_limits(origins, directions) if box is None else box.crossed(origins, directions)
        return far > near

    def _beside(self, like: Tensor) -> Float[Tensor, "K 3"]:
        """Points that the surface is asked at besides those along the rays."""
        return points_in_ball(self.config.loss.points, like)

    def _priors(self, seen: SurfaceRendering, rays: ImageRays, frames: Frames, step: int) -> LossTerms:
        """What the surface is to be besides looking like its photographs."""
        return surface_priors(seen, rays, frames, self.config.loss, step)

    def _render(
        self,
        field: SurfaceField,
        origins: Tensor,
        directions: Tensor,
        *,
        jitter: bool,
        anneal: float = 1.0,
        beside: Tensor | None = None,
    ) -> SurfaceRendering:
        placed = self._place(field, origins, directions, jitter=jitter)
        return render_surface(
            field,
            origins,
            directions,
            placed.surface,
            anneal=anneal,
            background=self._around(),
            whole=placed.whole,
            places=placed.places,
            within=self._within(),
            beside=beside,
        )

    def _place(self, field: SurfaceField, origins: Tensor, directions: Tensor, *, jitter: bool) -> RaySections:
        """Where the rays are sampled."""
        # Where a ray is sampled is no function of where its camera is: the colour there is.
        origins, directions = origins.detach(), directions.detach()
        if self.occupancy is not None:
            return self.occupancy.place(field, origins, directions, jitter=jitter)
        assert isinstance(self.config.sampling, SurfaceSamplingConfig)
        return place_sections(field.surface.distance, origins, directions, self.config.sampling, jitter=jitter)

    def _box(self) -> OrientedBox | None:
        """What the surface is confined to, in units; None for the ball."""
        low, high = self.bounds
        if not bool((high > low).all()):
            return None
        return OrientedBox(box_to_world=rigid(torch.eye(3).to(low), (low + high) / 2), half=(high - low) / 2)

    def _around(self) -> Background | None:
        """What is asked where the surface is not."""
        return self.background

    def _within(self) -> Callable[[Tensor], Tensor] | None:
        """Which points are the surface's; None for those in the unit ball."""
        return None

    def _seen(self, field: SurfaceField, origins: Tensor, directions: Tensor) -> SeenRays:
        seen = self._render(field, origins, directions, jitter=False)
        solid = (seen.surface >= SOLID).to(seen.surface)
        distance = solid * seen.distance / seen.surface.clamp(min=SOLID)
        normals = nn.functional.normalize(seen.normals, dim=1) * solid[:, None]
        colour = seen.colour + (1 - seen.opacity)[:, None] * (self._behind() or 0.0)
        return SeenRays(colour, distance, normals, seen.surface)

    def _plain(self) -> str | None:
        """The one colour behind the surface, where it is one."""
        background = self.config.background
        return background.colour if isinstance(background, PlainBackgroundConfig) else None

    def _behind(self) -> float | None:
        """The gray that renderings show behind the surface, where it is one colour."""
        plain = self._plain()
        return None if plain is None else float(plain == "white")
