"""Where along rays a signed distance field is asked: ever closer to where they enter the surface.

Coordinates are those in which the scene lies in the unit sphere.

Source: Wang et al., "NeuS: learning neural implicit surfaces by volume rendering", NeurIPS 2021, section 3.3; what lies
outside of the sphere is sampled as in Zhang et al., "NeRF++", 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from pydantic import NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor

from scene3d.config import Config
from scene3d.ops.grid_march import March
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.ops.render_weights import render_weights
from scene3d.ops.sample_pdf import sample_pdf

STEEPEST = 1e3
"""Bound of the slope between two samples, which may lie as close as they like."""

TINY = 1e-5
"""Added to weights and to lengths that are divided by, as published."""


class SurfaceSamplingConfig(Config):
    """How many samples there are, and where; defaults are the published ones.

    Attributes:
        uniform: evenly spaced from near to far.
        rounds: of up-sampling; each looks at all samples so far.
        per_round: samples that a round adds.
        sharpness: that the first round takes the surface to have; each later one takes twice the one before.
        outside: samples beyond far, even in inverse distance; 0 where there is no background.
    """

    kind: Literal["hierarchical"] = "hierarchical"
    uniform: PositiveInt = 64
    rounds: NonNegativeInt = 4
    per_round: PositiveInt = 16
    sharpness: PositiveFloat = 64.0
    outside: NonNegativeInt = 32


class RaySections(NamedTuple):
    """Where R rays are sampled.

    Attributes:
        surface: sections in which the surface is looked for.
        whole: those and the ones for a background; None without such.
        places: index in the whole of each section of the surface; None where on every ray they come first.
    """

    surface: March
    whole: March | None
    places: Int[Tensor, "N"] | None = None  # noqa: UP037


def place_sections(
    distance: Callable[[Tensor], Tensor],
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    config: SurfaceSamplingConfig,
    *,
    jitter: torch.Generator | bool,
) -> RaySections:
    """Sections of rays through the unit sphere, dense where they enter the surface.

    Args:
        distance: signed distance at N points, > 0 outside.
        origins, directions: of the rays; directions of length 1.
        config: how many.
        jitter: True, or a generator, moves the samples of each ray (training); False is deterministic.
    """
    near, far = sphere_limits(origins, directions)
    placed = uniform_distances(near, far, config.uniform, jitter=jitter)
    placed = up_sample(distance, origins, directions, placed, config)
    last = 2 / config.uniform
    whole = None
    if config.outside:
        beyond = outside_distances(far, config.outside, 1 / config.uniform, jitter=jitter)
        whole = sections_between(torch.cat([placed, beyond], dim=1), last)
    return RaySections(sections_between(placed, last), whole)


def sphere_limits(
    origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"]
) -> tuple[Float[Tensor, "R"], Float[Tensor, "R"]]:  # noqa: UP037
    """Distances 1 before and 1 behind where each ray comes closest to the origin.

    Between them lies all that the ray has in the unit sphere; a ray that misses it has them too.
    """
    closest = -(origins * directions).sum(dim=1) / directions.square().sum(dim=1)
    return closest - 1, closest + 1


def ball_limits(
    origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"]
) -> tuple[Float[Tensor, "R"], Float[Tensor, "R"]]:  # noqa: UP037
    """Distances at which each ray enters the unit sphere, at least 0, and leaves it.

    A ray that misses it has both, or far alone, where it comes closest to the origin: nothing lies between them.
    """
    closest = -(origins * directions).sum(dim=1)
    aside = (origins + closest[:, None] * directions).square().sum(dim=1)
    half = (1 - aside).clamp(min=0).sqrt()
    return (closest - half).clamp(min=0), closest + half


def uniform_distances(
    near: Float[Tensor, "R"],  # noqa: UP037
    far: Float[Tensor, "R"],  # noqa: UP037
    samples: int,
    *,
    jitter: torch.Generator | bool,
) -> Float[Tensor, "R S"]:
    """Evenly spaced from near to far, both included; jitter moves those of a ray together, by up to 1 / samples."""
    share = torch.linspace(0, 1, samples, device=near.device, dtype=near.dtype)
    placed = near[:, None] + (far - near)[:, None] * share
    if jitter is False:
        return placed
    return placed + (_draw(near, 1, jitter) - 0.5) * 2 / samples


def outside_distances(
    far: Float[Tensor, "R"],  # noqa: UP037
    samples: int,
    gap: float,
    *,
    jitter: torch.Generator | bool,
) -> Float[Tensor, "R S"]:
    """Distances far / u + gap, ascending, with u evenly spaced down to a thousandth.

    Args:
        far: of each ray, > 0.
        samples: how many.
        gap: added to all.
        jitter: True, or a generator, draws each u between the middles to its neighbours.
    """
    u = torch.linspace(1e-3, 1 - 1 / (samples + 1), samples, device=far.device, dtype=far.dtype).expand(len(far), -1)
    if jitter is not False:
        middle = (u[:, 1:] + u[:, :-1]) / 2
        lower, upper = torch.cat([u[:, :1], middle], dim=1), torch.cat([middle, u[:, -1:]], dim=1)
        u = lower + (upper - lower) * _draw(far, samples, jitter)
    return far[:, None] / u.flip(1) + gap


@torch.no_grad()
def up_sample(
    distance: Callable[[Tensor], Tensor],
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    distances: Float[Tensor, "R S"],
    config: SurfaceSamplingConfig,
) -> Float[Tensor, "R T"]:
    """More samples where the ones that are there say that the ray enters the surface; ascending, without gradient.

    Arguments are as in `place_sections`; `distances` are those of the first samples.
    """

    def ask(where: Tensor) -> Tensor:
        points = origins[:, None] + directions[:, None] * where[..., None]
        return distance(points.flatten(0, 1)).unflatten(0, where.shape)

    if not config.rounds:
        return distances
    sdf = ask(distances)
    middles = (torch.arange(config.per_round, device=sdf.device, dtype=sdf.dtype) + 0.5) / config.per_round
    for i in range(config.rounds):
        radius = (origins[:, None] + directions[:, None] * distances[..., None]).norm(dim=-1)
        weights = _entering(distances, sdf, radius, config.sharpness * 2**i)
        new = sample_pdf(distances, weights + TINY, middles.expand(len(distances), -1))
        distances, order = torch.cat([distances, new], dim=1).sort(dim=1)
        if i + 1 < config.rounds:
            sdf = torch.cat([sdf, ask(new)], dim=1).gather(1, order)
    return distances


def sections_between(distances: Float[Tensor, "R S"], last: float) -> March:
    """Sections that begin at ascending distances and reach to the next; the last of a ray is as long as said."""
    rays, samples = distances.shape
    end = torch.cat([distances[:, 1:], distances[:, -1:] + last], dim=1)
    offsets = torch.arange(rays + 1, device=distances.device) * samples
    return March(offsets, distances.flatten(), end.flatten())


def even_sections(
    near: Float[Tensor, "R"],  # noqa: UP037
    far: Float[Tensor, "R"],  # noqa: UP037
    count: int,
    *,
    jitter: torch.Generator | bool,
) -> March:
    """Sections that share the way from near to far; none of a ray whose far is not beyond its near.

    Args:
        near, far: of each ray.
        count: sections of a ray.
        jitter: True, or a generator, moves each border between two sections by up to half a section; False shares
            evenly.
    """
    rays = (far > near).nonzero()[:, 0]
    borders = torch.arange(count + 1, device=near.device, dtype=near.dtype).expand(len(rays), -1)
    if jitter is not False:
        moved = borders[:, 1:-1] + _draw(near[rays], count - 1, jitter) - 0.5
        borders = torch.cat([borders[:, :1], moved, borders[:, -1:]], dim=1)
    reached = near[rays, None] + (far - near)[rays, None] * borders / count
    counts = torch.zeros(len(near) + 1, dtype=torch.int64, device=near.device).index_fill_(0, rays + 1, count)
    return March(counts.cumsum(0), reached[:, :-1].flatten(), reached[:, 1:].flatten())


def merged(marches: Sequence[March]) -> tuple[March, Int[Tensor, "N"]]:  # noqa: UP037
    """The sections of several marches along the same rays, near to far, and where those of the first are among them."""
    rays = torch.cat([ray_of(march.offsets, len(march.begin)) for march in marches])
    begin, end = (torch.cat([getattr(march, name) for march in marches]) for name in ("begin", "end"))
    order = begin.argsort(stable=True)
    order = order[rays[order].argsort(stable=True)]
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    offsets = torch.stack([march.offsets for march in marches]).sum(dim=0)
    return March(offsets, begin[order], end[order]), place[: len(marches[0].begin)]


def ray_of(offsets: Int[Tensor, " edges"], total: int) -> Int[Tensor, "N"]:  # noqa: UP037
    """Index of the ray of each of all sections."""
    rays = torch.arange(len(offsets) - 1, device=offsets.device)
    return rays.repeat_interleave(offsets.diff(), output_size=total)


def _entering(distances: Tensor, sdf: Tensor, radius: Tensor, sharpness: float) -> Tensor:
    """Weights [R S - 1] of the sections between samples, from a straight line between their signed distances."""
    # sdf |  *
    #     |     *             The steeper fall of a section and of the one before it counts: a section in which the ray
    #   0 |--------*----*--   enters a thin wall and leaves it looks flat by itself. What rises, and what lies outside
    #     |          *        of the unit sphere, counts as flat.
    #     +--------------> distance
    length = distances.diff(dim=1)
    slope = sdf.diff(dim=1) / (length + TINY)
    before = torch.cat([torch.zeros_like(slope[:, :1]), slope[:, :-1]], dim=1)
    inside = (radius[:, :-1] < 1) | (radius[:, 1:] < 1)
    slope = torch.minimum(slope, before).clamp(-STEEPEST, 0) * inside
    middle = (sdf[:, :-1] + sdf[:, 1:]) / 2
    return render_weights(neus_alpha(middle, slope, length, sdf.new_tensor(sharpness)))


def _draw(like: Tensor, count: int, jitter: torch.Generator | bool) -> Tensor:
    generator = jitter if isinstance(jitter, torch.Generator) else None
    return torch.rand(len(like), count, device=like.device, dtype=like.dtype, generator=generator)
