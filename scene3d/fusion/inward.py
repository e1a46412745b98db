"""Classes of solids from the classes of their surfaces."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor


def surface_cells(occupied: Bool[Tensor, "X Y Z"]) -> Bool[Tensor, "X Y Z"]:
    """Occupied cells with an empty one among their six neighbours; cells beyond the grid count as occupied."""
    filled = torch.nn.functional.pad(occupied, (1, 1, 1, 1, 1, 1), value=True)
    inner = filled[1:-1, 1:-1, 1:-1].clone()
    for dim in range(3):
        for start in (0, 2):
            window = [slice(1, -1)] * 3
            window[dim] = slice(start, start + occupied.shape[dim])
            inner &= filled[tuple(window)]
    return occupied & ~inner


def spread_inward(classes: Int[Tensor, "X Y Z"], occupied: Bool[Tensor, "X Y Z"]) -> Int[Tensor, "X Y Z"]:
    """Give every occupied cell that has no empty neighbour the class of the nearest one that has.

    A field learns features where rays end, on surfaces; what it says inside of a solid nobody ever asked.

    Args:
        classes: of every cell; only those of `surface_cells` are looked at.
        occupied: which cells are.

    Returns:
        The same classes on the surface, other ones inside, 0 where nothing is occupied.
    """
    from scipy.ndimage import distance_transform_edt

    surface = surface_cells(occupied).cpu().numpy()
    if not surface.any():
        return torch.where(occupied, classes, 0)
    nearest = distance_transform_edt(~surface, return_distances=False, return_indices=True)
    spread = classes.cpu().numpy()[tuple(nearest)]
    return torch.from_numpy(np.where(occupied.cpu().numpy(), spread, 0)).to(classes)
