"""What rays see of their samples: features, distance and opacity, weighted front to back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.ops import render_weights
from scene3d.ops._library import operator

CELLS_AT_ONCE = 2**20
"""Samples, padded to the longest ray, that the reference holds at a time."""


class Composite(NamedTuple):
    """What R rays see, and the weights of their N samples.

    Attributes:
        features: sum of weight times feature.
        distance: sum of weight times distance.
        opacity: sum of the weights, in [0, 1].
        weights: of each sample, in [0, 1].
    """

    features: Float[Tensor, "R C"]
    distance: Float[Tensor, "R"]  # noqa: UP037
    opacity: Float[Tensor, "R"]  # noqa: UP037
    weights: Float[Tensor, "N"]  # noqa: UP037


def composite(
    opacity: Float[Tensor, "N"],  # noqa: UP037
    features: Float[Tensor, "N C"],
    distances: Float[Tensor, "N"],  # noqa: UP037
    offsets: Int[Tensor, " edges"],
    lengths: Float[Tensor, "N"] | None = None,  # noqa: UP037
) -> Composite:
    """Composite the samples of rays that lie one after the other, near to far.

    Args:
        opacity: of every sample, in [0, 1]; or its density (1/m) where `lengths` are given.
        features: of every sample; may be stored in float16 or bfloat16 beside the rest in float32.
        distances: of every sample along its ray, metres.
        offsets: ray r has the samples offsets[r] to offsets[r + 1] - 1; from 0 to N, int64. A ray may have none.
        lengths: metres that each sample stands for; then its opacity is 1 - exp(-density * length).

    Returns:
        Zeros for a ray without samples. Gradients flow to everything but the offsets, and are exact at opacity 1.

    Source: Max, "Optical models for direct volume rendering", TVCG 1995.
    """
    return Composite(*_forward(opacity, features, distances, offsets, lengths))


def reference(
    opacity: Tensor, features: Tensor, distances: Tensor, offsets: Tensor, lengths: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rays padded to one length, some at a time, and weighted sums as products of matrices."""
    features = features.to(opacity.dtype)
    alpha = opacity if lengths is None else -torch.expm1(-opacity * lengths)
    rays = len(offsets) - 1
    seen, distance, total = features.new_zeros(rays, features.shape[1]), alpha.new_zeros(rays), alpha.new_zeros(rays)
    weights = torch.zeros_like(alpha)
    for part, index, there in _padded(offsets):
        dense = render_weights.reference(torch.where(there, alpha[index], 0))
        seen[part] = (dense[:, None] @ features[index])[:, 0]
        distance[part] = (dense * distances[index]).sum(dim=1)
        total[part] = dense.sum(dim=1)
        weights[index[there]] = dense[there]
    return seen, distance, total, weights


def reference_backward(
    grad_features: Tensor,
    grad_distance: Tensor,
    grad_opacity: Tensor,
    grad_weights: Tensor,
    opacity: Tensor,
    features: Tensor,
    distances: Tensor,
    offsets: Tensor,
    lengths: Tensor | None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients to opacity (or density), features, distances and lengths (empty where there are none)."""
    features = features.to(opacity.dtype)
    alpha = opacity if lengths is None else -torch.expm1(-opacity * lengths)
    to_alpha, to_features, to_distances = (torch.zeros_like(each) for each in (alpha, features, distances))
    for part, index, there in _padded(offsets):
        dense = torch.where(there, alpha[index], 0)
        weights = render_weights.reference(dense)
        worth = (features[index] @ grad_features[part][:, :, None])[..., 0]
        worth = worth + grad_distance[part, None] * distances[index] + grad_opacity[part, None] + grad_weights[index]
        to_alpha[index[there]] = render_weights.reference_backward(worth, dense)[there]
        to_features[index[there]] = (weights[..., None] * grad_features[part][:, None])[there]
        to_distances[index[there]] = (weights * grad_distance[part, None])[there]
    if lengths is None:
        return to_alpha, to_features, to_distances, alpha.new_empty(0)
    through = to_alpha * torch.exp(-opacity * lengths)
    return through * lengths, to_features, to_distances, through * opacity


def _padded(offsets: Tensor) -> Iterator[tuple[slice, Tensor, Tensor]]:
    """Rays in parts: which, index of their samples padded to the longest, and which of these are there."""
    counts = offsets.diff()
    rays = len(counts)
    longest = int(counts.max()) if rays else 0
    if longest == 0:
        return
    steps = torch.arange(longest, device=offsets.device)
    last = int(offsets[-1]) - 1
    for first in range(0, rays, max(CELLS_AT_ONCE // longest, 1)):
        part = slice(first, min(first + max(CELLS_AT_ONCE // longest, 1), rays))
        yield part, (offsets[:-1][part, None] + steps).clamp(max=last), steps < counts[part, None]


def _fake(opacity: Tensor, features: Tensor, distances: Tensor, offsets: Tensor, lengths: Tensor | None) -> Any:
    rays = offsets.shape[0] - 1
    return (
        opacity.new_empty(rays, features.shape[1]),
        opacity.new_empty(rays),
        opacity.new_empty(rays),
        torch.empty_like(opacity),
    )


def _fake_backward(*tensors: Any) -> Any:
    opacity, features, distances, _, lengths = tensors[4:]
    to_lengths = opacity.new_empty(0) if lengths is None else torch.empty_like(lengths)
    to_features = opacity.new_empty(features.shape)
    return torch.empty_like(opacity), to_features, torch.empty_like(distances), to_lengths


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs)


def _grads(ctx: Any, *grads: Tensor) -> Any:
    saved = ctx.saved_tensors
    opacity, features, distances, lengths = _backward(*grads, *saved)
    return opacity, features.to(saved[1].dtype), distances, None, None if saved[4] is None else lengths


_INPUTS = "Tensor opacity, Tensor features, Tensor distances, Tensor offsets, Tensor? lengths"
_backward = operator(
    "composite_backward(Tensor grad_features, Tensor grad_distance, Tensor grad_opacity, Tensor grad_weights, "
    f"{_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor)",
    reference=reference_backward,
    fake=_fake_backward,
    stored=("features",),
)
_forward = operator(
    f"composite({_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor)",
    reference=reference,
    fake=_fake,
    backward=_grads,
    save=_save,
    stored=("features",),
)
