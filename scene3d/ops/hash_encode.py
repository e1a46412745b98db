"""Multiresolution hash grid: features of points and how they change in space, from one table.

The Jacobian is a result like the features, and one backward serves both: normals and losses on them need no
gradient of a gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.ops._library import operator, repeatable

PRIMES = (1, 2654435761, 805459861)
"""Factors of the spatial hash, of the paper."""

_MASK = 0xFFFFFFFF


def hash_encode(
    points: Float[Tensor, "N 3"], table: Float[Tensor, "T F"], resolutions: list[int], starts: list[int]
) -> Float[Tensor, "N C"]:
    """Trilinear features of L grids of rising resolution, one after the other.

    Args:
        points: in the unit cube; those outside are moved to its face, where the derivative across it is 0.
        table: rows of all levels.
        resolutions: cells along an edge of the cube, of each level.
        starts: level l has the rows starts[l] to starts[l + 1] - 1; L + 1 numbers, from 0 to T. A level with a row
            for every corner is indexed by it; any other has a power of two of rows, into which corners are hashed.

    Returns:
        Features [N, L * F]. Gradients flow to the table and to the points.

    Source: Mueller et al., "Instant neural graphics primitives with a multiresolution hash encoding", SIGGRAPH 2022.
    """
    return _forward(points, table, resolutions, starts, False)[0]


def hash_encode_with_jacobian(
    points: Float[Tensor, "N 3"], table: Float[Tensor, "T F"], resolutions: list[int], starts: list[int]
) -> tuple[Float[Tensor, "N C"], Float[Tensor, "N C 3"]]:
    """As `hash_encode`, and the derivative of every feature by the point. Gradients flow through both."""
    return _forward(points, table, resolutions, starts, True)


def level_starts(resolutions: list[int], largest: int) -> list[int]:
    """Rows that every level begins with, when none has more than `largest` (a power of two) of them."""
    starts = [0]
    for resolution in resolutions:
        starts.append(starts[-1] + min((resolution + 1) ** 3, largest))
    return starts


def reference(
    points: Tensor, table: Tensor, resolutions: list[int], starts: list[int], jacobian: bool
) -> tuple[Tensor, Tensor]:
    """Level by level, corner by corner; the Jacobian has no rows where it is not asked for."""
    count = len(points) if jacobian else 0
    features, slopes = [points.new_zeros(len(points), 0)], [points.new_zeros(count, 0, 3)]
    for rows, weight, slope, _ in _levels(points, resolutions, starts):
        values = table[rows]
        features.append((weight[..., None] * values).sum(dim=1))
        slopes.append(torch.einsum("nkf,nki->nfi", values[:count], slope[:count]))
    return torch.cat(features, dim=1), torch.cat(slopes, dim=1)


def reference_backward(
    grad: Tensor | None,
    grad_jacobian: Tensor | None,
    points: Tensor,
    table: Tensor,
    resolutions: list[int],
    starts: list[int],
    for_points: bool,
    for_table: bool,
) -> tuple[Tensor, Tensor]:
    """Gradients to the points and to the table; without rows where they are not asked for."""
    to_points, to_table = torch.zeros_like(points), torch.zeros_like(table)
    size = table.shape[1]
    for level, (rows, weight, slope, bend) in enumerate(_levels(points, resolutions, starts)):
        here = slice(level * size, (level + 1) * size)
        values, share = table[rows], torch.zeros_like(table[rows])
        if grad is not None:
            share += weight[..., None] * grad[:, None, here]
            to_points += torch.einsum("nf,nkf,nki->ni", grad[:, here], values, slope)
        if grad_jacobian is not None:
            share += torch.einsum("nki,nfi->nkf", slope, grad_jacobian[:, here])
            to_points += torch.einsum("nfi,nkf,nkij->nj", grad_jacobian[:, here], values, bend)
        to_table.index_add_(0, rows.flatten(), share.flatten(0, 1))
    return to_points if for_points else to_points[:0].clone(), to_table if for_table else to_table[:0].clone()


def _levels(points: Tensor, resolutions: list[int], starts: list[int]) -> Any:
    """Of each level: rows of the 8 corners [N 8], their weights, and first [N 8 3] and second [N 8 3 3] derivatives."""
    corners = torch.tensor([[k >> axis & 1 for axis in range(3)] for k in range(8)], device=points.device)
    for resolution, start, end in zip(resolutions, starts[:-1], starts[1:], strict=True):
        place = points.nan_to_num(nan=0.0).clamp(0, 1) * resolution
        cell = place.floor().clamp(max=resolution - 1)
        along = (place - cell)[:, None]
        factor = torch.where(corners == 1, along, 1 - along)
        within = ((points > 0) & (points < 1)).to(points.dtype)[:, None] * resolution
        change = torch.where(corners == 1, within, -within)
        weight = factor.prod(dim=-1)
        x, y, z = factor.unbind(dim=-1)
        u, v, w = change.unbind(dim=-1)
        slope = torch.stack([u * y * z, x * v * z, x * y * w], dim=-1)
        none = torch.zeros_like(x)
        xy, xz, yz = u * v * z, u * y * w, x * v * w
        bend = torch.stack([none, xy, xz, xy, none, yz, xz, yz, none], dim=-1).unflatten(-1, (3, 3))
        yield start + _rows(cell.long()[:, None] + corners, resolution, end - start), weight, slope, bend


def _rows(corner: Tensor, resolution: int, size: int) -> Tensor:
    x, y, z = corner.unbind(dim=-1)
    edge = resolution + 1
    if edge**3 <= size:
        return (x * edge + y) * edge + z
    hashed = x ^ (y * PRIMES[1] & _MASK) ^ (z * PRIMES[2] & _MASK)
    return hashed & (size - 1)


def _fake(points: Tensor, table: Tensor, resolutions: list[int], starts: list[int], jacobian: bool) -> Any:
    channels = len(resolutions) * table.shape[1]
    return (
        points.new_empty(points.shape[0], channels),
        points.new_empty(points.shape[0] if jacobian else 0, channels, 3),
    )


def _fake_backward(*arguments: Any) -> Any:
    points, table, _, _, for_points, for_table = arguments[2:]
    return (
        points.new_empty(points.shape[0] if for_points else 0, 3),
        table.new_empty(table.shape[0] if for_table else 0, table.shape[1]),
    )


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    points, table, ctx.resolutions, ctx.starts, ctx.jacobian = inputs
    ctx.save_for_backward(points, table)
    ctx.set_materialize_grads(False)


def _grads(ctx: Any, grad: Tensor | None, grad_jacobian: Tensor | None) -> Any:
    wanted = ctx.needs_input_grad[:2]
    slopes = grad_jacobian if ctx.jacobian else None
    found = _backward(grad, slopes, *ctx.saved_tensors, ctx.resolutions, ctx.starts, *wanted)
    return *(each if asked else None for each, asked in zip(found, wanted, strict=True)), None, None, None


_INPUTS = "Tensor points, Tensor table, int[] resolutions, int[] starts"
_backward = repeatable(
    operator(
        f"hash_encode_backward(Tensor? grad, Tensor? grad_jacobian, {_INPUTS}, bool for_points, bool for_table) "
        "-> (Tensor, Tensor)",
        reference=reference_backward,
        fake=_fake_backward,
    ),
    reference_backward,
)
_forward = operator(
    f"hash_encode({_INPUTS}, bool jacobian) -> (Tensor, Tensor)",
    reference=reference,
    fake=_fake,
    backward=_grads,
    save=_save,
)
