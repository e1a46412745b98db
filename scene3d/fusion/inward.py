"""Classes of solids from the classes of their surfaces."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor


def spread_inward(classes: Int[Tensor, "X Y Z"], occupied: Bool[Tensor, "X Y Z"]) -> Int[Tensor, "X Y Z"]:
    """Give every occupied cell that has no empty neighbour the class of the nearest one that has.

    A field learns features where rays end, on surfaces; what it says inside of a solid nobody ever asked. Cells
    beyond the grid count as occupied, so its faces are no surfaces.

    Args:
        classes: of every cell; only those of occupied cells on the surface are looked at.
        occupied: which cells are.

    Returns:
        The same classes on the surface, other ones inside, 0 where nothing is occupied.
    """
    from scipy.ndimage import binary_erosion, distance_transform_edt

    filled = occupied.cpu().numpy()
    inside = binary_erosion(filled, border_value=1)
    surface = filled & ~inside
    if not surface.any():
        return torch.where(occupied, classes, 0)
    nearest = distance_transform_edt(~surface, return_distances=False, return_indices=True)
    spread = classes.cpu().numpy()[tuple(nearest)]
    return torch.from_numpy(np.where(filled, spread, 0)).to(classes)
