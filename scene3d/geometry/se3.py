"""Rigid transforms as plain ``(..., 4, 4)`` matrices named ``a_to_b``."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def transform(a_to_b: Float[Tensor, "*#batch 4 4"], points_a: Float[Tensor, "*#batch N 3"]) -> Float[Tensor, "*_ N 3"]:
    """Points of frame a, said in frame b."""
    return points_a @ a_to_b[..., :3, :3].mT + a_to_b[..., None, :3, 3]


def rotate(a_to_b: Float[Tensor, "*#batch 4 4"], directions_a: Float[Tensor, "*#batch N 3"]) -> Float[Tensor, "*_ N 3"]:
    """Directions of frame a, said in frame b: the translation does not matter to them."""
    return directions_a @ a_to_b[..., :3, :3].mT


def invert(a_to_b: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """``b_to_a`` of a rigid ``a_to_b``, by transposing the rotation."""
    rotation = a_to_b[..., :3, :3].mT
    b_to_a = torch.zeros_like(a_to_b)
    b_to_a[..., :3, :3] = rotation
    b_to_a[..., :3, 3] = -(rotation @ a_to_b[..., :3, 3:])[..., 0]
    b_to_a[..., 3, 3] = 1
    return b_to_a


def rigid(rotation: Float[Tensor, "*batch 3 3"], translation: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 4 4"]:
    """The matrix that first rotates, then moves."""
    matrix = rotation.new_zeros(*rotation.shape[:-2], 4, 4)
    matrix[..., :3, :3] = rotation
    matrix[..., :3, 3] = translation
    matrix[..., 3, 3] = 1
    return matrix


def rotation_of(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The rotation about an axis by its length in radians; smooth at 0, too."""
    x, y, z = axis_angle.unbind(dim=-1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=-1).unflatten(-1, (3, 3))
    return torch.linalg.matrix_exp(cross)


def exp_twist(twist: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 4 4"]:
    """The rigid transform of moving for one unit of time with a constant twist; smooth at 0, too.

    Args:
        twist: axis of rotation by its angle in radians, then velocity of the origin.

    Source: Lynch and Park, "Modern robotics", 2017, equation 3.88.
    """
    x, y, z, *velocity = twist.unbind(dim=-1)
    zero = torch.zeros_like(x)
    rows = [zero, -z, y, velocity[0], z, zero, -x, velocity[1], -y, x, zero, velocity[2], zero, zero, zero, zero]
    return torch.linalg.matrix_exp(torch.stack(rows, dim=-1).unflatten(-1, (4, 4)))


def is_rigid(matrix: Float[Tensor, "*batch 4 4"], tolerance: float = 1e-3) -> Bool[Tensor, "*batch"]:
    """True where a matrix is finite, its rotation orthonormal with determinant +1, its last row (0, 0, 0, 1).

    Args:
        matrix: candidates for a rigid transform.
        tolerance: how far each entry of ``R^T R`` may lie from the identity's. Calibration files
            print six digits, so their rotations are orthonormal to about 1e-5.
    """
    rotation = matrix[..., :3, :3]
    identity = torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    orthonormal = ((rotation.mT @ rotation - identity).abs() < tolerance).all(dim=-1).all(dim=-1)
    proper = torch.linalg.det(torch.nan_to_num(rotation)) > 0
    last_row = (matrix[..., 3, :] == identity.new_tensor([0, 0, 0, 1])).all(dim=-1)
    finite = torch.isfinite(matrix).all(dim=-1).all(dim=-1)
    return finite & orthonormal & proper & last_row
