"""How much each sample of a ray weighs in what the ray sees."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.ops._library import operator


def render_weights(opacity: Float[Tensor, "*rays S"]) -> Float[Tensor, "*rays S"]:
    """Weight w = T * opacity of every sample, where T is what the samples in front of it let through.

    Args:
        opacity: of each sample, in [0, 1], near to far along the last axis.

    Returns:
        Weights in [0, 1]; along a ray they sum to at most 1. The gradient is exact, at opacity 1 too.

    Source: Max, "Optical models for direct volume rendering", TVCG 1995.
    """
    return _forward(opacity)


def reference(opacity: Tensor) -> Tensor:
    """Transmittance by an exclusive product, times the opacity."""
    return opacity * _transmittance(opacity)


def reference_backward(grad: Tensor, opacity: Tensor) -> Tensor:
    """Gradient with respect to the opacity, without a division.

    With A the value of all that lies behind a sample, dL/da_i = T_i (g_i - A_i), and walking from
    far to near A_{i-1} = a_i g_i + (1 - a_i) A_i. Dividing by 1 - a instead fails at a = 1.
    """
    behind = opacity.new_zeros(opacity.shape[:-1])
    steps = []
    for i in range(opacity.shape[-1] - 1, -1, -1):
        steps.append(grad[..., i] - behind)
        behind = behind + opacity[..., i] * (grad[..., i] - behind)
    if not steps:
        return torch.zeros_like(opacity)
    return _transmittance(opacity) * torch.stack(steps[::-1], dim=-1)


def _transmittance(opacity: Tensor) -> Tensor:
    through = torch.cumprod(1 - opacity, dim=-1)
    return torch.cat([torch.ones_like(opacity[..., :1]), through[..., :-1]], dim=-1)


def _save(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


_backward = operator(
    "render_weights_backward(Tensor grad, Tensor opacity) -> Tensor",
    reference=reference_backward,
    fake=lambda grad, opacity: torch.empty_like(opacity),
)
_forward = operator(
    "render_weights(Tensor opacity) -> Tensor",
    reference=reference,
    fake=torch.empty_like,
    backward=lambda ctx, grad: _backward(grad, *ctx.saved_tensors),
    save=_save,
)
