"""Whitening: features in their own principal directions, with one deviation in each.

The features of a network share a mean and a few loud directions, which most cosines are made of. Without them, angles
tell apart what is rarer.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Whitening(nn.Module):
    """The principal directions of some features, each divided by its deviation; all zero until `fit` was called.

    Args:
        channels: of the features.
        kept: directions, the loudest ones.

    Source: Jegou and Chum, "Negative evidences and co-occurences in image retrieval: the benefit of PCA and
    whitening", ECCV 2012.
    """

    mean: Tensor
    directions: Tensor

    def __init__(self, channels: int, kept: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("directions", torch.zeros(kept, channels))

    @torch.no_grad()
    def fit(self, features: Float[Tensor, "N C"]) -> None:
        """Measure mean and directions, whose largest entries are positive."""
        self.mean.copy_(features.mean(dim=0))
        off = (features - self.mean).double()
        # In double precision, since the quietest of the directions that are kept is a hundred times quieter.
        variances, directions = torch.linalg.eigh(off.mT @ off / len(features))
        kept = len(self.directions)
        loudest = directions.mT.flip(0)[:kept]
        largest = loudest.gather(1, loudest.abs().argmax(dim=1, keepdim=True))
        deviations = variances.flip(0)[:kept, None].clamp(min=1e-12).sqrt()
        self.directions.copy_(largest.sign() * loudest / deviations)

    def forward(self, features: Float[Tensor, "*batch C"]) -> Float[Tensor, "*batch K"]:
        """The features in these directions."""
        return (features - self.mean) @ self.directions.mT
