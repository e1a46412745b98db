"""How far predicted depth is from the truth: the seven figures of the KITTI protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

GARG_CROP = (0.40810811, 0.99189189, 0.03594771, 0.96405229)
"""Top, bottom, left, right of the part of a KITTI image that lidar covers, as shares of its height and width.

Source: Garg et al., "Unsupervised CNN for single view depth estimation", ECCV 2016 (their evaluation code).
"""


@dataclass(frozen=True)
class DepthMetrics:
    """The figures of one image, or the mean over images.

    Attributes:
        abs_rel: mean |pred - true| / true.
        sq_rel: mean (pred - true)^2 / true, metres.
        rmse: root of the mean squared error, metres.
        rmse_log: the same of natural logarithms.
        a1, a2, a3: share of pixels with max(pred / true, true / pred) below 1.25, 1.25^2, 1.25^3.
        median_ratio: median true / median predicted depth: 1 where the scale is right.
    """

    abs_rel: float
    sq_rel: float
    rmse: float
    rmse_log: float
    a1: float
    a2: float
    a3: float
    median_ratio: float


def garg_crop(height: int, width: int) -> Bool[Tensor, "H W"]:
    """True inside the Garg crop of an image."""
    top, bottom, left, right = GARG_CROP
    mask = torch.zeros(height, width, dtype=torch.bool)
    mask[int(top * height) : int(bottom * height), int(left * width) : int(right * width)] = True
    return mask


def counted_pixels(
    true: Float[Tensor, "H W"], *, nearest: float = 1e-3, cap: float = 80.0, crop: bool = True
) -> Bool[Tensor, "H W"]:
    """Pixels that count: measured between `nearest` and `cap` metres; with `crop`, inside the Garg crop."""
    mask = (true > nearest) & (true < cap)
    return mask & garg_crop(*true.shape).to(true.device) if crop else mask


def depth_metrics(
    predicted: Float[Tensor, "H W"],
    true: Float[Tensor, "H W"],
    counted: Bool[Tensor, "H W"],
    *,
    median_scaling: bool = False,
    nearest: float = 1e-3,
    cap: float = 80.0,
) -> DepthMetrics | None:
    """The figures of one image; None where no pixel counts.

    Args:
        predicted: depth along z, metres.
        true: depth along z, metres; looked at only where `counted`.
        counted: see `counted_pixels`.
        median_scaling: multiply the prediction by median true / median predicted depth first, which
            hides an error of scale; `median_ratio` always says what that factor is.
        nearest: the prediction is clamped to this from below, after scaling; metres.
        cap: and to this from above.

    Source: Eigen et al., "Depth map prediction from a single image", NeurIPS 2014, section 4.2.
    """
    if not counted.any():
        return None
    true, predicted = true[counted].double(), predicted[counted].double()
    ratio = (_median(true) / _median(predicted).clamp(min=1e-12)).item()
    predicted = (predicted * (ratio if median_scaling else 1.0)).clamp(nearest, cap)
    error = predicted - true
    factor = torch.maximum(predicted / true, true / predicted)
    return DepthMetrics(
        abs_rel=(error.abs() / true).mean().item(),
        sq_rel=(error**2 / true).mean().item(),
        rmse=(error**2).mean().sqrt().item(),
        rmse_log=((predicted.log() - true.log()) ** 2).mean().sqrt().item(),
        a1=(factor < 1.25).double().mean().item(),
        a2=(factor < 1.25**2).double().mean().item(),
        a3=(factor < 1.25**3).double().mean().item(),
        median_ratio=ratio,
    )


def mean_metrics(images: Sequence[DepthMetrics]) -> DepthMetrics:
    """The mean of every figure over images, each image weighing the same; `median_ratio` is the median."""
    table = torch.tensor([[getattr(image, f.name) for f in fields(DepthMetrics)] for image in images]).double()
    means = table.mean(dim=0)
    means[-1] = _median(table[:, -1])
    return DepthMetrics(*means.tolist())


def ratio_spread(images: Sequence[DepthMetrics]) -> float:
    """Relative spread of the scale over images: the deviation of ratio / median ratio from its mean."""
    ratios = torch.tensor([image.median_ratio for image in images]).double()
    return (ratios / _median(ratios)).std(correction=0).item()


def resize_depth(depth: Float[Tensor, "H W"], height: int, width: int) -> Float[Tensor, "h w"]:
    """Predicted depth at another size: bilinear in disparity, as the KITTI protocol does it."""
    if tuple(depth.shape) == (height, width):
        return depth
    disparity = 1 / depth.clamp(min=1e-6)
    size = (height, width)
    return 1 / torch.nn.functional.interpolate(disparity[None, None], size, mode="bilinear", align_corners=False)[0, 0]


def average_with_mirrored(
    depth: Float[Tensor, "H W"], mirrored: Float[Tensor, "H W"], edge: float = 0.05
) -> Float[Tensor, "H W"]:
    """Depth made better by asking twice: the mean, in disparity, of what was said of the image and of its mirror image.

    A network does not know what comes into view at a border: on the left `edge` of the width the answer for the mirror
    image counts alone, on the right that for the image, each fading into the mean over another `edge`.

    Args:
        depth: of the image.
        mirrored: of its mirror image, mirrored back.
        edge: share of the width.

    Source: Godard et al., "Unsupervised monocular depth estimation with left-right consistency", CVPR 2017,
    section 4 (post-processing).
    """
    here, there = (1 / each.clamp(min=1e-6) for each in (depth, mirrored))
    across = torch.linspace(0, 1, depth.shape[1], dtype=depth.dtype, device=depth.device)
    left = 1 - ((across - edge) / edge).clamp(0, 1)
    right = left.flip(0)
    return 1 / (right * here + left * there + (1 - left - right) * (here + there) / 2)


def _median(values: Float[Tensor, "N"]) -> Float[Tensor, ""]:  # noqa: UP037
    """The middle value, or the mean of the two in the middle: torch.median takes the lower one."""
    middle = values.sort().values[(len(values) - 1) // 2 : len(values) // 2 + 1]
    return middle.mean()
