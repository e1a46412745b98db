"""One camera's image as another camera would have taken it, by the depth of what that one sees."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import inside, pixel_centres, to_grid

NEAREST = 1e-3
"""Depth in a source from which a point has a place in its image."""


def warp(
    source: Float[Tensor, "B C h w"],
    depth: Float[Tensor, "B H W"],
    K: Float[Tensor, "B 3 3"],
    source_K: Float[Tensor, "B 3 3"],
    cam_to_source: Float[Tensor, "B 4 4"],
) -> tuple[Float[Tensor, "B C H W"], Bool[Tensor, "B H W"]]:
    """What a source shows where each pixel's point falls into it, and whether it falls into it at all.

    Args:
        source: image or map; beyond its border it goes on as the border is.
        depth: of the camera, along z.
        K: of the camera, pixels of `depth`.
        source_K: of the source, pixels of `source`.
        cam_to_source: places the camera's points in the source camera's coordinates.
    """
    return look(source, *reproject(depth, K, source_K, cam_to_source))


def look(
    source: Float[Tensor, "B C h w"], pixels: Float[Tensor, "B H W 2"], away: Float[Tensor, "B H W"]
) -> tuple[Float[Tensor, "B C H W"], Bool[Tensor, "B H W"]]:
    """What a source shows at pixels, and whether it shows the points that lie `away` along z there; see `reproject`."""
    height, width = source.shape[-2:]
    # Its backward reads beyond its memory where a position is not a number; such a pixel is not seen anyway.
    grid = torch.nan_to_num(to_grid(pixels, height, width))
    warped = torch.nn.functional.grid_sample(source, grid, padding_mode="border", align_corners=False)
    return warped, inside(pixels, away, height, width)


def reproject(
    depth: Float[Tensor, "B H W"],
    K: Float[Tensor, "B 3 3"],
    source_K: Float[Tensor, "B 3 3"],
    cam_to_source: Float[Tensor, "B 4 4"],
) -> tuple[Float[Tensor, "B H W 2"], Float[Tensor, "B H W"]]:
    """Pixel of a source that shows the point of each pixel, and the point's depth there, as `project` has them.

    Args:
        depth: of the camera, along z.
        K: of the camera, pixels of `depth`.
        source_K: of the source, in whose pixels the answer is.
        cam_to_source: places the camera's points in the source camera's coordinates.
    """
    # K' (R K^-1 p d + t): of one pixel to the next the ray changes by a constant, so no points are made.
    A = source_K @ cam_to_source[:, :3, :3] @ torch.linalg.inv(K)
    shift = (source_K @ cam_to_source[:, :3, 3:])[..., None]
    x, y = pixel_centres(*depth.shape[-2:], device=depth.device).to(depth.dtype).unbind(dim=-1)
    A = A[..., None, None]
    found = (A[:, :, 0] * x + A[:, :, 1] * y + A[:, :, 2]) * depth[:, None] + shift
    away = found[:, 2]
    return (found[:, :2] / away.clamp(min=NEAREST)[:, None]).permute(0, 2, 3, 1), away
