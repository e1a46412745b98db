"""Normals of surfaces from points on them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.camera import pixel_centres, unproject

TORN = 0.1
"""Depth that changes by more than this share of itself is of two surfaces."""


def triangle_normals(corners: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Unit normals of triangles of points, whose corners run counter-clockwise seen from outside.

    A pixel, its right and its lower neighbour run clockwise as the camera sees them, so theirs points away from it. A
    triangle without an area has the normal 0, and hands no gradient on.

    Args:
        corners: points in the second last axis.
    """
    first, second = (corners[..., i, :] - corners[..., 0, :] for i in (1, 2))
    normal = torch.linalg.cross(first, second)
    flat = (normal == 0).all(dim=-1, keepdim=True)
    return torch.where(flat, 0.0, torch.nn.functional.normalize(torch.where(flat, 1.0, normal), dim=-1, eps=1e-30))


def depth_normals(
    depth: Float[Tensor, "H W"], K: Float[Tensor, "3 3"], reach: int | None = None
) -> Float[Tensor, "H W 3"]:
    """Unit normals, towards the camera and in its axes, of a depth image's surface; 0 where they are not known.

    They are of the places `reach` pixels to either side and above and below. A pixel is not known where one of those
    has no depth or another surface's, and at the image's rim.

    Args:
        depth: along z; 0 where unknown.
        K: in its pixels.
        reach: None is a hundredth of the width: neighbouring pixels of measured depth differ by noise alone.
    """
    height, width = depth.shape
    reach = max(1, round(width / 100)) if reach is None else reach
    normals = depth.new_zeros(height, width, 3)
    if min(height, width) <= 2 * reach:
        return normals
    points = unproject(pixel_centres(height, width, device=depth.device).to(depth), depth, K)
    rows, columns = slice(reach, height - reach), slice(reach, width - reach)
    sides = [
        (slice(reach + down, height - reach + down), slice(reach + right, width - reach + right))
        for down, right in ((reach, 0), (-reach, 0), (0, reach), (0, -reach))
    ]
    middle = depth[rows, columns]
    around = torch.stack([depth[side] for side in sides])
    known = (middle > 0) & (around > 0).all(dim=0) & ((around - middle).abs() < TORN * middle).all(dim=0)
    down, up, right, left = (points[side] for side in sides)
    found = torch.nn.functional.normalize(torch.linalg.cross(down - up, right - left), dim=-1)
    normals[rows, columns] = torch.where(known[..., None], found, 0.0)
    return normals
