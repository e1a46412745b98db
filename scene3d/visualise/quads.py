"""The outside of a voxel grid as flat quads, each as large as one colour goes, and as a mesh of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int, UInt8
from torch import Tensor

from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.labels import SSC, LabelSpace
from scene3d.structures.solids import Mesh


@dataclass(frozen=True)
class Quads:
    """Q rectangles on the faces of cells.

    Attributes:
        cell: index (x, y, z) of the first cell of each rectangle.
        side: which face of the cell: 0, 1 = low and high x; 2, 3 = y; 4, 5 = z.
        extent: how many cells it spans along the two other axes, in order (x, y, z without its own).
        colour: index of its colour.
    """

    cell: Int[np.ndarray, "Q 3"]
    side: Int[np.ndarray, "Q"]  # noqa: UP037
    extent: Int[np.ndarray, "Q 2"]
    colour: Int[np.ndarray, "Q"]  # noqa: UP037


def merged_faces(colour: Int[Tensor, "X Y Z"]) -> Quads:
    """Faces between a cell and an empty one, or the edge of the grid, merged to rectangles of one colour.

    Neighbouring faces are joined to strips along the last axis, and equal strips to rectangles.

    Args:
        colour: index of the colour of each cell; 0 = empty.
    """
    cells = colour.cpu().numpy().astype(np.int32)
    parts = [_side(cells, axis, high) for axis in range(3) for high in (False, True)]
    return Quads(*(np.concatenate([part[i] for part in parts]) for i in range(4)))


def quad_mesh(quads: Quads, frame: VoxelFrame, palette: UInt8[np.ndarray, "K 3"]) -> Mesh:
    """The quads as triangles in metres, each with four vertices of its own so that colours stay flat.

    Args:
        quads: of a grid.
        frame: where its cells lie; the mesh has the same axes.
        palette: RGB of each colour index.
    """
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    count = len(quads.side)
    axis = quads.side // 2
    others = np.array([[1, 2], [0, 2], [0, 1]])[axis]
    vertices = np.repeat(quads.cell[:, None], 4, axis=1).astype(np.float64)
    index = np.arange(count)
    vertices[index[:, None], np.arange(4), axis[:, None]] += (quads.side % 2)[:, None]
    for k in range(2):
        step = corners[None, :, k] * quads.extent[:, k, None]
        vertices[index[:, None], np.arange(4), others[:, k, None]] += step
    # u x v points along +x, -y, +z for the axes (x, y, z): quads whose outside is the other way are turned.
    turned = (quads.side % 2 == 1) == (axis == 1)
    order = np.where(turned[:, None], [0, 2, 1, 0, 3, 2], [0, 1, 2, 0, 2, 3])
    faces = (order + 4 * index[:, None]).reshape(-1, 3)
    metres = vertices.reshape(-1, 3) * frame.size + np.array(frame.origin)
    return Mesh(
        vertices=torch.from_numpy(metres).float(),
        faces=torch.from_numpy(faces),
        colours=torch.from_numpy(palette[np.repeat(quads.colour, 4)]),
    )


def class_palette(space: LabelSpace = SSC) -> UInt8[np.ndarray, "K 3"]:
    """RGB of each class index; index 0 is empty."""
    return np.array(space.colours, dtype=np.uint8)


def height_palette(layers: int) -> UInt8[np.ndarray, "K 3"]:
    """RGB of each layer of a grid from below, the first at index 1."""
    import matplotlib

    shades = matplotlib.colormaps["viridis"](np.linspace(0.05, 1, layers), bytes=True)[:, :3]
    return np.concatenate([np.zeros((1, 3), np.uint8), shades])


def height_colours(occupied: Tensor) -> Int[Tensor, "X Y Z"]:
    """Colour index of each cell by its layer; 0 where it is empty."""
    return torch.where(occupied, torch.arange(1, occupied.shape[2] + 1, device=occupied.device), 0)


def _side(cells: np.ndarray, axis: int, high: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rectangles of the faces that look down (or up) one axis: cell, side, extent, colour."""
    grid = np.moveaxis(cells, axis, 0)
    beyond = np.zeros_like(grid)
    if high:
        beyond[:-1] = grid[1:]
    else:
        beyond[1:] = grid[:-1]
    faces = np.where(beyond == 0, grid, 0)
    layer, row, start, length, colour = _strips(faces)
    # Strips of one layer, start, length and colour in neighbouring rows are one rectangle.
    order = np.lexsort((row, colour, length, start, layer))
    layer, row, start, length, colour = (a[order] for a in (layer, row, start, length, colour))
    same = np.ones(len(row), bool)
    for a in (layer, start, length, colour):
        same[1:] &= a[1:] == a[:-1]
    same[1:] &= row[1:] == row[:-1] + 1
    same[:1] = False
    first = np.flatnonzero(~same)
    rows = np.diff(np.append(first, len(row)))
    cell = np.stack([layer[first], row[first], start[first]], axis=1)
    placed = np.empty_like(cell)
    placed[:, [axis, *(a for a in range(3) if a != axis)]] = cell
    extent = np.stack([rows, length[first]], axis=1)
    return placed, np.full(len(first), 2 * axis + high), extent, colour[first]


def _strips(faces: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Runs of one colour along the last axis: layer, row, start, length, colour."""
    padded = np.pad(faces, ((0, 0), (0, 0), (1, 1)))
    changes = padded[..., 1:] != padded[..., :-1]
    starts = changes[..., :-1] & (faces != 0)
    ends = changes[..., 1:] & (faces != 0)
    layer, row, start = np.nonzero(starts)
    end = np.nonzero(ends)[2]
    return layer, row, start, end - start + 1, faces[layer, row, start]
