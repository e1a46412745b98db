"""Running sums within rays whose samples lie one after the other."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.ops._library import operator


def segment_scan(
    values: Float[Tensor, "N"],  # noqa: UP037
    offsets: Int[Tensor, " edges"],
    *,
    exclusive: bool = False,
    reverse: bool = False,
) -> Float[Tensor, "N"]:  # noqa: UP037
    """Sum of the values of a ray up to each of its samples.

    Args:
        values: of all samples.
        offsets: ray r has the samples offsets[r] to offsets[r + 1] - 1; from 0 to N, int64.
        exclusive: leave out the sample itself.
        reverse: from the far end.
    """
    return _scan(values, offsets, exclusive, reverse)


def reference(values: Tensor, offsets: Tensor, exclusive: bool, reverse: bool) -> Tensor:
    """Ray by ray, in double, so that what came before a ray does not round it."""
    out = torch.empty_like(values)
    for first, last in zip(offsets[:-1].tolist(), offsets[1:].tolist(), strict=True):
        part = values[first:last].double()
        total = part.flip(0).cumsum(0).flip(0) if reverse else part.cumsum(0)
        out[first:last] = (total - part if exclusive else total).to(values.dtype)
    return out


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    _, offsets, ctx.exclusive, ctx.reverse = inputs
    ctx.save_for_backward(offsets)


def _grads(ctx: Any, grad: Tensor) -> Any:
    """A sample counts in the sums of those behind it: the same sum, from the other end."""
    return _scan(grad, *ctx.saved_tensors, ctx.exclusive, not ctx.reverse), None, None, None


_scan = operator(
    "segment_scan(Tensor values, Tensor offsets, bool exclusive, bool reverse) -> Tensor",
    reference=reference,
    fake=lambda values, *_: torch.empty_like(values),
    backward=_grads,
    save=_save,
)
