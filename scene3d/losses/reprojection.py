"""A view reconstructed from other views by its depth and their motion: whole images, at one scale.

Source: Zhou et al., "Unsupervised learning of depth and ego-motion from video", CVPR 2017; Godard et al., "Digging
into self-supervised monocular depth", ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.errors import DataError
from scene3d.geometry.warp import warp
from scene3d.losses.photometric import least_error, mean_where
from scene3d.losses.smoothness import edge_aware_smoothness
from scene3d.structures.frames import Frames


class Scales(NamedTuple):
    """Terms of a depth that is predicted at several scales, each the mean over them."""

    photometric: Float[Tensor, ""]
    smoothness: Float[Tensor, ""]


class Reconstruction(NamedTuple):
    """A view and V others from which it is to be reconstructed.

    Attributes:
        image, K: of the view.
        sources, source_K: of the others.
        reference_to_source: places the view's points in the others' cameras.
        present: absent sources do not count.
    """

    image: Float[Tensor, "B 3 H W"]
    K: Float[Tensor, "B 3 3"]
    sources: Float[Tensor, "B V 3 H W"]
    source_K: Float[Tensor, "B V 3 3"]
    reference_to_source: Float[Tensor, "B V 4 4"]
    present: Bool[Tensor, "B V"]

    @staticmethod
    def of(frames: Frames, reference_to_views: Float[Tensor, "B V 4 4"]) -> Reconstruction:
        """View 0 of snippets, and all of their others.

        Raises:
            DataError: there are no others.
        """
        if frames.image.shape[1] < 2:
            raise DataError(f"{', '.join(frames.names)}: expected another view to reconstruct from, got none")
        image, K = frames.image, frames.K
        return Reconstruction(
            image[:, 0], K[:, 0], image[:, 1:], K[:, 1:], reference_to_views[:, 1:], frames.present[:, 1:]
        )


def standing_error(views: Reconstruction, ssim_weight: float = 0.85) -> Float[Tensor, "B H W"]:
    """The least error over the sources as if nothing had moved: what moves along with the camera is better so."""
    size = views.image.shape[-2:]
    return least_error(views.sources, views.image, views.present[..., None, None].expand(-1, -1, *size), ssim_weight)


def reprojection_error(
    depth: Float[Tensor, "B H W"],
    views: Reconstruction,
    *,
    ssim_weight: float = 0.85,
    standing: Float[Tensor, "B H W"] | None = None,
    counted: Bool[Tensor, "B H W"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over pixels of the least error over the sources that see a pixel's point.

    Args:
        depth, views, ssim_weight: see `moving_error`.
        standing: `standing_error`, to leave out pixels of which it is the smaller; None leaves out none.
        counted: pixels that may count at all; None is all.
    """
    best = moving_error(depth, views, ssim_weight)
    known = torch.isfinite(best)
    if standing is not None:
        known = known & (best.detach() < standing)
    return mean_where(best, known if counted is None else known & counted)


def moving_error(
    depth: Float[Tensor, "B H W"], views: Reconstruction, ssim_weight: float = 0.85
) -> Float[Tensor, "B H W"]:
    """The least error over the sources that see a pixel's point; infinite where none does.

    Args:
        depth: of the view, along z, of the unit of the transforms.
        views: what is reconstructed, and from what.
        ssim_weight: see `photometric_error`.
    """
    warped, seen = [], []
    for v in range(views.sources.shape[1]):
        motion = views.reference_to_source[:, v]
        image, inside = warp(views.sources[:, v], depth, views.K, views.source_K[:, v], motion)
        warped.append(image)
        seen.append(inside & views.present[:, v, None, None])
    return least_error(torch.stack(warped, dim=1), views.image, torch.stack(seen, dim=1), ssim_weight)


def terms_over_scales(
    depths: Sequence[Tensor],
    views: Reconstruction,
    *,
    ssim_weight: float = 0.85,
    standing: Float[Tensor, "B H W"] | None = None,
    counted: Bool[Tensor, "B H W"] | None = None,
) -> Scales:
    """Reprojection error of each scale enlarged to the whole image, and smoothness of each at its own size.

    Args:
        depths: of the view, from its own size to coarser ones, each half the one before; the smoothness of each
            counts half of that of the one before.
        views, ssim_weight, standing, counted: see `reprojection_error`.
    """
    errors, slopes = [], []
    for scale, depth in enumerate(depths):
        full = enlarge_depth(depth, (views.image.shape[-2], views.image.shape[-1]))
        errors.append(reprojection_error(full, views, ssim_weight=ssim_weight, standing=standing, counted=counted))
        small = torch.nn.functional.adaptive_avg_pool2d(views.image, (depth.shape[-2], depth.shape[-1]))
        slopes.append(edge_aware_smoothness(1 / depth, small) / 2**scale)
    return Scales(torch.stack(errors).mean(), torch.stack(slopes).mean())


def enlarge_depth(depth: Float[Tensor, "B h w"], size: tuple[int, int]) -> Float[Tensor, "B H W"]:
    """Bilinear in inverse depth."""
    if depth.shape[-2:] == size:
        return depth
    nearness = torch.nn.functional.interpolate(1 / depth[:, None], size, mode="bilinear", align_corners=False)
    return 1 / nearness[:, 0]
