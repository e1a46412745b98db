"""Plane sweep: how unlike a view looks to others if everything it shows lay at one depth.

Source: Collins, "A space-sweep approach to true multi-image matching", CVPR 1996.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample

from scene3d.geometry.camera import pixel_centres
from scene3d.nn.windows import box_mean, normalise

UNSEEN = 0.5
"""Cost where a source does not see the point: that of windows which have nothing in common."""


def matching_cost(
    image: Float[Tensor, "3 H W"],
    K: Float[Tensor, "3 3"],
    sources: Float[Tensor, "V 3 H W"],
    source_K: Float[Tensor, "V 3 3"],
    cam_to_source: Float[Tensor, "V 4 4"],
    nearness: Float[Tensor, "D"],  # noqa: UP037
    window: int = 5,
) -> Float[Tensor, "V D H W"]:
    """Cost in [0, 1] of every pixel of a view in front of every source at every hypothesis.

    The cost is (1 - c) / 2 with c the mean product, over the window around the pixel, of what the view and the
    source show there, each pixel less the mean and over the deviation of its own window (see `normalise`). That
    is nearly the correlation of the two windows and needs one pass over the volume instead of three; the finest
    texture is a little more alike at whole pixels. `UNSEEN` where the source would not see the point.

    Args:
        image: the view.
        K: of the view, in its pixels.
        sources: other views, of the same size.
        source_K: of the sources.
        cam_to_source: places the view's camera in the sources' coordinates.
        nearness: hypotheses of inverse depth along z, 1/m; 0 is infinitely far.
        window: edge of the compared windows, pixels; odd.
    """
    height, width = image.shape[-2:]
    grid, inside = _places(K, source_K, cam_to_source, nearness, height, width)
    here, there = normalise(image[None], window), normalise(sources, window)
    seen = grid_sample(there, grid, padding_mode="border", align_corners=False)
    correlation = box_mean(seen.reshape(inside.shape).mul_(here[0]), window).clamp_(-1, 1)
    return torch.where(inside, correlation.neg_().add_(1).mul_(0.5), UNSEEN)


def _places(
    K: Tensor, source_K: Tensor, cam_to_source: Tensor, nearness: Tensor, height: int, width: int
) -> tuple[Float[Tensor, "V D HW 2"], Bool[Tensor, "V D H W"]]:
    """Where the sources see every pixel of the view at every inverse depth, as `grid_sample` wants it.

    At inverse depth n a pixel x lies at K' (R K^-1 x + t n) in the source, up to scale: finite even for n = 0.
    """
    pixels = pixel_centres(height, width, device=K.device).reshape(-1, 2)
    rays = torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1) @ torch.linalg.inv(K).T
    # From pixels to grid_sample's [-1, 1] in the same product.
    to_grid = K.new_tensor([[2 / width, 0, -1], [0, 2 / height, -1], [0, 0, 1]]) @ source_K
    turned = (to_grid @ cam_to_source[:, :3, :3] @ rays.T)[:, None]
    shift = (to_grid @ cam_to_source[:, :3, 3:])[:, None, :, 0]
    x, y, z = (turned[:, :, i] + shift[..., i, None] * nearness[:, None] for i in range(3))
    scale = z.clamp(min=1e-3).reciprocal_()
    grid = torch.stack([x.mul_(scale), y.mul_(scale)], dim=-1)
    inside = (z > 1e-3) & (x.abs() <= 1) & (y.abs() <= 1)
    return grid, inside.unflatten(-1, (height, width))
