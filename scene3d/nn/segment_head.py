"""The small head that turns features into codes which gather in groups."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class SegmentHead(nn.Module):
    """A linear map plus a perceptron, to unit vectors.

    While it learns, whole channels are dropped, the same ones for all points of a set: a code that
    hangs on a single channel of the teacher does not survive that.

    Args:
        channels: of the features.
        codes: channels of the result.
        dropout: chance of each input channel to be dropped, drawn apart for the two branches.

    Source: Hamilton et al., "Unsupervised semantic segmentation by distilling feature correspondences",
    ICLR 2022.
    """

    def __init__(self, channels: int, codes: int = 64, dropout: float = 0.1) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, codes)
        self.perceptron = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, codes))
        self.dropout = dropout

    @torch.no_grad()
    def pass_through(self) -> None:
        """Start with the features themselves as codes, to which the perceptron adds nothing yet."""
        nn.init.eye_(self.linear.weight)
        last = self.perceptron[-1]
        assert isinstance(last, nn.Linear)
        for parameter in (self.linear.bias, last.weight, last.bias):
            nn.init.zeros_(parameter)

    def forward(self, features: Float[Tensor, "*sets N C"]) -> Float[Tensor, "*sets N D"]:
        """Unit codes of sets of N points."""
        codes = self.linear(self._dropped(features)) + self.perceptron(self._dropped(features))
        return nn.functional.normalize(codes, dim=-1)

    def _dropped(self, features: Float[Tensor, "*sets N C"]) -> Float[Tensor, "*sets N C"]:
        if not self.training or self.dropout == 0:
            return features
        kept = torch.full_like(features[..., :1, :], 1 - self.dropout).bernoulli()
        return features * kept / (1 - self.dropout)
