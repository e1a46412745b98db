"""Where along a ray a field is asked."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def inverse_distances(
    near: float,
    far: float,
    samples: int,
    shape: tuple[int, ...],
    *,
    jitter: torch.Generator | bool,
    like: Tensor,
) -> Float[Tensor, "*rays S"]:
    """Distances from near to far whose inverses are evenly spaced: dense where pixels are fine.

    Args:
        near: first distance, metres, > 0.
        far: last distance, metres.
        samples: number of strata; one sample is taken from each.
        shape: of the rays.
        jitter: True, or a generator, draws each sample uniformly within its stratum (training);
            False takes the middle of the stratum, so that evaluation is deterministic.
        like: gives device and dtype.
    """
    edges = torch.arange(samples, device=like.device, dtype=like.dtype)
    if jitter is False:
        offset = like.new_full((*shape, samples), 0.5)
    else:
        generator = jitter if isinstance(jitter, torch.Generator) else None
        offset = torch.rand(*shape, samples, device=like.device, dtype=like.dtype, generator=generator)
    position = (edges + offset) / samples
    return 1 / ((1 - position) / near + position / far)
