"""Epipolar geometry of two cameras that are known: where in one image the other's pixels must lie."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.se3 import invert


def fundamental(
    K_a: Float[Tensor, "3 3"],
    world_to_a: Float[Tensor, "4 4"],
    K_b: Float[Tensor, "3 3"],
    world_to_b: Float[Tensor, "4 4"],
) -> Float[Tensor, "3 3"]:
    """F with x_b^T F x_a = 0 for homogeneous pixels of one point: F x_a is the line in b on which x_b lies.

    All zeros where both cameras share one centre: there every pixel goes with every other.

    Source: Hartley and Zisserman, "Multiple view geometry", 2nd edition, equation 9.12 with cameras in any place.
    """
    a_to_b = world_to_b @ invert(world_to_a)
    essential = cross_matrix(a_to_b[:3, 3]) @ a_to_b[:3, :3]
    return torch.linalg.inv(K_b).mT @ essential @ torch.linalg.inv(K_a)


def cross_matrix(vector: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:  # noqa: UP037
    """The matrix that takes v to ``vector x v``."""
    x, y, z = vector.unbind()
    zero = torch.zeros_like(x)
    return torch.stack([zero, -z, y, z, zero, -x, -y, x, zero]).reshape(3, 3)


def epipolar_distance(
    pixels_a: Float[Tensor, "N 2"], pixels_b: Float[Tensor, "M 2"], a_to_lines_b: Float[Tensor, "3 3"]
) -> Float[Tensor, "N M"]:
    """How far, in pixels of image b, each of its pixels lies from the line of each pixel of image a.

    Args:
        pixels_a, pixels_b: (x, y) in either image.
        a_to_lines_b: F of `fundamental`.
    """
    lines = _homogeneous(pixels_a) @ a_to_lines_b.mT
    lines = lines / lines[:, :2].norm(dim=1, keepdim=True).clamp(min=1e-12)
    return (lines @ _homogeneous(pixels_b).mT).abs()


def _homogeneous(pixels: Float[Tensor, "N 2"]) -> Float[Tensor, "N 3"]:
    return torch.cat([pixels, torch.ones_like(pixels[:, :1])], dim=1)
