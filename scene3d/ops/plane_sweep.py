"""The cost of every depth hypothesis of every pixel: how unlike a view's features are to those of other views."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from scene3d.ops import sample_views
from scene3d.ops._library import operator, repeatable

NEAREST = 1e-3
"""Metres in front of a source from which it can see a point."""


class SweepCost(NamedTuple):
    """What a sweep over D hypotheses found.

    Attributes:
        cost: mean over the sources that see the point; 0 where none does.
        seen_by: how many do.
        lowest: hypothesis of the least cost among those that a source sees; 0 where there is none.
        confidence: share of the hypotheses that any source sees.
    """

    cost: Float[Tensor, "B D H W"]
    seen_by: UInt8[Tensor, "B D H W"]
    lowest: Int[Tensor, "B H W"]
    confidence: Float[Tensor, "B H W"]


def plane_sweep(
    features: Float[Tensor, "B H W C"],
    sources: Float[Tensor, "B V h w C"],
    pixel_to_source: Float[Tensor, "B V 3 3"],
    shift: Float[Tensor, "B V 3"],
    depths: Float[Tensor, "B D #H #W"],
    *,
    norm: Literal["l1", "dot"] = "l1",
    margin: float = 0.0,
) -> SweepCost:
    """Compare a view with its sources at D depths along z.

    The pixel at (x, y), whose centre lies at +0.5, is seen by a source at depth d where
    ``pixel_to_source @ (x, y, 1) * d + shift`` projects to: ``K' R K^-1`` and ``K' t`` of the view's camera in
    the source's.

    Args:
        features: of the view, channels last.
        sources: features of at most 255 other views; of any size. Both may be stored in float16 or bfloat16 beside
            the rest in float32.
        pixel_to_source, shift: see above.
        depths: hypotheses, metres; the same for all pixels, or (with H and W) each pixel's own.
        norm: "l1" is the mean absolute difference over channels, "dot" the mean product (which is high where
            features are alike).
        margin: pixels from the border of a source from which it counts as seeing.

    Returns:
        See `SweepCost`. Gradients flow from the cost to both features.

    Source: Collins, "A space-sweep approach to true multi-image matching", CVPR 1996; as a cost volume of
    features: Watson et al., "The temporal opportunist", CVPR 2021, section 3.2.
    """
    return SweepCost(*_forward(features, sources, pixel_to_source, shift, depths, norm == "dot", margin))


def reference(
    features: Tensor,
    sources: Tensor,
    pixel_to_source: Tensor,
    shift: Tensor,
    depths: Tensor,
    dot: bool,
    margin: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One hypothesis at a time, so that a single warped map is held."""
    features, sources = features.to(shift.dtype), sources.to(shift.dtype)
    batch, height, width, channels = features.shape
    hypotheses = depths.shape[1]
    cost = features.new_zeros(batch, hypotheses, height, width)
    count = torch.zeros_like(cost, dtype=torch.uint8)
    here = features.reshape(batch, 1, height * width, channels)
    for d in range(hypotheses):
        place, seen = _places(features, sources, pixel_to_source, shift, depths[:, d], margin)
        there = sample_views.reference(sources.flatten(0, 1), place).unflatten(0, sources.shape[:2])
        each = (here * there if dot else (here - there).abs()).mean(dim=-1)
        number = seen.sum(dim=1)
        total = torch.where(seen, each, 0).sum(dim=1)
        cost[:, d] = (total / number.clamp(min=1)).reshape(batch, height, width)
        count[:, d] = number.reshape(batch, height, width)
    known = count > 0
    lowest = torch.where(known, cost, torch.inf).argmin(dim=1)
    return cost, count, lowest, known.to(cost.dtype).mean(dim=1)


