"""Voxel grids: where their cells lie, and which of them a camera sees."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.geometry.camera import project
from scene3d.geometry.se3 import invert, transform


@dataclass(frozen=True)
class VoxelFrame:
    """A regular grid: cell (i, j, k) spans ``origin + size * (i, j, k)`` to one cell further.

    Attributes:
        origin: corner of cell (0, 0, 0), metres, in the axes of the grid.
        size: edge of a cell, metres.
        shape: number of cells along x, y and z.
    """

    origin: tuple[float, float, float]
    size: float
    shape: tuple[int, int, int]

    def centres(self, *, device: torch.device | None = None) -> Float[Tensor, "X Y Z 3"]:
        """Centre of every cell, in the axes of the grid."""
        return self.slab_centres(slice(None), device=device)

    def centres_of(self, cells: Int[Tensor, "N 3"]) -> Float[Tensor, "N 3"]:
        """Centres of some cells, in the axes of the grid; those that `centres` has."""
        axes = self._axes(cells.device)
        return torch.stack([axis[index] for axis, index in zip(axes, cells.unbind(dim=1), strict=True)], dim=1)

    def slabs(self, cells: int) -> list[slice]:
        """The grid in pieces of whole layers along x, of about so many cells each and at least one layer."""
        step = max(cells // (self.shape[1] * self.shape[2]), 1)
        return [slice(first, min(first + step, self.shape[0])) for first in range(0, self.shape[0], step)]

    def slab_centres(self, layers: slice, *, device: torch.device | None = None) -> Float[Tensor, "X Y Z 3"]:
        """Centre of every cell of some layers along x."""
        x, y, z = self._axes(device)
        return torch.stack(torch.meshgrid(x[layers], y, z, indexing="ij"), dim=-1)

    def _axes(self, device: torch.device | None) -> list[Tensor]:
        """Centres along x, along y and along z."""
        return [
            start + self.size * (torch.arange(n, device=device) + 0.5)
            for start, n in zip(self.origin, self.shape, strict=True)
        ]

    def cell_of(self, points: Float[Tensor, "*batch 3"]) -> tuple[Int[Tensor, "*batch 3"], Bool[Tensor, "*batch"]]:
        """Index of the cell that holds each point, and whether there is one; a lower face belongs to its cell."""
        cell = torch.floor((points - points.new_tensor(self.origin)) / self.size).long()
        within = ((cell >= 0) & (cell < cell.new_tensor(self.shape))).all(dim=-1)
        return cell, within

    def cropped(self, extent: float) -> tuple[slice, slice, slice]:
        """The cells of the box ``extent`` metres ahead and ``extent`` metres wide, at all heights.

        This is the "12.8 m", "25.6 m" and "51.2 m" of the semantic scene completion protocols.
        """
        n = round(extent / self.size)
        middle = self.shape[1] // 2
        return slice(0, n), slice(middle - n // 2, middle + n // 2), slice(None)


_REACH = 1 << 20  # cells from the middle to either side, so that three indices fit into 63 bits


def cell_keys(points: Float[Tensor, "N 3"], edge: float) -> Int[Tensor, "N"]:  # noqa: UP037
    """The cell of an endless grid that each point falls into, as one number; points of one cell have the same.

    Points more than a million cells from the origin count to the last one.
    """
    cells = torch.floor(points / edge).long().clamp(-_REACH, _REACH - 1) + _REACH
    return (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]


def cells_of(keys: Int[Tensor, "N"]) -> Int[Tensor, "N 3"]:  # noqa: UP037
    """The cells that `cell_keys` made numbers of: cell (i, j, k) spans ``edge * (i, j, k)`` to one cell further."""
    lowest = 2 * _REACH - 1
    return torch.stack([keys >> 42, (keys >> 21) & lowest, keys & lowest], dim=1) - _REACH


SSCBENCH = VoxelFrame(origin=(0.0, -25.6, -2.0), size=0.2, shape=(256, 256, 32))
"""The grid of SSCBench and SemanticKITTI, in velodyne axes: x forward, y left, z up."""


def field_of_view(
    frame: VoxelFrame,
    grid_to_cam: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
    height: int,
    width: int,
) -> Bool[Tensor, "X Y Z"]:
    """Cells whose centre lies in front of the camera and projects into the image."""
    centres = frame.centres(device=K.device).to(K.dtype).reshape(-1, 3)
    return in_view(transform(grid_to_cam, centres), K, height, width).reshape(frame.shape)


def in_view(points_cam: Float[Tensor, "N 3"], K: Float[Tensor, "3 3"], height: int, width: int) -> Bool[Tensor, "N"]:  # noqa: UP037
    """Points in front of the camera that project into the image."""
    pixels, depth = project(points_cam, K)
    x, y = pixels.unbind(dim=-1)
    return (depth > 0) & (x >= 0) & (x < width) & (y >= 0) & (y < height)


CAM_TO_VELO = (
    (0.04307104361, -0.08829286498, 0.995162929, 0.8043914418),
    (-0.999004371, 0.007784614041, 0.04392796942, 0.2993489574),
    (-0.01162548558, -0.9960641394, -0.08786966659, -0.1770225824),
    (0.0, 0.0, 0.0, 1.0),
)
"""Left camera to velodyne of KITTI-360's car: where the voxel grid lies unless the training data says so."""


def default_grid_to_cam() -> Float[Tensor, "4 4"]:
    """Velodyne to left camera of KITTI-360's car."""
    return invert(torch.tensor(CAM_TO_VELO, dtype=torch.float64)).float()
