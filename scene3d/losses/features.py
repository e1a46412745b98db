"""Rendered features against a teacher's, and their smoothness where the image has no edge."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.losses.smoothness import edge_aware_slope


def feature_reconstruction(
    rendered: Float[Tensor, "*batch C"],
    target: Float[Tensor, "*batch C"],
    valid: Bool[Tensor, "*batch"] | None = None,
) -> Float[Tensor, ""]:
    """Mean of 1 - cos between rendered and target features: 0 where they point the same way, at most 2.

    Lengths do not matter. With no valid vector at all the loss is 0.

    Args:
        rendered: what the field says.
        target: what the teacher says of the same patches; no gradient flows into it.
        valid: False leaves a vector out, as where no view sees what the patch shows.

    Source: Jevtic et al., "Feed-forward SceneDINO", ICCV 2025; its temperature does nothing to a cosine.
    """
    error = 1 - torch.nn.functional.cosine_similarity(rendered, target.detach(), dim=-1)
    if valid is None:
        return error.mean()
    return torch.where(valid, error, 0.0).sum() / valid.sum().clamp(min=1)


def edge_aware_feature_smoothness(
    features: Float[Tensor, "B C H W"], image: Float[Tensor, "B 3 H W"], sharpness: float = 25.0
) -> Float[Tensor, ""]:
    """Mean slope of the features, forgiven where the image itself has an edge.

    Args:
        features: maps of any number of channels; of unit length, or shrinking them lowers the loss.
        image: RGB in [0, 1], of the same pixels.
        sharpness: how fast an edge forgives; a step of 0.04 in the image divides the cost by e.

    Source: Jevtic et al., "Feed-forward SceneDINO", ICCV 2025.
    """
    return edge_aware_slope(features, image, sharpness)
