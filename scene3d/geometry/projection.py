"""A 3x4 projection taken apart into intrinsics and a rigid transform."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.se3 import rigid


def decompose_projection(projection: Float[Tensor, "3 4"]) -> tuple[Float[Tensor, "3 3"], Float[Tensor, "4 4"]]:
    """K and ``world_to_cam`` of P = s K [R | t], whatever the factor s, negative ones too.

    K is upper triangular with positive focal lengths and 1 in its corner, and R a proper rotation: there is one such
    pair, so composing and taking apart give back what went in. K may have skew.

    Args:
        projection: world to pixels.

    Raises:
        ValueError: the left three columns are singular, as of a camera at infinity, or a number is not finite.

    Source: Hartley and Zisserman, "Multiple view geometry", 2nd edition, section 6.2.4.
    """
    if not torch.isfinite(projection).all():
        raise ValueError("a number that is not finite")
    square = projection[:, :3]
    if torch.linalg.matrix_rank(square) < 3:
        raise ValueError("a projection whose left three columns are singular")
    # The sign that makes R proper, since K's determinant is to be positive.
    scaled = projection * torch.sign(torch.linalg.det(square))
    # Of the inverse, QR gives (K R)^-1 = R^-1 K^-1: a rotation, then an upper triangle.
    rotation_inverse, triangle_inverse = torch.linalg.qr(torch.linalg.inv(scaled[:, :3]))
    signs = torch.sign(triangle_inverse.diagonal())
    rotation = (rotation_inverse * signs).mT
    triangle = torch.linalg.inv(signs[:, None] * triangle_inverse)
    translation = torch.linalg.solve(triangle, scaled[:, 3])
    return triangle / triangle[2, 2], rigid(rotation, translation)
