"""How likely rays end where they are said to end.

Source: the volume rendering equation read as a distribution of where a ray ends, as in Deng et al.,
"Depth-supervised NeRF: fewer views and faster training for free", CVPR 2022, section 3.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def termination(
    before: Float[Tensor, "*rays S"],
    length: Float[Tensor, "*rays"],
    at: Float[Tensor, "*rays"],
    thickness: float,
) -> Float[Tensor, "*rays"]:
    """Negative log likelihood that a ray passes a length of space and ends within the next `thickness` metres.

    The ray gets through with probability exp(-integral of density), and then ends with 1 - exp(-density x thickness).

    Args:
        before: density (1/m) at S points spread evenly over the length.
        length: metres that the ray passes.
        at: density just behind its end.
        thickness: metres behind the end.
    """
    passed = before.mean(dim=-1) * length
    return passed + solidity(at, thickness)


def solidity(density: Float[Tensor, "*points"], thickness: float) -> Float[Tensor, "*points"]:
    """Negative log likelihood that a ray through points of this density ends within `thickness` metres."""
    return -torch.log(-torch.expm1(-density * thickness) + 1e-6)
