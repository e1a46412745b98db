"""Semi-global matching: a cost volume made smooth along straight paths, but for edges.

Source: Hirschmueller, "Stereo processing by semiglobal matching and mutual information", TPAMI 2008, equation 13.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def semi_global(cost: Float[Tensor, "N D H W"], small: float, large: float) -> Float[Tensor, "N D H W"]:
    """Mean over the four paths along rows and columns of the least cost of a path that ends at a pixel.

    Args:
        cost: of D neighbouring hypotheses.
        small: price of a step by one hypothesis between neighbouring pixels (slanted surfaces).
        large: price of any larger step (edges).
    """
    across = cost.permute(3, 0, 2, 1).contiguous()
    along = cost.permute(2, 0, 3, 1).contiguous()
    rows = (_path(across, small, large) + _path(across.flip(0), small, large).flip(0)).permute(1, 3, 2, 0)
    columns = (_path(along, small, large) + _path(along.flip(0), small, large).flip(0)).permute(1, 3, 0, 2)
    return (rows + columns) / 4


def _path(cost: Float[Tensor, "L N M D"], small: float, large: float) -> Float[Tensor, "L N M D"]:
    """Least cost of the paths that run along the first dimension, without what all hypotheses share."""
    out = torch.empty_like(cost)
    out[0] = cost[0]
    step = torch.empty_like(cost[0])
    for i in range(1, len(cost)):
        before = out[i - 1]
        best = before.amin(dim=-1, keepdim=True)
        torch.minimum(before, best + large, out=step)
        step[..., 1:] = torch.minimum(step[..., 1:], before[..., :-1] + small)
        step[..., :-1] = torch.minimum(step[..., :-1], before[..., 1:] + small)
        torch.add(cost[i], step, out=out[i])
        out[i] -= best
    return out
