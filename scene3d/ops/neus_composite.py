"""What rays see of a signed distance field: opacities and compositing in one, without keeping the opacities."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.ops import composite, neus_alpha
from scene3d.ops._library import operator
from scene3d.ops.composite import Composite


def neus_composite(
    sdf: Float[Tensor, " N"],
    cosine: Float[Tensor, " N"],
    length: Float[Tensor, " N"],
    sharpness: Float[Tensor, ""],
    features: Float[Tensor, "N C"],
    distances: Float[Tensor, " N"],
    offsets: Int[Tensor, " edges"],
    anneal: float = 1.0,
) -> Composite:
    """`composite` of the opacities that `neus_alpha` gives, with the arguments of both.

    Features may be stored in float16 or bfloat16 beside the rest in float32. Gradients flow to everything but the
    offsets and `anneal`. Whoever needs gradients of gradients calls the two.

    Source: Wang et al., "NeuS: learning neural implicit surfaces by volume rendering", NeurIPS 2021, eq. 10 to 13.
    """
    return Composite(*_forward(sdf, cosine, length, sharpness, features, distances, offsets, anneal))


def reference(
    sdf: Tensor,
    cosine: Tensor,
    length: Tensor,
    sharpness: Tensor,
    features: Tensor,
    distances: Tensor,
    offsets: Tensor,
    anneal: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One after the other."""
    opacity = neus_alpha.reference(sdf, cosine, length, sharpness, anneal)
    return composite.reference(opacity, features, distances, offsets, None)


def reference_backward(
    grad_features: Tensor,
    grad_distance: Tensor,
    grad_opacity: Tensor,
    grad_weights: Tensor,
    sdf: Tensor,
    cosine: Tensor,
    length: Tensor,
    sharpness: Tensor,
    features: Tensor,
    distances: Tensor,
    offsets: Tensor,
    anneal: float,
) -> tuple[Tensor, ...]:
    """Gradients to sdf, cosine, length, sharpness, features and distances."""
    opacity = neus_alpha.reference(sdf, cosine, length, sharpness, anneal)
    grads = grad_features, grad_distance, grad_opacity, grad_weights
    found = composite.reference_backward(*grads, opacity, features, distances, offsets, None)
    to_sections = neus_alpha.reference_backward(found[0], sdf, cosine, length, sharpness, anneal)
    return *to_sections, found[1], found[2]


def _fake(*arguments: Any) -> Any:
    sdf, _, _, _, features, _, offsets, _ = arguments
    rays = offsets.shape[0] - 1
    return (
        sdf.new_empty(rays, features.shape[1]),
        sdf.new_empty(rays),
        sdf.new_empty(rays),
        torch.empty_like(sdf),
    )


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    *tensors, ctx.anneal = inputs
    ctx.save_for_backward(*tensors)


def _grads(ctx: Any, *grads: Tensor) -> Any:
    *sections, features, distances = _backward(*grads, *ctx.saved_tensors, ctx.anneal)
    return *sections, features.to(ctx.saved_tensors[4].dtype), distances, None, None


_INPUTS = (
    "Tensor sdf, Tensor cosine, Tensor length, Tensor sharpness, Tensor features, Tensor distances, Tensor offsets, "
    "float anneal"
)
_backward = operator(
    "neus_composite_backward(Tensor grad_features, Tensor grad_distance, Tensor grad_opacity, Tensor grad_weights, "
    f"{_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    reference=reference_backward,
    fake=lambda *arguments: tuple(arguments[4].new_empty(each.shape) for each in arguments[4:10]),
    stored=("features",),
)
_forward = operator(
    f"neus_composite({_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor)",
    reference=reference,
    fake=_fake,
    backward=_grads,
    save=_save,
    stored=("features",),
)
