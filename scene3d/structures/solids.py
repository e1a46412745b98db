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
