"""Normals of surfaces from points on them."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


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
