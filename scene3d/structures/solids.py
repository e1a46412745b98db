"""Solid things: voxel grids, point clouds and meshes, as arrays with their frame."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float, Int, UInt8
from torch import Tensor

from scene3d.geometry.voxels import VoxelFrame


@dataclass(frozen=True, kw_only=True)
class VoxelGrid:
    """One value or class a cell of a regular grid.

    Attributes:
        values: density in 1/m, occupancy in [0, 1], or class indices (0 = empty, 255 = ignore).
        frame: where the cells lie in the grid's own axes.
        grid_to_world: places the grid.
    """

    values: Float[Tensor, "X Y Z"] | Int[Tensor, "X Y Z"]
    frame: VoxelFrame
    grid_to_world: Float[Tensor, "4 4"]


@dataclass(frozen=True, kw_only=True)
class PointCloud:
    """N points with what is known of each; positions in metres, colours RGB 0..255."""

    points: Float[Tensor, "N 3"]
    colours: UInt8[Tensor, "N 3"] | None = None
    labels: Int[Tensor, "N"] | None = None  # noqa: UP037


@dataclass(frozen=True, kw_only=True)
class Mesh:
    """Triangles with counter-clockwise order seen from outside; positions in metres, colours RGB 0..255 a vertex."""

    vertices: Float[Tensor, "N 3"]
    faces: Int[Tensor, "F 3"]
    colours: UInt8[Tensor, "N 3"] | None = None


@dataclass(frozen=True, kw_only=True)
class ClassCells:
    """The cells of a map that are elected to be there.

    Attributes:
        cells: cell (i, j, k) spans `size * (i, j, k)` to one cell further.
        classes: the `SSC` class of each, never empty.
        votes: how many frames said each `SSC` class of it; those of class 0 saw it empty.
        size: edge of a cell.
        map_to_world: places the map, whose z is up, in the world of the drive.
    """

    cells: Int[Tensor, "N 3"]
    classes: Int[Tensor, "N"]  # noqa: UP037
    votes: Int[Tensor, "N C"]
    size: float
    map_to_world: Float[Tensor, "4 4"]

    @property
    def centres(self) -> Float[Tensor, "N 3"]:
        """Of the cells, in the map."""
        return (self.cells.double() + 0.5) * self.size
