"""Whether a predicted deviation is as large as the errors are."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

GAUSSIAN = (0.6827, 0.9545)
"""Shares of errors within one and two standard deviations, of a Gaussian."""


def errors_in_deviations(
    depth: Float[Tensor, "H W"],
    deviation: Float[Tensor, "H W"],
    true: Float[Tensor, "H W"],
    counted: Bool[Tensor, "H W"],
    *,
    median_scaling: bool,
) -> Float[Tensor, "N"]:  # noqa: UP037
    """Absolute error of the inverse depth over its predicted deviation, of the pixels that count.

    Args:
        depth: predicted, along z.
        deviation: of its inverse, of the inverse unit.
        true: depth along z, metres.
        counted: pixels that count, all of which have a true depth.
        median_scaling: bring the prediction to the truth's median depth first, its deviation likewise.
    """
    predicted, known = depth[counted], true[counted]
    if known.numel() == 0:
        return known
    factor = known.median() / predicted.median() if median_scaling else 1.0
    return (1 / (factor * predicted) - 1 / known).abs() / (deviation[counted] / factor)
