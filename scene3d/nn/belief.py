"""What is believed of a pixel's inverse depth, and how a measurement changes it.

A belief is a Gaussian. A measurement is the cost of some hypotheses around its mean, read as a likelihood; what counts
is only what it says beyond a cost that is the same for all of them. The design is our own; the idea of refining
single-frame depth by cost volumes in several Bayesian steps is that of Huang et al., "FusionDepth: complement
self-supervised monocular depth estimation with cost volume".
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

REACH = 3.0
"""Standard deviations on either side of the mean in which hypotheses lie."""

SHARPEST = 1e-3
"""Share of the hypotheses' own variance below which a measurement's is not believed."""


class Belief(NamedTuple):
    """Mean and variance of the inverse depth of pixels."""

    mean: Float[Tensor, "B h w"]
    variance: Float[Tensor, "B h w"]


class Measurement(NamedTuple):
    """What a sweep says.

    Attributes:
        mean: inverse depth.
        precision: inverse of its variance; 0 where the cost tells nothing, or nothing was seen.
        entropy: of the likelihood, from 0, one hypothesis, to 1, all alike.
        lowest: cost of the best hypothesis; 0 where nothing was seen.
        seen: share of the hypotheses that some frame sees.
    """

    mean: Float[Tensor, "B h w"]
    precision: Float[Tensor, "B h w"]
    entropy: Float[Tensor, "B h w"]
    lowest: Float[Tensor, "B h w"]
    seen: Float[Tensor, "B h w"]


def hypotheses(belief: Belief, number: int) -> Float[Tensor, "B D h w"]:
    """Inverse depths evenly spread over `REACH` standard deviations on either side of the mean."""
    steps = torch.linspace(-REACH, REACH, number, device=belief.mean.device, dtype=belief.mean.dtype)
    return belief.mean[:, None] + belief.variance.sqrt()[:, None] * steps[:, None, None]


def measure(
    belief: Belief,
    nearness: Float[Tensor, "B D h w"],
    cost: Float[Tensor, "B D h w"],
    seen: Bool[Tensor, "B D h w"],
    temperature: Float[Tensor, ""],
) -> Measurement:
    """Mean and precision of the likelihood exp(-cost / temperature) over the hypotheses that were seen.

    Mean and precision are those beyond a flat cost: with one, the mean stays where it was and the precision is 0.

    Args:
        belief: around whose mean the hypotheses lie.
        nearness: the hypotheses.
        cost: of each.
        seen: whether any frame sees it.
        temperature: above 0; difference of cost that makes one hypothesis e times less likely.
    """
    away = nearness - belief.mean[:, None]
    number = seen.sum(dim=1)
    even = seen / number.clamp(min=1)[:, None]
    # A finite stand-in, so that pixels of which nothing was seen have a gradient, of 0.
    likely = torch.softmax((-cost / temperature).masked_fill(~seen, -1e4), dim=1) * (number > 0)[:, None]
    centre, even_centre = (likely * away).sum(dim=1), (even * away).sum(dim=1)
    spread = (likely * (away - centre[:, None]) ** 2).sum(dim=1)
    even_spread = (even * (away - even_centre[:, None]) ** 2).sum(dim=1)
    told = (number > 1) & (even_spread > 0)
    even_spread = torch.where(told, even_spread, 1)
    spread = torch.maximum(torch.where(told, spread, 1), SHARPEST * even_spread)
    share = number / seen.shape[1]
    precision = torch.where(told, (1 / spread - 1 / even_spread).clamp(min=0) * share, 0)
    entropy = -(likely * likely.clamp(min=1e-12).log()).sum(dim=1) / number.clamp(min=2).log()
    lowest = torch.where(number > 0, cost.masked_fill(~seen, torch.inf).amin(dim=1), 0)
    return Measurement(belief.mean + torch.where(told, centre - even_centre, 0), precision, entropy, lowest, share)


def fuse(belief: Belief, measured: Measurement, gate: Float[Tensor, "B h w"]) -> Belief:
    """The product of both Gaussians, the measurement's precision taken times the gate in [0, 1].

    A gate of 0 gives the belief back bit for bit.
    """
    told = gate * measured.precision * belief.variance
    gain = told / (1 + told)
    return Belief(belief.mean + gain * (measured.mean - belief.mean), belief.variance * (1 - gain))
