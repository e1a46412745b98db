"""Clusters that are learned by gradient, beside a network that does not hear of them."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor, nn

from scene3d.config import Config


class KMeansConfig(Config):
    """Clusters found by k-means, in what is remembered on the way and in training frames at the end."""

    kind: Literal["kmeans"] = "kmeans"

    def build(self, clusters: int, channels: int) -> None:
        """There is nothing to be learned."""


class ClusterProbeConfig(Config):
    """Clusters learned by gradient, step by step beside the head; see `ClusterProbe`.

    Attributes:
        rate: factor on the learning rate of the head; published are 0.005 beside 0.0005.
    """

    kind: Literal["probe"] = "probe"
    rate: PositiveFloat = 10.0

    def build(self, clusters: int, channels: int) -> ClusterProbe:
        """So many centres for codes of so many channels."""
        return ClusterProbe(clusters, channels, self.rate)


ClusteringConfig = Annotated[KMeansConfig | ClusterProbeConfig, Field(discriminator="kind")]
"""Every way to find clusters that a recipe may name."""


class ClusterProbe(nn.Module):
    """Directions that move towards the codes nearest to them.

    Only the angle between a code and a centre counts, and each code pulls the one centre that it is most alike, as
    published. A centre that no code is nearest to stays where it began, and its cluster stays empty.

    Args:
        clusters: how many centres.
        channels: of the codes.
        rate: factor on the learning rate.

    Source: Hamilton et al., "Unsupervised semantic segmentation by distilling feature correspondences", ICLR 2022.
    """

    def __init__(self, clusters: int, channels: int, rate: float = 1.0) -> None:
        super().__init__()
        self.rate = rate
        self.raw = nn.Parameter(torch.randn(clusters, channels))

    @property
    def centres(self) -> Float[Tensor, "K C"]:
        """Of length 1."""
        return nn.functional.normalize(self.raw, dim=-1)

    def forward(self, codes: Float[Tensor, "N C"]) -> Float[Tensor, ""]:
        """Minus the mean cosine of each code with the nearest centre; 0 of none. The codes get no gradient."""
        if len(codes) == 0:
            return 0 * self.raw.sum()
        unit = nn.functional.normalize(codes.detach(), dim=-1)
        return -(unit @ self.centres.mT).amax(dim=-1).mean()
