"""What methods that learn depth from images have in common: the weights of their terms, and a look at the scale."""

from __future__ import annotations

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nan

from scene3d.config import Config

MOST_SCALES = 4


class DepthLossConfig(Config):
    """Weights of the loss terms.

    Attributes:
        ssim: share of the structural part in the photometric error.
        smoothness: of the inverse depth; halved from scale to scale.
        static_mask: leave out pixels that some other view matches better as if nothing had moved.
        scales: of the decoder that are trained, the finest first.
    """

    ssim: float = Field(0.85, ge=0, le=1)
    smoothness: float = Field(1e-3, ge=0)
    static_mask: bool = True
    scales: int = Field(MOST_SCALES, ge=1, le=MOST_SCALES)


def median_ratio(depth: Float[Tensor, "B H W"], truth: Float[Tensor, "B H W"]) -> Float[Tensor, ""]:
    """Median of predicted over true depth where truth is known: how long the unit of the prediction is."""
    known = truth > 0
    return (depth[known] / truth[known]).detach().median() if known.any() else truth.new_tensor(nan)
