"""Which cells of a grid are full, and of what: an exact test of every solid and of the ground at cell centres."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt16

from scene3d.data.street.categories import SSCBENCH_ID
from scene3d.data.street.shapes import Kind, Shapes, within
from scene3d.data.street.street import Street
from scene3d.geometry.voxels import VoxelFrame

Array = np.ndarray


@dataclass(frozen=True, kw_only=True)
class Occupancy:
    """A full grid of truth.

    Attributes:
        labels: raw SSCBench ids; 0 is empty.
        shell: full cells that touch an empty one by a face; cells outside of the grid count as full.
    """

    labels: UInt16[Array, "X Y Z"]
    shell: Bool[Array, "X Y Z"]


def occupancy(street: Street, frame: int, grid: VoxelFrame, grid_to_world: Float[Array, "4 4"]) -> Occupancy:
    """What fills the cells of a grid at a frame.

    A cell is full when its centre lies in a solid or in the ground, which goes down without end. Solids
    thinner than a cell are grown to its width, so that poles, signs and fences do not fall between centres.

    Args:
        street: the street.
        frame: which moment of the drive.
        grid: its cells.
        grid_to_world: where it lies; its z must point upwards, give or take 45 degrees.
    """
    shapes, _ = street.at(frame)
    labels = _ground_labels(street, grid, grid_to_world)
    rotation, position = grid_to_world[:3, :3], grid_to_world[:3, 3]
    corner, shape = np.array(grid.origin), np.array(grid.shape)
    centre = (shapes.centre - position) @ rotation
    to_local = shapes.world_to_local @ rotation
    # |axis| of the inverse affine map: how far each solid reaches along the grid's axes.
    reach = np.abs(np.linalg.inv(to_local)).sum(axis=2) + grid.size
    low = np.floor((centre - reach - corner) / grid.size).astype(int).clip(0, shape)
    high = np.ceil((centre + reach - corner) / grid.size).astype(int).clip(0, shape)
    near = np.flatnonzero((high > low).all(axis=1))
    # Small solids are drawn last: a lamp within a crown stays a lamp.
    near = near[np.argsort(-shapes.half[near].prod(axis=1), kind="stable")]
    for n in near.tolist():
        _fill(labels, shapes, n, (low[n], high[n]), corner + grid.size / 2 - centre[n], to_local[n], grid.size)
    return Occupancy(labels=labels, shell=_shell(labels != 0))


def _fill(
    labels: Array, shapes: Shapes, n: int, window: tuple[Array, Array], start: Array, affine: Array, size: float
) -> None:
    """Write one solid into ``labels`` in place, within a window of cells."""
    low, high = window
    i, j, k = ((start[axis] + size * np.arange(low[axis], high[axis])).astype(np.float32) for axis in range(3))
    a = affine.astype(np.float32)
    flat = [a[row, 0] * i[:, None] + a[row, 1] * j[None, :] for row in range(3)]
    local = [flat[row][:, :, None] + a[row, 2] * k for row in range(3)]
    half = shapes.half[n]
    grown = np.maximum(0.5 * size - half, 0) / half
    full = within(Kind(int(shapes.kind[n])), local, shapes.taper[n], grown)
    here = labels[low[0] : high[0], low[1] : high[1], low[2] : high[2]]
    here[full] = SSCBENCH_ID[shapes.category[n]]


def _ground_labels(street: Street, grid: VoxelFrame, grid_to_world: Array) -> UInt16[Array, "X Y Z"]:
    """Columns filled from below up to where they pierce the ground."""
    nx, ny, nz = grid.shape
    x = grid.origin[0] + grid.size * (np.arange(nx) + 0.5)
    y = grid.origin[1] + grid.size * (np.arange(ny) + 0.5)
    foot = np.stack(np.broadcast_arrays(x[:, None], y[None, :], 0.0), axis=-1).reshape(-1, 3)
    foot = foot @ grid_to_world[:3, :3].T + grid_to_world[:3, 3]
    up = grid_to_world[:3, 2]
    surface = np.zeros(len(foot))
    for _ in range(4):
        points = (foot + surface[:, None] * up).astype(np.float32)
        surface += (street.ground.height(points[:, 0], points[:, 1]) - points[:, 2]) / up[2]
    points = (foot + surface[:, None] * up).astype(np.float32)
    place = street.ground.place(points[:, 0], points[:, 1])
    column = SSCBENCH_ID[street.ground.category(place)].reshape(nx, ny, 1)
    z = grid.origin[2] + grid.size * (np.arange(nz) + 0.5)
    return np.where(z < surface.reshape(nx, ny, 1), column, np.uint16(0)).astype(np.uint16)


def _shell(full: Bool[Array, "X Y Z"]) -> Bool[Array, "X Y Z"]:
    around = np.pad(full, 1, constant_values=True)
    middle = slice(1, -1)
    closed = np.ones_like(full)
    for axis in range(3):
        for side in (slice(0, -2), slice(2, None)):
            closed &= around[tuple(side if a == axis else middle for a in range(3))]
    return full & ~closed
