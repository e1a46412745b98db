"""Opacity of the sections of rays through a signed distance field."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.ops._library import operator

SLACK = 1e-5
"""Added above and below the fraction: empty space stays just short of empty, and the inside of a solid is opaque."""


def neus_alpha(
    sdf: Float[Tensor, "*samples"],
    cosine: Float[Tensor, "*samples"],
    length: Float[Tensor, "*samples"],
    sharpness: Float[Tensor, ""],
    anneal: float = 1.0,
) -> Float[Tensor, "*samples"]:
    """Opacity in [0, 1] of sections of rays, from the signed distance in their middles.

    Args:
        sdf: signed distance, > 0 outside, metres.
        cosine: of the ray's direction with the field's gradient; negative where the ray enters.
        length: of the section, metres.
        sharpness: of the logistic density, 1/m, > 0; learnt.
        anneal: 0 takes rays that leave for entering ones too, which helps a young field; 1 does not.

    Returns:
        Opacities; gradients, and their gradients, flow to everything but `anneal`.

    Source: Wang et al., "NeuS: learning neural implicit surfaces by volume rendering", NeurIPS 2021, equation 13.
    """
    return _forward(sdf, cosine, length, sharpness, anneal)


def reference(sdf: Tensor, cosine: Tensor, length: Tensor, sharpness: Tensor, anneal: float) -> Tensor:
    """The fraction of what the logistic distribution lets through between both ends of the section."""
    entering = -(torch.relu(0.5 - 0.5 * cosine) * (1 - anneal) + torch.relu(-cosine) * anneal)
    half = entering * length / 2
    before, after = torch.sigmoid(sharpness * (sdf - half)), torch.sigmoid(sharpness * (sdf + half))
    return ((before - after + SLACK) / (before + SLACK)).clamp(0, 1)


def reference_backward(
    grad: Tensor, sdf: Tensor, cosine: Tensor, length: Tensor, sharpness: Tensor, anneal: float
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Gradients to sdf, cosine, length and sharpness, written out so that they can be differentiated again."""
    slope = (0.5 * (1 - anneal) * (0.5 - 0.5 * cosine > 0) + anneal * (cosine < 0)).to(cosine.dtype)
    entering = -(torch.relu(0.5 - 0.5 * cosine) * (1 - anneal) + torch.relu(-cosine) * anneal)
    half = entering * length / 2
    before, after = torch.sigmoid(sharpness * (sdf - half)), torch.sigmoid(sharpness * (sdf + half))
    raw = (before - after + SLACK) / (before + SLACK)
    inner = grad * ((raw > 0) & (raw < 1)) / (before + SLACK)
    p, q = inner * (1 - raw) * before * (1 - before), -inner * after * (1 - after)
    to_half = sharpness * (q - p)
    to_cosine = to_half * length / 2 * slope
    return (
        sharpness * (p + q),
        to_cosine,
        to_half * entering / 2,
        (p * (sdf - half) + q * (sdf + half)).sum(),
    )


def _fake_backward(grad: Tensor, sdf: Tensor, cosine: Tensor, length: Tensor, sharpness: Tensor, anneal: float) -> Any:
    return torch.empty_like(sdf), torch.empty_like(cosine), torch.empty_like(length), torch.empty_like(sharpness)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    *tensors, ctx.anneal = inputs
    ctx.save_for_backward(*tensors)


def _grads(ctx: Any, grad: Tensor) -> Any:
    return *_backward(grad, *ctx.saved_tensors, ctx.anneal), None


def _second_grads(ctx: Any, *grads: Tensor) -> Any:
    """The gradient of the gradient, by autograd through the formula above; rare, so it has no kernel."""
    with torch.enable_grad():
        inputs = [tensor.detach().requires_grad_() for tensor in ctx.saved_tensors]
        grad, sdf, cosine, length, sharpness = inputs
        outputs = reference_backward(grad, sdf, cosine, length, sharpness, ctx.anneal)
        return *torch.autograd.grad(outputs, inputs, grads, allow_unused=True), None


_INPUTS = "Tensor sdf, Tensor cosine, Tensor length, Tensor sharpness, float anneal"
_backward = operator(
    f"neus_alpha_backward(Tensor grad, {_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor)",
    reference=reference_backward,
    fake=_fake_backward,
    backward=_second_grads,
    save=_save,
)
_forward = operator(
    f"neus_alpha({_INPUTS}) -> Tensor",
    reference=reference,
    fake=lambda sdf, *_: torch.empty_like(sdf),
    backward=_grads,
    save=_save,
)
