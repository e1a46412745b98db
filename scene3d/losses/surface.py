"""What a surface is to be besides looking like its photographs: a distance, and of the right silhouette.

Sources: Gropp et al., "Implicit geometric regularization for learning shapes" (IGR), ICML 2020, for the eikonal term;
Wang et al., "NeuS", NeurIPS 2021, section 3.4, for the terms of colour and mask.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

CERTAIN = 1e-3
"""Opacities nearer than this to 0 or 1 are not pushed further."""


def colour_difference(seen: Float[Tensor, "R 3"], true: Float[Tensor, "R 3"]) -> Float[Tensor, ""]:
    """Mean absolute difference of colours, over rays and channels."""
    return (seen - true).abs().mean()


def eikonal(gradients: Float[Tensor, "N 3"]) -> Float[Tensor, ""]:
    """Mean squared difference of the lengths of gradients from 1, which those of a distance have; 0 of no point."""
    return (gradients.norm(dim=1) - 1).square().sum() / max(len(gradients), 1)


def emptiness(sdf: Float[Tensor, "N"]) -> Float[Tensor, ""]:  # noqa: UP037
    """Mean depth below the surface of points that are to be outside of it; 0 of no point."""
    return (-sdf).clamp(min=0).sum() / max(len(sdf), 1)


def silhouette(opacity: Float[Tensor, "R"], mask: Bool[Tensor, "R"]) -> Float[Tensor, ""]:  # noqa: UP037
    """Binary cross entropy of opacities in [0, 1] against where the object is."""
    clamped = opacity.clamp(CERTAIN, 1 - CERTAIN)
    return torch.nn.functional.binary_cross_entropy(clamped, mask.to(opacity.dtype))
