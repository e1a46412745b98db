"""The cells of a grid that rays cross, in order."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.ops._library import operator

RAYS_AT_ONCE = 4096
"""Rays that the reference sorts the crossings of at a time."""


class Walk(NamedTuple):
    """The N cells that R rays cross, ray after ray, near to far.

    Attributes:
        offsets: ray r crosses cells offsets[r] to offsets[r + 1] - 1.
        cells: index of each crossed cell in the flattened grid, row-major.
        enter, leave: distance along the ray at which it enters and leaves the cell, in units of its direction.
    """

    offsets: Int[Tensor, " edges"]
    cells: Int[Tensor, "N"]  # noqa: UP037
    enter: Float[Tensor, "N"]  # noqa: UP037
    leave: Float[Tensor, "N"]  # noqa: UP037


def voxel_walk(
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    near: Float[Tensor, "R"],  # noqa: UP037
    far: Float[Tensor, "R"],  # noqa: UP037
    *,
    lower: tuple[float, float, float],
    size: float,
    shape: tuple[int, int, int],
) -> Walk:
    """Walk rays through a regular grid.

    Args:
        origins, directions: of the rays, in the axes of the grid; directions need not have length 1.
        near, far: where each ray begins and ends, in units of its direction.
        lower: corner of cell (0, 0, 0).
        size: edge of a cell.
        shape: cells along x, y and z.

    Returns:
        Only cells of which a ray crosses more than a point; a ray that misses the grid has none. Nothing is
        differentiable. Rays with values that are not finite cross nothing.

    Source: Amanatides and Woo, "A fast voxel traversal algorithm for ray tracing", Eurographics 1987.
    """
    grid = [*lower, size], list(shape)
    counts = _count(origins, directions, near, far, *grid)
    offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    return Walk(offsets, *_fill(origins, directions, near, far, *grid, offsets, int(offsets[-1])))


def reference_count(
    origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, grid: list[float], shape: list[int]
) -> Tensor:
    """How many cells each ray crosses."""
    counts = torch.zeros(len(origins), dtype=torch.int64, device=origins.device)
    for part, edges, _ in _sections(origins, directions, near, far, grid, shape):
        counts[part] = (edges.diff(dim=1) > 0).sum(dim=1)
    return counts


def reference_fill(
    origins: Tensor,
    directions: Tensor,
    near: Tensor,
    far: Tensor,
    grid: list[float],
    shape: list[int],
    offsets: Tensor,
    total: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Every crossing of a plane, sorted; between two of them lies one cell."""
    cells, enter, leave = (
        torch.empty(0, dtype=t, device=origins.device) for t in (torch.int64, near.dtype, near.dtype)
    )
    for part, edges, lower in _sections(origins, directions, near, far, grid, shape):
        crossed = edges.diff(dim=1) > 0
        middle = (edges[:, :-1] + edges[:, 1:]) / 2
        points = origins[part, None] + middle[..., None] * directions[part, None]
        steps = torch.nan_to_num((points - lower) / grid[3]).floor().long()
        x, y, z = (steps[..., i].clamp(0, shape[i] - 1) for i in range(3))
        cells = torch.cat([cells, ((x * shape[1] + y) * shape[2] + z)[crossed]])
        enter, leave = torch.cat([enter, edges[:, :-1][crossed]]), torch.cat([leave, edges[:, 1:][crossed]])
    return cells, enter, leave


def _sections(
    origins: Tensor, directions: Tensor, near: Tensor, far: Tensor, grid: list[float], shape: list[int]
) -> Any:
    """Rays in parts: which, and where each crosses a plane between entering and leaving the grid, in order."""
    lower = origins.new_tensor(grid[:3])
    for first in range(0, len(origins), RAYS_AT_ONCE):
        part = slice(first, first + RAYS_AT_ONCE)
        origin, direction = origins[part], directions[part]
        begin, end = near[part].clone(), far[part].clone()
        crossings = []
        for axis in range(3):
            planes = grid[axis] + grid[3] * torch.arange(shape[axis] + 1, device=origins.device, dtype=origins.dtype)
            along = (planes - origin[:, axis, None]) / direction[:, axis, None]
            still = direction[:, axis] == 0
            within = (origin[:, axis] >= planes[0]) & (origin[:, axis] < planes[-1])
            one, other = along[:, 0], along[:, -1]
            begin = torch.where(still, begin, torch.maximum(begin, torch.minimum(one, other)))
            end = torch.where(
                still, torch.where(within, end, -torch.inf), torch.minimum(end, torch.maximum(one, other))
            )
            crossings.append(torch.where(still[:, None], torch.inf, along))
        finite = torch.isfinite(origin).all(dim=1) & torch.isfinite(direction).all(dim=1) & torch.isfinite(begin)
        hit = finite & (begin < end)
        begin, end = torch.where(hit, begin, 0), torch.where(hit, end, 0)
        inner = torch.cat(crossings, dim=1).nan_to_num(nan=torch.inf)
        inner = torch.minimum(torch.maximum(inner, begin[:, None]), end[:, None])
        edges = torch.cat([begin[:, None], inner, end[:, None]], dim=1).sort(dim=1).values
        yield part, edges, lower


_RAYS = "Tensor origins, Tensor directions, Tensor near, Tensor far, float[] grid, int[] shape"
_count = operator(
    f"voxel_walk_count({_RAYS}) -> Tensor",
    reference=reference_count,
    fake=lambda origins, *_: origins.new_empty(origins.shape[0], dtype=torch.int64),
)
_fill = operator(
    f"voxel_walk_fill({_RAYS}, Tensor offsets, SymInt total) -> (Tensor, Tensor, Tensor)",
    reference=reference_fill,
    fake=lambda origins, directions, near, far, grid, shape, offsets, total: (
        near.new_empty(total, dtype=torch.int64),
        near.new_empty(total),
        near.new_empty(total),
    ),
)
