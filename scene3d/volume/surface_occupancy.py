"""Where a surface may be: a grid of bits about it, so that rays ask the field there and nowhere else.

Source: occupancy skipping is of Mueller et al., "Instant neural graphics primitives", SIGGRAPH 2022; that a cell counts
by its signed distance is sound here, for what lies many blurs from the surface is either empty or opaque.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.ops.grid_march import March, grid_march, pack_occupancy
from scene3d.volume.surface_field import SurfaceField
from scene3d.volume.surface_sampling import RaySections, ball_limits, outside_distances, ray_of

NEAREST = 0.1
"""What lies outside of the unit sphere is sampled from here on at the nearest."""

ASKED = 2**18
"""Cells that the field is asked in at once."""

TRUSTED = 0.5
"""By how much of half a coarse cell a distance between the middles of such cells may be wrong."""

LOWER = (-1.0, -1.0, -1.0)
"""Corner of the cube about the unit sphere."""

CHILDREN = 2
"""Fine cells along the edge of a coarse one."""


class MarchSamplingConfig(Config):
    """How rays are marched through the cells that the surface may lie in.

    Lengths that follow the surface's sharpness are in blurs: one over the sharpness.

    Attributes:
        cells: along an edge of the cube about the unit sphere; even, for the grid is refined once.
        reach: a cell counts if the surface lies within so many blurs; of the sections in it, those in which it does.
        hidden: so many blurs below the surface nothing is seen any more: what a ray meets behind is left out.
        step: of the march, blurs.
        shortest, longest: bounds of the step, units.
        outside: samples beyond the sphere, even in inverse distance; 0 where there is no background.
        refresh: training steps after which the cells are looked at anew.
    """

    kind: Literal["march"] = "march"
    cells: PositiveInt = 128
    reach: PositiveFloat = 5.0
    hidden: PositiveFloat = 4.5
    step: PositiveFloat = 1.0
    shortest: PositiveFloat = 0.0034
    longest: PositiveFloat = 0.03
    outside: NonNegativeInt = 0
    refresh: PositiveInt = 64

    @model_validator(mode="after")
    def _fitting(self) -> MarchSamplingConfig:
        if self.cells % CHILDREN:
            raise ValueError(f"cells: expected an even number, got {self.cells}")
        if self.longest < self.shortest:
            raise ValueError(f"longest: expected at least shortest, {self.shortest}, got {self.longest}")
        return self


class SurfaceOccupancy(nn.Module):
    """The cells that the surface may lie in, as bits; all of them until `refresh` has looked.

    The bits are a buffer: they follow from the field as it was some steps ago, and a resumed training needs the same.
    """

    words: Tensor
    distances: Tensor

    def __init__(self, config: MarchSamplingConfig) -> None:
        super().__init__()
        self.config = config
        coarse = config.cells // CHILDREN
        everywhere = torch.ones(1, *3 * (config.cells,), dtype=torch.bool)
        self.register_buffer("words", pack_occupancy(everywhere))
        self.register_buffer("distances", torch.zeros(coarse, coarse, coarse))

    @torch.no_grad()
    def refresh(self, field: SurfaceField) -> None:
        """Look at the cube about the unit sphere: at all coarse cells, and at fine ones in those that count.

        Within a cell a distance is taken to change by no more than the way from its middle.
        """
        reach = self.config.reach * _blur(field)
        distance, device = field.surface.distance, self.words.device
        coarse = torch.ones_like(self.distances, dtype=torch.bool)
        found = cell_distances(distance, coarse)
        self.distances.copy_(found)
        fine = found.abs() < reach + _slack(len(found))
        for axis in range(3):
            fine = fine.repeat_interleave(CHILDREN, dim=axis)
        near = cell_distances(distance, fine).abs() < reach + _slack(len(fine))
        self.words.copy_(pack_occupancy(near[None]).to(device))

    @torch.no_grad()
    def place(
        self,
        field: SurfaceField,
        origins: Float[Tensor, "R 3"],
        directions: Float[Tensor, "R 3"],
        *,
        jitter: torch.Generator | bool,
    ) -> RaySections:
        """Even sections of rays in occupied cells of the unit ball, and beyond it where a background is sampled.

        Args:
            field: whose sharpness says how long the sections are.
            origins, directions: of the rays; directions of length 1.
            jitter: True, or a generator, moves the sections of each ray by up to half of one either way (training).
        """
        near, far = ball_limits(origins, directions)
        sections = self.march(field, origins, directions, near, far, jitter=jitter)
        if not self.config.outside:
            return RaySections(sections, None)
        beyond = outside_distances(far.clamp(min=NEAREST), self.config.outside, 0.0, jitter=jitter)
        return RaySections(sections, followed_by(sections, beyond))

    @torch.no_grad()
    def march(
        self,
        field: SurfaceField,
        origins: Float[Tensor, "R 3"],
        directions: Float[Tensor, "R 3"],
        near: Float[Tensor, "R"],  # noqa: UP037
        far: Float[Tensor, "R"],  # noqa: UP037
        *,
        jitter: torch.Generator | bool,
    ) -> March:
        """Even sections of rays in occupied cells from near to far; none of a ray whose far is not beyond its near.

        Other arguments are those of `place`.
        """
        config = self.config
        step = min(max(config.step * _blur(field), config.shortest), config.longest)
        begin = near
        if jitter is not False:
            generator = jitter if isinstance(jitter, torch.Generator) else None
            moved = torch.rand(len(near), device=near.device, dtype=near.dtype, generator=generator) - 0.5
            begin = torch.where(far > near, near + step * moved, near)
        sections = grid_march(
            origins,
            directions,
            begin,
            far,
            self.words,
            cells=config.cells,
            lower=LOWER,
            size=2.0,
            step=step,
        )
        return self._in_sight(field, origins, directions, sections)

    def _in_sight(self, field: SurfaceField, origins: Tensor, directions: Tensor, sections: March) -> March:
        """Sections near the surface and not behind it, by the distances of the coarse cells.

        Light that falls steadily deeper below a surface is dimmed to the logistic function of the depth in blurs.
        """
        config, slack = self.config, TRUSTED / len(self.distances)
        blur = _blur(field)
        ray = ray_of(sections.offsets, len(sections.begin))
        middle = (sections.begin + sections.end) / 2
        found = between_cells(self.distances, origins[ray] + middle[:, None] * directions[ray])
        deep = found < -config.hidden * blur - slack
        # A ray that leaves the cells below a surface is deeper than any of them before it meets others.
        gap = torch.nn.functional.pad(sections.begin[1:] > sections.end[:-1] + slack * blur, (0, 1))
        before = torch.nn.functional.pad((deep | (gap & (found < 0))).long().cumsum(0), (1, 0))
        kept = (before[:-1] == before[sections.offsets[:-1]][ray]) & (found < config.reach * blur + slack)
        counts = torch.zeros_like(sections.offsets).index_add_(0, ray + 1, kept.to(sections.offsets.dtype))
        return March(counts.cumsum(0), sections.begin[kept], sections.end[kept])


@torch.no_grad()
def cell_distances(distance: Callable[[Tensor], Tensor], asked: Bool[Tensor, "n n n"]) -> Float[Tensor, "n n n"]:
    """Signed distance in the middles of some of the cells of the cube about the unit sphere; far, 1, of the others.

    Cells that lie outside of the ball are not asked.

    Args:
        distance: at N points.
        asked: which cells.
    """
    size = len(asked)
    index = asked.nonzero()
    middles = (index + 0.5) * (2 / size) - 1
    within = middles.norm(dim=1) < 1 + _slack(size)
    index, middles = index[within], middles[within]
    found = torch.ones(asked.shape, device=asked.device)
    for place, part in zip(index.split(ASKED), middles.split(ASKED), strict=True):
        found[place.unbind(dim=1)] = distance(part)
    return found


def between_cells(values: Float[Tensor, "n n n"], points: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
    """Values of the middles of cells of the cube about the unit sphere, trilinear between them."""
    # The operator counts the last axis first.
    grid = points.flip(1)[None, None, None]
    sampled = torch.nn.functional.grid_sample(
        values[None, None], grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return sampled.flatten()


def _blur(field: SurfaceField) -> float:
    return 1 / float(field.sharpness.detach())


def _slack(cells: int) -> float:
    """From the middle of a cell to its corner, of so many along an edge of the cube."""
    return 3**0.5 / cells


def followed_by(sections: March, beyond: Float[Tensor, "R S"]) -> March:
    """The sections of every ray, then sections that begin at ascending distances beyond them.

    Each of these reaches to the next; the last is as long as the one before it.
    """
    rays, samples = beyond.shape
    device = beyond.device
    last = 2 * beyond[:, -1:] - beyond[:, -2:-1] if samples > 1 else 2 * beyond
    ends = torch.cat([beyond[:, 1:], last], dim=1)
    ray = ray_of(sections.offsets, len(sections.begin))
    own = torch.arange(len(sections.begin), device=device) + samples * ray
    later = sections.offsets[1:, None] + samples * torch.arange(rays, device=device)[:, None]
    later = (later + torch.arange(samples, device=device)).flatten()
    total = len(sections.begin) + rays * samples
    begin, end = beyond.new_empty(total), beyond.new_empty(total)
    begin[own], end[own] = sections.begin, sections.end
    begin[later], end[later] = beyond.flatten(), ends.flatten()
    offsets = sections.offsets + samples * torch.arange(rays + 1, device=device)
    return March(offsets, begin, end)
