"""From density to the opacity of a section of a ray."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def density_to_opacity(
    density: Float[Tensor, "*rays S"], distances: Float[Tensor, "*rays S"], *, capped: bool
) -> Float[Tensor, "*rays S"]:
    """Opacity 1 - exp(-density * length) of the section that each sample stands for.

    Args:
        density: at the samples, 1/m.
        distances: of the samples along the ray, metres, ascending; a section reaches to the next sample.
        capped: make the last sample opaque, so that the weights of a ray sum to one: all that is left
            of the light is seen at the far end. Without, the last section has length 0.

    Source: Max, "Optical models for direct volume rendering", TVCG 1995; the cap: Wimbauer et al.,
    "Behind the scenes", CVPR 2023.
    """
    lengths = distances.diff(dim=-1)
    opacity = 1 - torch.exp(-density[..., :-1] * lengths)
    last = torch.full_like(distances[..., :1], 1.0 if capped else 0.0)
    return torch.cat([opacity, last], dim=-1)
