"""Bilinear samples of feature maps or images at pixel positions."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.ops._library import operator, repeatable


def sample_views(maps: Float[Tensor, "V H W C"], pixels: Float[Tensor, "V N 2"]) -> Float[Tensor, "V N C"]:
    """Values of V maps at N positions each, interpolated bilinearly.

    Maps are channels-last, so that the four corners of a sample are four short runs of memory.

    Args:
        maps: one map a view; may be stored in float16 or bfloat16 beside positions in float32.
        pixels: (x, y) in pixels of the map, whose pixel centres lie at +0.5. Positions beyond the
            outermost centres take the value of the border, and NaN that of the first pixel.

    Returns:
        One vector a position, in the dtype of the positions. Gradients flow to the maps and to the positions.
    """
    return _forward(maps, pixels)


def reference(maps: Tensor, pixels: Tensor) -> Tensor:
    """Each sample is a bag of four weighted rows of the flattened maps."""
    rows, fraction = corners(maps, pixels)
    bags = torch.nn.functional.embedding_bag(
        rows.reshape(-1, 4),
        maps.flatten(0, 2).to(pixels.dtype),
        per_sample_weights=_weights(fraction).reshape(-1, 4),
        mode="sum",
    )
    return bags.unflatten(0, pixels.shape[:2])


def reference_map_backward(grad: Tensor, maps: Tensor, pixels: Tensor) -> Tensor:
    """Gradient to the maps, as a gather: each row of a map is the bag of the samples that touched it.

    Sorting the corners by the row they came from makes the sum deterministic, and on the CPU
    several times faster than scattering.
    """
    rows, fraction = corners(maps, pixels)
    order = torch.argsort(rows.flatten(), stable=True)
    counts = torch.bincount(rows.flatten(), minlength=maps.flatten(0, 2).shape[0])
    return torch.nn.functional.embedding_bag(
        torch.div(order, 4, rounding_mode="floor"),
        grad.flatten(0, 1).contiguous(),
        counts.cumsum(0) - counts,
        per_sample_weights=_weights(fraction).flatten()[order],
        mode="sum",
    ).reshape(maps.shape)


def reference_pixel_backward(grad: Tensor, maps: Tensor, pixels: Tensor) -> Tensor:
    """Gradient to the positions: the slope of the bilinear patch, 0 where a position was moved to the border."""
    rows, fraction = corners(maps, pixels)
    table = maps.flatten(0, 2).to(pixels.dtype)
    a, b, c, d = ((table[rows[..., k]] * grad).sum(dim=-1) for k in range(4))
    x, y = fraction.unbind(dim=-1)
    slope = torch.stack([(b - a) * (1 - y) + (d - c) * y, (c - a) * (1 - x) + (d - b) * x], dim=-1)
    size = pixels.new_tensor([maps.shape[2], maps.shape[1]])
    return torch.where((pixels > 0.5) & (pixels < size - 0.5), slope, torch.zeros_like(slope))


def corners(maps: Tensor, pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of the flattened maps around each position, and where it lies between them.

    The corners are upper left, upper right, lower left, lower right.
    """
    views, height, width, _ = maps.shape
    # NaN compares false, so it survives a clamp; casting it to an index would be undefined.
    position = torch.nan_to_num(pixels, nan=0.0) - 0.5
    x = position[..., 0].clamp(0, width - 1)
    y = position[..., 1].clamp(0, height - 1)
    left = x.floor().clamp(max=max(width - 2, 0))
    top = y.floor().clamp(max=max(height - 2, 0))
    first = torch.arange(views, device=maps.device)[:, None] * (height * width)
    upper = first + top.long() * width + left.long()
    right, below = min(1, width - 1), width * min(1, height - 1)
    rows = torch.stack([upper, upper + right, upper + below, upper + below + right], dim=-1)
    return rows, torch.stack([x - left, y - top], dim=-1)


def _weights(fraction: Tensor) -> Tensor:
    x, y = fraction.unbind(dim=-1)
    return torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y], dim=-1)


def _save(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _grads(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    maps, pixels = ctx.saved_tensors
    return (
        _map_backward(grad, maps, pixels).to(maps.dtype) if ctx.needs_input_grad[0] else None,
        _pixel_backward(grad, maps, pixels) if ctx.needs_input_grad[1] else None,
    )


_map_backward = repeatable(
    operator(
        "sample_views_map_backward(Tensor grad, Tensor maps, Tensor pixels) -> Tensor",
        reference=reference_map_backward,
        fake=lambda grad, maps, pixels: grad.new_empty(maps.shape),
        stored=("maps",),
    ),
    reference_map_backward,
)
_pixel_backward = operator(
    "sample_views_pixel_backward(Tensor grad, Tensor maps, Tensor pixels) -> Tensor",
    reference=reference_pixel_backward,
    fake=lambda grad, maps, pixels: grad.new_empty(pixels.shape),
    stored=("maps",),
)
_forward = operator(
    "sample_views(Tensor maps, Tensor pixels) -> Tensor",
    reference=reference,
    fake=lambda maps, pixels: pixels.new_empty(*pixels.shape[:2], maps.shape[-1]),
    backward=_grads,
    save=_save,
    stored=("maps",),
)
