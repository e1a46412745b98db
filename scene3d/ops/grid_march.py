"""Steps along rays that lie in occupied cells: where a field needs to be asked at all."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.ops._library import operator

RAYS_AT_ONCE = 8192
"""Rays that the reference steps along at a time."""


class March(NamedTuple):
    """The N occupied steps of R rays, ray after ray, near to far.

    Attributes:
        offsets: ray r has the steps offsets[r] to offsets[r + 1] - 1.
        begin, end: of each step, distances along the ray.
    """

    offsets: Int[Tensor, " edges"]
    begin: Float[Tensor, "N"]  # noqa: UP037
    end: Float[Tensor, "N"]  # noqa: UP037


def pack_occupancy(occupied: Bool[Tensor, "L n n n"]) -> Int[Tensor, "L words"]:
    """32 cells a word (int32), row-major, the first in the lowest bit."""
    flat = occupied.flatten(1)
    flat = torch.nn.functional.pad(flat, (0, -flat.shape[1] % 32)).unflatten(1, (-1, 32)).long()
    words = (flat << torch.arange(32, device=flat.device)).sum(dim=-1)
    return torch.where(words >= 2**31, words - 2**32, words).int()


def grid_march(
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    near: Float[Tensor, "R"],  # noqa: UP037
    far: Float[Tensor, "R"],  # noqa: UP037
    occupancy: Int[Tensor, "L words"],
    *,
    cells: int,
    lower: tuple[float, float, float],
    size: float,
    step: float,
    cone: float = 0.0,
) -> March:
    """March rays through nested cubes and keep the steps whose middle lies in an occupied cell.

    Step k begins where step k - 1 ends and is ``max(step, cone * begin)`` long, occupied or not, so that what is kept
    does not move when the occupancy changes. Level l is a cube with the centre of level 0 and 2^l times its edge; a
    point belongs to the smallest cube that holds it, and is empty where none does.

    Args:
        origins, directions: of the rays; directions of length 1.
        near, far: where each ray begins and ends.
        occupancy: of every level, see `pack_occupancy`.
        cells: along an edge of each cube.
        lower: lowest corner of level 0.
        size: edge of level 0.
        step: least length of a step, > 0.
        cone: growth of steps with distance; 0 makes them even.

    Returns:
        Steps whose middle lies before `far`. Nothing is differentiable.

    Source: the marching of Mueller et al., "Instant neural graphics primitives", SIGGRAPH 2022, appendix E.1.
    """
    grid = occupancy, cells, [*lower, size], step, cone
    counts = _count(origins, directions, near, far, *grid)
    offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    return March(offsets, *_fill(origins, directions, near, far, *grid, offsets, int(offsets[-1])))


def grid_march_fixed(
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    near: Float[Tensor, "R"],  # noqa: UP037
    far: Float[Tensor, "R"],  # noqa: UP037
    occupancy: Int[Tensor, "L words"],
    *,
    cells: int,
    lower: tuple[float, float, float],
    size: float,
    step: float,
    cone: float = 0.0,
    capacity: int,
) -> tuple[Float[Tensor, "R K"], Float[Tensor, "R K"], Int[Tensor, "R"]]:  # noqa: UP037
    """The first `capacity` kept steps of every ray, without waiting for how many there are.

    Returns:
        Begin and end of each step, 0 where a ray has fewer, and how many it has.
    """
    offsets = torch.arange(len(origins) + 1, device=origins.device) * capacity
    grid = occupancy, cells, [*lower, size], step, cone
    counts = _count(origins, directions, near, far, *grid).clamp(max=capacity)
    begin, end = _fill(origins, directions, near, far, *grid, offsets, len(origins) * capacity)
    shape = (len(origins), capacity)
    return begin.reshape(shape), end.reshape(shape), counts


def reference_count(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    cells: int,
    cube: list[float],
    step: float,
    cone: float,
) -> Tensor:
    """How many steps of each ray are kept."""
    counts = torch.zeros(len(origins), dtype=torch.int64, device=origins.device)
    for part, _, _, kept in _steps(origins, directions, near, far, occupancy, cells, cube, step, cone):
        counts[part] = kept.sum(dim=1)
    return counts


def reference_fill(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    cells: int,
    cube: list[float],
    step: float,
    cone: float,
    offsets: Tensor,
    total: int,
) -> tuple[Tensor, Tensor]:
    """Every step of every ray, and those that are kept at their places; 0 in room that a ray does not fill."""
    begin, end = near.new_zeros(total), near.new_zeros(total)
    for part, from_, to, kept in _steps(origins, directions, near, far, occupancy, cells, cube, step, cone):
        place = offsets[:-1][part, None] + kept.cumsum(dim=1) - 1
        fits = kept & (place < offsets[1:][part, None])
        begin[place[fits]], end[place[fits]] = from_[fits], to[fits]
    return begin, end


def _steps(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    occupancy: Tensor,
    cells: int,
    cube: list[float],
    step: float,
    cone: float,
) -> Any:
    """Rays in parts: which, begin and end of their steps, and which of these are kept."""
    for first in range(0, len(origins), RAYS_AT_ONCE):
        part = slice(first, first + RAYS_AT_ONCE)
        begin, end, kept = [], [], []
        at, k = near[part], 0
        while True:
            length = (cone * at).clamp(min=step)
            middle = at + length / 2
            going = middle < far[part]
            if not going.any():
                break
            points = origins[part] + middle[:, None] * directions[part]
            begin.append(at)
            # Even steps follow from their number, so that no rounding adds up.
            k += 1
            at = near[part] + k * step if cone == 0 else at + length
            end.append(at)
            kept.append(going & _occupied(points, occupancy, cells, cube))
        if begin:
            yield part, torch.stack(begin, dim=1), torch.stack(end, dim=1), torch.stack(kept, dim=1)


def _occupied(points: Tensor, occupancy: Tensor, cells: int, cube: list[float]) -> Tensor:
    size = cube[3]
    centre = points.new_tensor(cube[:3]) + size / 2
    found = torch.zeros(len(points), dtype=torch.bool, device=points.device)
    open_ = torch.ones_like(found)
    for level, words in enumerate(occupancy):
        edge = size * 2**level
        place = (points - (centre - edge / 2)) * (cells / edge)
        within = open_ & ((place >= 0) & (place < cells)).all(dim=1)
        x, y, z = torch.where(within[:, None], place, 0).long().unbind(dim=1)
        index = (x * cells + y) * cells + z
        found |= within & ((words[index >> 5] >> (index & 31)) & 1).bool()
        open_ &= ~within
    return found


_RAYS = (
    "Tensor origins, Tensor directions, Tensor near, Tensor far, Tensor occupancy, int cells, float[] cube, "
    "float step, float cone"
)
_count = operator(
    f"grid_march_count({_RAYS}) -> Tensor",
    reference=reference_count,
    fake=lambda origins, *_: origins.new_empty(origins.shape[0], dtype=torch.int64),
)
_fill = operator(
    f"grid_march_fill({_RAYS}, Tensor offsets, SymInt total) -> (Tensor, Tensor)",
    reference=reference_fill,
    fake=lambda origins, directions, near, far, occupancy, cells, cube, step, cone, offsets, total: (
        near.new_empty(total),
        near.new_empty(total),
    ),
)
