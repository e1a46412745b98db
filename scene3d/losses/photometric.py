"""Photometric reconstruction error of small patches."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def photometric_error(
    rendered: Float[Tensor, "P 3 h w"], target: Float[Tensor, "P 3 h w"], ssim_weight: float = 0.85
) -> Float[Tensor, "P h w"]:
    """Weighted structural and absolute difference of each pixel, in [0, 1].

    Args:
        rendered, target: patches, RGB in [0, 1].
        ssim_weight: of the structural part (1 - SSIM) / 2; the rest goes to the mean absolute difference.

    Source: Godard et al., "Unsupervised monocular depth estimation with left-right consistency", CVPR 2017, eq. 1.
    """
    from kornia.metrics import ssim

    structural = ((1 - ssim(rendered, target, window_size=3)) / 2).clamp(0, 1).mean(dim=1)
    absolute = (rendered - target).abs().mean(dim=1)
    return ssim_weight * structural + (1 - ssim_weight) * absolute


def minimum_reprojection(
    rendered: Float[Tensor, "P V 3 h w"],
    target: Float[Tensor, "P 3 h w"],
    seen: Bool[Tensor, "P V h w"],
    ssim_weight: float = 0.85,
    still: Float[Tensor, "P V 3 h w"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over pixels of the smallest error over the source views that see the pixel.

    A pixel that is hidden in one view is judged by another; a pixel that no view sees counts neither
    in the sum nor in the number.

    Args:
        rendered: patches as reconstructed from each of V source views.
        target: patches, RGB in [0, 1].
        seen: whether a source view sees a pixel.
        ssim_weight: see `photometric_error`.
        still: what the source views show at the same pixels, as if nothing had moved. Where one of them is more
            like the target than every reconstruction, something moves along with the camera, or the camera stands:
            such pixels do not count.

    Source: Godard et al., "Digging into self-supervised monocular depth", ICCV 2019, eq. 4 and 5.
    """
    best = least_error(rendered, target, seen, ssim_weight)
    counted = torch.isfinite(best)
    if still is not None:
        counted = counted & (best.detach() < least_error(still, target, seen, ssim_weight))
    return mean_where(best, counted)


def least_error(
    patches: Float[Tensor, "P V 3 h w"], target: Float[Tensor, "P 3 h w"], seen: Bool[Tensor, "P V h w"], weight: float
) -> Float[Tensor, "P h w"]:
    """The smallest photometric error over the views that see a pixel; infinite where none does."""
    repeated = target[:, None].expand_as(patches)
    error = photometric_error(patches.flatten(0, 1), repeated.flatten(0, 1), weight)
    return error.unflatten(0, patches.shape[:2]).masked_fill(~seen, torch.inf).amin(dim=1)


def mean_where(error: Float[Tensor, "*shape"], counted: Bool[Tensor, "*shape"]) -> Float[Tensor, ""]:
    """Mean over what counts; 0 where nothing does."""
    return error.masked_fill(~counted, 0.0).sum() / counted.sum().clamp(min=1)
