"""Depth and normals that a network guessed from single images, as extra supervision of a surface.

Such depth is right up to a scale and a shift of its own an image, so both are solved for before it is compared.
Source: Yu et al., "MonoSDF: Exploring monocular geometric cues for neural implicit surface reconstruction", NeurIPS
2022.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_ROUNDS = 4
"""Of reweighting; the weights hardly change after."""


@torch.no_grad()
def solve_scale_shift(
    depth: Float[Tensor, "B R"], cue: Float[Tensor, "B R"], valid: Bool[Tensor, "B R"], *, robust: bool = True
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:  # noqa: UP037
    """Scale w and shift q of each image for which w depth + q comes closest to its cue.

    Least squares in closed form; where `robust`, four times again with Cauchy's weights, so that a few gross errors
    move neither. The rendered depth is fitted to the cue and not the cue to it, since a flat wall would then fit every
    cue with w = 0.

    The scale is positive: near stays near. Where least squares say otherwise, as before there is any shape, spread and
    mean are made to agree instead. Where fewer than two pixels are valid, or all are equally deep, w is 0.

    Args:
        depth: rendered, of the pixels of one image a row.
        cue: of the same pixels, of an unknown unit.
        valid: pixels that count.
        robust: whether outliers count less.

    Source: MonoSDF, equations 12 and 13; weights after Holland and Welsch, "Robust regression using iteratively
    reweighted least-squares", 1977.
    """
    weight = valid.to(depth)
    scale, shift = _fitted(depth, cue, weight)
    for _ in range(_ROUNDS if robust else 0):
        error = (scale[:, None] * depth + shift[:, None] - cue).abs()
        # 2.385 deviations, of which the median of absolute errors is 0.6745.
        width = 2.385 / 0.6745 * torch.where(valid, error, torch.nan).nanmedian(dim=1).values[:, None]
        ratio = error / width.nan_to_num().clamp(min=1e-12)
        scale, shift = _fitted(depth, cue, torch.where(valid, 1 / (1 + ratio.square()), 0.0))
    return scale, shift


def _fitted(
    depth: Float[Tensor, "B R"], cue: Float[Tensor, "B R"], weight: Float[Tensor, "B R"]
) -> tuple[Float[Tensor, "B"], Float[Tensor, "B"]]:  # noqa: UP037
    total = weight.sum(dim=1).clamp(min=1e-12)
    # Zeros where nothing counts, so that what is not finite there does not spread.
    depth, cue = torch.where(weight > 0, depth, 0.0), torch.where(weight > 0, cue, 0.0)
    mean_depth, mean_cue = (weight * depth).sum(dim=1) / total, (weight * cue).sum(dim=1) / total
    off_depth, off_cue = depth - mean_depth[:, None], cue - mean_cue[:, None]
    variance, variance_cue = (weight * off_depth**2).sum(dim=1) / total, (weight * off_cue**2).sum(dim=1) / total
    covariance = (weight * off_depth * off_cue).sum(dim=1) / total
    varied = variance > 1e-12 * (mean_depth.square() + variance)
    safe = torch.where(varied, variance, 1.0)
    scale = torch.where(covariance > 0, covariance / safe, (variance_cue / safe).sqrt())
    scale = torch.where(varied, scale, 0.0)
    return scale, mean_cue - scale * mean_depth


def depth_cue(
    depth: Float[Tensor, "B R"], cue: Float[Tensor, "B R"], valid: Bool[Tensor, "B R"], *, robust: bool = True
) -> Float[Tensor, ""]:
    """How far rendered depth is from a cue once scale and shift of each image are solved, in spreads of the cue.

    The mean over all valid pixels of ``|w depth + q - cue|`` over the mean absolute deviation of the image's cue.
    Images with fewer than two valid pixels, or with one depth for all, say nothing. No gradient flows through w and q:
    where they are best it would be zero for the squared error.

    Args:
        depth: rendered, of the pixels of one image a row.
        cue: a network's depth of the same pixels. Of disparity, hand in the disparity of the rendering.
        valid: pixels that count.
        robust: see `solve_scale_shift`.
    """
    scale, shift = solve_scale_shift(depth, cue, valid, robust=robust)
    counted = valid & (scale > 0)[:, None]
    known = torch.where(counted, cue, 0.0)
    number = counted.sum(dim=1, keepdim=True).clamp(min=1)
    off_mean = torch.where(counted, known - known.sum(dim=1, keepdim=True) / number, 0.0)
    spread = off_mean.abs().sum(dim=1, keepdim=True) / number
    error = scale[:, None] * torch.where(counted, depth, 0.0) + shift[:, None] - known
    relative = torch.where(counted, error.abs(), 0.0) / spread.clamp(min=1e-12)
    return relative.sum() / counted.sum().clamp(min=1)


def normal_cue_cosine(
    normals: Float[Tensor, "*rays 3"], cue: Float[Tensor, "*rays 3"], valid: Bool[Tensor, "*rays"]
) -> Float[Tensor, ""]:
    """Mean 1 - cos of the angle between rendered and guessed normals; MonoSDF, equation 14, second part.

    Args:
        normals: rendered, of any length above 0 where valid.
        cue: in the same frame.
        valid: which count; with none the loss is 0.
    """
    cosine = torch.nn.functional.cosine_similarity(*_unit_pairs(normals, cue, valid), dim=-1)
    return (1 - cosine).sum() / max(len(cosine), 1)


def normal_cue_l1(
    normals: Float[Tensor, "*rays 3"], cue: Float[Tensor, "*rays 3"], valid: Bool[Tensor, "*rays"]
) -> Float[Tensor, ""]:
    """Mean L1 distance of rendered and guessed unit normals; MonoSDF, equation 14, first part.

    Args:
        normals, cue, valid: as for `normal_cue_cosine`.
    """
    one, two = _unit_pairs(normals, cue, valid)
    return (one - two).abs().sum() / max(len(one), 1)


def _unit_pairs(normals: Tensor, cue: Tensor, valid: Tensor) -> tuple[Float[Tensor, "N 3"], Float[Tensor, "N 3"]]:
    normalise = torch.nn.functional.normalize
    return normalise(normals[valid], dim=-1), normalise(cue[valid], dim=-1)
