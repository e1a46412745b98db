"""How like a photograph a rendered view is: PSNR, SSIM and the IoU of silhouettes, whole or within a mask."""

from __future__ import annotations

import math
from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.errors import UsageError

WINDOW = 11
"""Edge of SSIM's window, whose weights are a Gaussian of deviation 1.5 pixels."""


@dataclass(frozen=True)
class ViewScores:
    """Figures of one rendered view; those of a mask are None where there is none, or nothing in it.

    Attributes:
        psnr: dB, of the whole view.
        ssim: likewise.
        psnr_inside: dB, of the pixels of the object.
        ssim_inside: of the windows about them.
        psnr_outside: dB, of the other pixels.
        iou: of the silhouettes.
    """

    psnr: float
    ssim: float
    psnr_inside: float | None = None
    ssim_inside: float | None = None
    psnr_outside: float | None = None
    iou: float | None = None


def score_view(
    rendered: Float[Tensor, "3 H W"],
    true: Float[Tensor, "3 H W"],
    silhouette: Bool[Tensor, "H W"],
    mask: Bool[Tensor, "H W"] | None = None,
) -> ViewScores:
    """Compare a rendered view with a photograph, as a whole and, where there is a mask, in it and outside of it.

    Args:
        rendered, true: RGB in [0, 1].
        silhouette: where the surface is rendered.
        mask: where the object is.

    Raises:
        UsageError: the images are smaller than the window of SSIM.
    """
    whole = psnr(rendered, true), ssim(rendered, true)
    if mask is None:
        return ViewScores(*whole)
    edge = WINDOW // 2
    return ViewScores(
        *whole,
        psnr_inside=psnr(rendered, true, mask) if mask.any() else None,
        ssim_inside=ssim(rendered, true, mask) if mask[edge:-edge, edge:-edge].any() else None,
        psnr_outside=psnr(rendered, true, ~mask) if not mask.all() else None,
        iou=silhouette_iou(silhouette, mask),
    )


def psnr(
    rendered: Float[Tensor, "3 H W"], true: Float[Tensor, "3 H W"], mask: Bool[Tensor, "H W"] | None = None
) -> float:
    """Peak signal-to-noise ratio, dB, over all pixels or those of a mask; infinite where they are equal.

    Args:
        rendered, true: RGB in [0, 1].
        mask: which pixels count; what lies outside neither helps nor harms.

    Raises:
        UsageError: the mask is empty.
    """
    squared = ((rendered.double() - true.double()) ** 2).mean(dim=0)
    error = _mean(squared, mask)
    return -10 * math.log10(error) if error > 0 else math.inf


def ssim(
    rendered: Float[Tensor, "3 H W"], true: Float[Tensor, "3 H W"], mask: Bool[Tensor, "H W"] | None = None
) -> float:
    """Mean structural similarity, at most 1, of the windows that lie in the image whole.

    Args:
        rendered, true: RGB in [0, 1], at least `WINDOW` pixels high and wide; each channel is compared by itself.
        mask: count the windows whose middle is in it; they look up to 5 pixels beyond its edge.

    Raises:
        UsageError: the images are too small, or no window of the mask lies in the image.

    Source: Wang et al., "Image quality assessment: from error visibility to structural similarity", TIP 2004.
    """
    from kornia.metrics import ssim as ssim_map

    if min(rendered.shape[-2:]) < WINDOW:
        size = f"{rendered.shape[-1]} x {rendered.shape[-2]}"
        raise UsageError(f"ssim: expected images of at least {WINDOW} x {WINDOW} pixels, got {size}")
    similarity = ssim_map(rendered.double()[None], true.double()[None], WINDOW, padding="valid")[0].mean(dim=0)
    edge = WINDOW // 2
    return _mean(similarity, None if mask is None else mask[edge:-edge, edge:-edge])


def silhouette_iou(rendered: Bool[Tensor, "*shape"], true: Bool[Tensor, "*shape"]) -> float:
    """Intersection over union of two silhouettes; 1 where both are empty."""
    union = (rendered | true).sum().item()
    return (rendered & true).sum().item() / union if union else 1.0


def _mean(values: Float[Tensor, "H W"], mask: Bool[Tensor, "H W"] | None) -> float:
    if mask is None:
        return values.mean().item()
    if not mask.any():
        raise UsageError("mask: expected at least one pixel to compare, got none")
    return values[mask].mean().item()
