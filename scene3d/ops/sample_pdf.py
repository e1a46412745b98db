"""Places along rays drawn from a histogram: more where the weights are."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.ops._library import operator


def sample_pdf(
    edges: Float[Tensor, "R E"], weights: Float[Tensor, "R S"], positions: Float[Tensor, "R K"]
) -> Float[Tensor, "R K"]:
    """Invert the distribution of each ray at given positions.

    Args:
        edges: S + 1 distances around the S bins of each ray, ascending.
        weights: of the bins, at least 0. A ray without any weight is sampled as if all bins weighed the same.
        positions: in [0, 1]: shares of the weight that lie before the sample. Ascending positions give ascending
            samples.

    Returns:
        Distances between the first and the last edge. Nothing is differentiable.

    Source: Mildenhall et al., "NeRF", ECCV 2020, section 5.2.
    """
    return _sample(edges, weights, positions)


def reference(edges: Tensor, weights: Tensor, positions: Tensor) -> Tensor:
    """Cumulative sums, a search, and a line between two edges."""
    some = weights.sum(dim=1, keepdim=True) > 0
    filled = torch.where(some, weights, torch.ones_like(weights))
    reached = torch.nn.functional.pad(filled.cumsum(dim=1), (1, 0))
    wanted = positions.clamp(0, 1) * reached[:, -1:]
    # The last edge that is not beyond: bins without weight are stepped over, but for the last that has any.
    last = (filled > 0).long().mul(torch.arange(1, filled.shape[1] + 1, device=edges.device)).amax(dim=1, keepdim=True)
    bin_ = torch.minimum(torch.searchsorted(reached, wanted, right=True), last) - 1
    low, high = reached.gather(1, bin_), reached.gather(1, bin_ + 1)
    share = ((wanted - low) / (high - low)).clamp(0, 1)
    begin, end = edges.gather(1, bin_), edges.gather(1, bin_ + 1)
    return begin + share * (end - begin)


_sample = operator(
    "sample_pdf(Tensor edges, Tensor weights, Tensor positions) -> Tensor",
    reference=reference,
    fake=lambda edges, weights, positions: torch.empty_like(positions),
)
