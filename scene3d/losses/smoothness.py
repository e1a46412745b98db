"""Smoothness that is forgiven where the image has an edge."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def edge_aware_smoothness(disparity: Float[Tensor, "B H W"], image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, ""]:
    """Mean slope of the disparity, forgiven where the image itself has an edge.

    Disparity is first divided by its own mean, so that shrinking the whole scene costs nothing.

    Source: Godard et al., "Digging into self-supervised monocular depth", ICCV 2019, eq. 3.
    """
    disparity = disparity / disparity.mean(dim=(1, 2), keepdim=True).clamp(min=1e-6)
    return edge_aware_slope(disparity[:, None], image, sharpness=1.0)


def edge_aware_slope(
    values: Float[Tensor, "B C H W"], image: Float[Tensor, "B 3 H W"], sharpness: float
) -> Float[Tensor, ""]:
    """Mean absolute difference of neighbours, times exp(-sharpness x that of the image), rows plus columns.

    Args:
        values: any map, averaged over its channels.
        image: RGB in [0, 1]; its differences are averaged over the channels.
        sharpness: how much an edge of the image forgives.
    """
    slope_x, slope_y = values.diff(dim=3).abs().mean(dim=1), values.diff(dim=2).abs().mean(dim=1)
    edge_x, edge_y = image.diff(dim=3).abs().mean(dim=1), image.diff(dim=2).abs().mean(dim=1)
    return (slope_x * torch.exp(-sharpness * edge_x)).mean() + (slope_y * torch.exp(-sharpness * edge_y)).mean()
