"""What views show along rays: every sample projected into every view, fetched and weighted, without storing samples."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.ops import sample_views
from scene3d.ops._library import operator, repeatable

NEAREST = 1e-3
"""Metres in front of a view from which it can see a point."""

VALUES_AT_ONCE = 2**24
"""Numbers that the reference fetches at a time."""


def sample_views_composite(
    maps: Float[Tensor, "B V H W C"],
    points: Float[Tensor, "B R S 3"],
    to_pixels: Float[Tensor, "B V 3 4"],
    weights: Float[Tensor, "B R S"],
    valid: Bool[Tensor, "B V H W"] | None = None,
) -> tuple[Float[Tensor, "B V R C"], Float[Tensor, "B V R"]]:
    """Sum, along each of R rays, of weight times what each of V views shows where the sample projects to.

    Args:
        maps: one map a view, channels last; may be stored in float16 or bfloat16 beside the rest in float32.
        points: samples of the rays.
        to_pixels: ``K [R | t]`` of the views: from points to pixels of the maps, whose centres lie at +0.5.
        weights: of the samples.
        valid: False on pixels of the views that show nothing.

    Returns:
        The sums, and for each view the share of a ray's weight that it sees: of samples in front of it, within its
        image, and with four valid pixels around them. What lies outside takes the border's value, as in
        `sample_views`. Gradients flow to the maps and to the weights, not to where the samples are.
    """
    return _forward(maps, points, to_pixels, weights, valid)


def reference(
    maps: Tensor, points: Tensor, to_pixels: Tensor, weights: Tensor, valid: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Some rays at a time: fetched, then multiplied as matrices."""
    maps = maps.to(weights.dtype)
    batch, views = maps.shape[:2]
    sums, shares = [], []
    for part in _parts(maps, points):
        pixels, seen = _project(maps, points[:, part], to_pixels, valid)
        found = sample_views.reference(maps.flatten(0, 1), pixels.flatten(0, 1).flatten(1, 2))
        found = found.reshape(*pixels.shape[:-1], maps.shape[-1])
        weight = weights[:, None, part, None].expand(batch, views, -1, -1, -1)
        sums.append((weight @ found)[..., 0, :])
        shares.append((weight[..., 0, :] * seen).sum(dim=-1))
    return torch.cat(sums, dim=2), torch.cat(shares, dim=2)


def reference_map_backward(grad: Tensor, maps: Tensor, points: Tensor, to_pixels: Tensor, weights: Tensor) -> Tensor:
    """Gradient to the maps."""
    out = weights.new_zeros(maps.shape)
    for part in _parts(maps, points):
        pixels, _ = _project(maps, points[:, part], to_pixels, None)
        spread = weights[:, None, part, :, None] * grad[:, :, part, None]
        flat = pixels.flatten(0, 1).flatten(1, 2)
        found = sample_views.reference_map_backward(spread.flatten(0, 1).flatten(1, 2), maps.flatten(0, 1), flat)
        out += found.reshape(maps.shape)
    return out


def reference_weight_backward(
    grad: Tensor,
    grad_share: Tensor,
    maps: Tensor,
    points: Tensor,
    to_pixels: Tensor,
    weights: Tensor,
    valid: Tensor | None,
) -> Tensor:
    """Gradient to the weights, with everything fetched anew."""
    maps, parts = maps.to(weights.dtype), []
    for part in _parts(maps, points):
        pixels, seen = _project(maps, points[:, part], to_pixels, valid)
        found = sample_views.reference(maps.flatten(0, 1), pixels.flatten(0, 1).flatten(1, 2))
        found = found.reshape(*pixels.shape[:-1], maps.shape[-1])
        worth = (found @ grad[:, :, part, :, None])[..., 0] + seen * grad_share[:, :, part, None]
        parts.append(worth.sum(dim=1))
    return torch.cat(parts, dim=1)


def _parts(maps: Tensor, points: Tensor) -> list[slice]:
    batch, rays, samples, _ = points.shape
    a_ray = max(batch * maps.shape[1] * samples * maps.shape[-1], 1)
    step = max(VALUES_AT_ONCE // a_ray, 1)
    return [slice(first, first + step) for first in range(0, max(rays, 1), step)]


def _project(maps: Tensor, points: Tensor, to_pixels: Tensor, valid: Tensor | None) -> tuple[Tensor, Tensor]:
    """Pixel of every sample in every view [B V R S 2], and whether the view sees there."""
    height, width = maps.shape[2:4]
    flat = points.flatten(1, 2)[:, None] @ to_pixels[..., :3].mT + to_pixels[:, :, None, :, 3]
    pixels = flat[..., :2] / flat[..., 2:].clamp(min=NEAREST)
    size = pixels.new_tensor([width, height])
    seen = (flat[..., 2] > NEAREST) & ((pixels >= 0) & (pixels <= size)).all(dim=-1)
    if valid is not None:
        whole = valid.flatten(0, 1).to(maps.dtype)[..., None]
        # Rows of the map around each position: all four must show something, whatever their share.
        rows, _ = sample_views.corners(whole, pixels.flatten(0, 1))
        seen = seen & (whole.flatten()[rows] > 0).all(dim=-1).unflatten(0, pixels.shape[:2])
    shape = (*pixels.shape[:2], *points.shape[1:3])
    return pixels.reshape(*shape, 2), seen.reshape(shape)


def _fake(maps: Tensor, points: Tensor, to_pixels: Tensor, weights: Tensor, valid: Tensor | None) -> Any:
    batch, views, _, _, channels = maps.shape
    rays = points.shape[1]
    return weights.new_empty(batch, views, rays, channels), weights.new_empty(batch, views, rays)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def _grads(ctx: Any, grad: Tensor, grad_share: Tensor) -> Any:
    maps, points, to_pixels, weights, valid = ctx.saved_tensors
    to_maps, to_weights = None, None
    if ctx.needs_input_grad[0]:
        to_maps = _map_backward(grad, maps, points, to_pixels, weights).to(maps.dtype)
    if ctx.needs_input_grad[3]:
        to_weights = _weight_backward(grad, grad_share, maps, points, to_pixels, weights, valid)
    return to_maps, None, None, to_weights, None


_map_backward = repeatable(
    operator(
        "sample_views_composite_map_backward(Tensor grad, Tensor maps, Tensor points, Tensor to_pixels, "
        "Tensor weights) -> Tensor",
        reference=reference_map_backward,
        fake=lambda grad, maps, *_: grad.new_empty(maps.shape),
        stored=("maps",),
    ),
    reference_map_backward,
)
_weight_backward = operator(
    "sample_views_composite_weight_backward(Tensor grad, Tensor grad_share, Tensor maps, Tensor points, "
    "Tensor to_pixels, Tensor weights, Tensor? valid) -> Tensor",
    reference=reference_weight_backward,
    fake=lambda grad, grad_share, maps, points, to_pixels, weights, valid: torch.empty_like(weights),
    stored=("maps",),
)
_forward = operator(
    "sample_views_composite(Tensor maps, Tensor points, Tensor to_pixels, Tensor weights, Tensor? valid) "
    "-> (Tensor, Tensor)",
    reference=reference,
    fake=_fake,
    backward=_grads,
    save=_save,
    stored=("maps",),
)
