"""A field as a voxel grid."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame, field_of_view
from scene3d.volume import ImageField


def voxelise(
    field: ImageField, frame: VoxelFrame, grid_to_cam: Float[Tensor, "B 4 4"], *, chunk: int
) -> Float[Tensor, "B X Y Z"]:
    """Density (1/m) at the centre of every cell; 0 where the field's camera does not look.

    Args:
        field: of B images, in the coordinates of their cameras.
        frame: the grid.
        grid_to_cam: places it in each camera.
        chunk: cells that are asked for at once, which bounds the memory.
    """
    grids = []
    for index in range(field.K.shape[0]):
        one = field.select(index)
        seen = field_of_view(frame, grid_to_cam[index], field.K[index], field.height, field.width)
        points = transform(grid_to_cam[index], frame.centres(device=field.K.device)[seen])
        grid = points.new_zeros(frame.shape)
        if len(points):
            parts = [one(part[None], features=False).density[0] for part in points.split(chunk)]
            grid[seen] = torch.cat(parts)
        grids.append(grid)
    return torch.stack(grids)
