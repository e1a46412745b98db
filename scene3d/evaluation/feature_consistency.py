"""Whether features say the same of the same place, whichever image they are of.

Two images of one scene are given features each by itself. Pixels that show the same place are found by depth and by
where the cameras stand, and their features are compared by the cosine. Features that are the same everywhere are
consistent, too, so the cosine of pixels paired at random stands beside.
"""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from scene3d.geometry.camera import inside, pixel_centres, project, to_grid, unproject
from scene3d.geometry.se3 import transform

DEPTH_TOLERANCE = 0.1
"""Share by which the two images may differ about the depth of a place before it counts as hidden from one of them."""


@dataclass(frozen=True)
class Correspondences:
    """N places that two images show.

    Attributes:
        here, there: pixels (x, y) of the first and of the second image.
        share: of the pixels that were asked about.
    """

    here: Float[Tensor, "N 2"]
    there: Float[Tensor, "N 2"]
    share: float


@dataclass(frozen=True)
class Consistency:
    """Mean cosine of features of the same place, and of pixels paired at random; and the share that was compared."""

    same: float
    random: float
    share: float


def correspondences(
    depth: Float[Tensor, "H W"],
    other_depth: Float[Tensor, "H W"],
    K: Float[Tensor, "3 3"],
    other_K: Float[Tensor, "3 3"],
    to_other: Float[Tensor, "4 4"],
    valid: Bool[Tensor, "H W"] | None = None,
    *,
    step: int = 4,
) -> Correspondences:
    """Where every `step`-th pixel of an image, both ways, lies in another one that sees the same place.

    Args:
        depth: along z, metres.
        other_depth: of the other image, by which it says what it sees.
        K, other_K: in pixels of the depths.
        to_other: from the coordinates of the first camera to those of the second.
        valid: pixels of the other image that show something; None for all.
        step: pixels.
    """
    height, width = depth.shape
    grid = pixel_centres(height, width, device=depth.device)[step // 2 :: step, step // 2 :: step].reshape(-1, 2)
    here = grid.to(depth)
    points = transform(to_other, unproject(here, sample(depth[None], here)[0], K))
    there, z = project(points, other_K)
    seen = inside(there, z, height, width)
    known = sample(other_depth[None], there)[0]
    agreed = (known - z).abs() <= DEPTH_TOLERANCE * z
    if valid is not None:
        agreed = agreed & (sample(valid[None].to(depth), there)[0] > 0.99)
    counted = seen & agreed
    return Correspondences(here[counted], there[counted], counted.float().mean().item())


def consistency(here: Float[Tensor, "N C"], there: Float[Tensor, "N C"], share: float) -> Consistency | None:
    """Mean cosines of features of N places in two images; None without places."""
    if len(here) == 0:
        return None
    same = F.cosine_similarity(here, there, dim=-1).mean().item()
    # Half of the places further on lies another part of the image.
    random = F.cosine_similarity(here, there.roll(len(there) // 2, dims=0), dim=-1).mean().item()
    return Consistency(same, random, share)


def sample(maps: Float[Tensor, "C h w"], pixels: Float[Tensor, "N 2"], stride: float = 1.0) -> Float[Tensor, "C N"]:
    """Values of a map at pixels of an image in which its cells are `stride` pixels wide; bilinear."""
    grid = to_grid(pixels / stride, *maps.shape[-2:])[None, None]
    return F.grid_sample(maps[None], grid, padding_mode="border", align_corners=False)[0, :, 0]