def reference_backward(
    grad: Tensor,
    features: Tensor,
    sources: Tensor,
    pixel_to_source: Tensor,
    shift: Tensor,
    depths: Tensor,
    dot: bool,
    margin: float,
) -> tuple[Tensor, Tensor]:
    """Gradients to both features, hypothesis by hypothesis, with everything computed anew."""
    features, sources = features.to(shift.dtype), sources.to(shift.dtype)
    batch, height, width, channels = features.shape
    here = features.reshape(batch, 1, height * width, channels)
    to_here, to_sources = torch.zeros_like(here), torch.zeros_like(sources)
    for d in range(depths.shape[1]):
        place, seen = _places(features, sources, pixel_to_source, shift, depths[:, d], margin)
        flat = sources.flatten(0, 1)
        there = sample_views.reference(flat, place).unflatten(0, sources.shape[:2])
        share = grad[:, d].reshape(batch, 1, -1) / (seen.sum(dim=1, keepdim=True).clamp(min=1) * channels)
        share = torch.where(seen, share, 0)[..., None]
        slope = share * there if dot else share * torch.sign(here - there)
        to_here += slope.sum(dim=1, keepdim=True)
        pull = share * here if dot else -slope
        found = sample_views.reference_map_backward(pull.expand_as(there).flatten(0, 1), flat, place)
        to_sources += found.unflatten(0, sources.shape[:2])
    return to_here.reshape(features.shape), to_sources


def _places(
    features: Tensor, sources: Tensor, pixel_to_source: Tensor, shift: Tensor, depth: Tensor, margin: float
) -> tuple[Tensor, Tensor]:
    """Pixel of every source that shows each pixel of the view at a depth [B V HW 2], and whether it does."""
    batch, height, width, _ = features.shape
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    pixels = torch.stack([x + 0.5, y + 0.5, torch.ones_like(x)], dim=-1).reshape(-1, 3).to(pixel_to_source)
    away = depth.expand(batch, height, width).reshape(batch, 1, -1, 1)
    found = (pixels @ pixel_to_source.mT) * away + shift[:, :, None]
    ahead = found[..., 2] > NEAREST
    place = found[..., :2] / found[..., 2:].clamp(min=NEAREST)
    size = place.new_tensor([sources.shape[3], sources.shape[2]])
    seen = ahead & ((place >= margin) & (place <= size - margin)).all(dim=-1)
    return place.flatten(0, 1), seen


def _fake(
    features: Tensor, sources: Tensor, pixel_to_source: Tensor, shift: Tensor, depths: Tensor, *options: Any
) -> Any:
    batch, height, width, _ = features.shape
    shape = (batch, depths.shape[1], height, width)
    return (
        shift.new_empty(shape),
        shift.new_empty(shape, dtype=torch.uint8),
        shift.new_empty((batch, height, width), dtype=torch.int64),
        shift.new_empty((batch, height, width)),
    )


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:5])
    ctx.options = inputs[5:]
    ctx.mark_non_differentiable(*output[1:])


def _grads(ctx: Any, grad: Tensor, *_: Any) -> Any:
    found = _backward(grad, *ctx.saved_tensors, *ctx.options)
    to_features, to_sources = (each.to(kept.dtype) for each, kept in zip(found, ctx.saved_tensors[:2], strict=True))
    return to_features, to_sources, None, None, None, None, None


_INPUTS = "Tensor features, Tensor sources, Tensor pixel_to_source, Tensor shift, Tensor depths, bool dot, float margin"
_backward = repeatable(
    operator(
        f"plane_sweep_backward(Tensor grad, {_INPUTS}) -> (Tensor, Tensor)",
        reference=reference_backward,
        fake=lambda grad, features, sources, *_: (grad.new_empty(features.shape), grad.new_empty(sources.shape)),
        stored=("features", "sources"),
    ),
    reference_backward,
)
_forward = operator(
    f"plane_sweep({_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor)",
    reference=reference,
    fake=_fake,
    backward=_grads,
    save=_save,
    stored=("features", "sources"),
)
