"""A field as a voxel grid."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame, in_view
from scene3d.volume import ImageField


def voxelise(
    field: ImageField, frame: VoxelFrame, grid_to_cam: Float[Tensor, "B 4 4"], *, chunk: int
) -> Float[Tensor, "B X Y Z"]:
    """Density (1/m) at the centre of every cell; 0 where the field's camera does not look.

    Args:
        field: of B images, in the coordinates of their cameras.
        frame: the grid.
        grid_to_cam: places it in each camera.
        chunk: cells that are looked at at once, and at least a layer along x: besides the grid that is returned, memory
            does not grow with the grid.
    """
    grids = grid_to_cam.new_zeros(field.K.shape[0], *frame.shape)
    for index, grid in enumerate(grids):
        one = field.select(index)
        for layers in frame.slabs(chunk):
            centres = frame.slab_centres(layers, device=grid.device).to(grid)
            points = transform(grid_to_cam[index], centres.reshape(-1, 3))
            seen = in_view(points, field.K[index], field.height, field.width)
            if seen.any():
                density = grid.new_zeros(len(points))
                density[seen] = one(points[seen][None], features=False).density[0].to(grid)
                grid[layers] = density.reshape(-1, *frame.shape[1:])
    return grids
