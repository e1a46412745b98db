"""The gradient of a field from its values around a point."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

CORNERS = ((1.0, 1.0, 1.0), (1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))
"""Of a tetrahedron; the sum of their outer products is 4 times the identity."""


def numerical_gradient(
    value: Callable[[Tensor], Tensor], points: Float[Tensor, "N 3"], step: float
) -> Float[Tensor, "N 3"]:
    """Gradient from four values; exact for a linear field, and off by about `step` times the curvature otherwise.

    Args:
        value: of N points.
        points: where.
        step: along each axis, of the unit of the points. Details below it are smoothed away.

    Source: the tetrahedron is of Quilez, "Normals for an SDF"; smoothing by it of Li et al., "Neuralangelo", CVPR 2023.
    """
    corners = points.new_tensor(CORNERS)
    around = (points[:, None] + step * corners).flatten(0, 1)
    return value(around).unflatten(0, (-1, 4)) @ corners / (4 * step)
