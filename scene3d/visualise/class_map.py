"""A map of classes as points, as a mesh and as pictures: along the street and from above."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.labels import SSC
from scene3d.structures.solids import ClassCells, Mesh, PointCloud
from scene3d.visualise.painter import SKY, paint_voxels
from scene3d.visualise.pictures import label_picture
from scene3d.visualise.quads import Quads, class_palette, merged_faces, quad_mesh

TILE = 128
"""Cells that are meshed at once, along x and y; faces between two tiles stay."""

AHEAD = 51.2
"""How far along the street its picture reaches, metres."""

WIDEST = 1280
"""Pixels of the picture from above, at most."""


def class_points(found: ClassCells) -> PointCloud:
    """The centres of the cells in the world, in the colours of their classes, which are their labels."""
    points = transform(found.map_to_world, found.centres).float()
    return PointCloud(points=points, colours=label_picture(found.classes, SSC), labels=found.classes)


def class_mesh(found: ClassCells) -> Mesh:
    """The outside of the cells in the world. Memory grows with the cells, not with the box around them."""
    tile = torch.div(found.cells[:, :2], TILE, rounding_mode="floor")
    parts = []
    for place in tile.unique(dim=0):
        inside = (tile == place).all(dim=1)
        grid, lowest = _dense(found.cells[inside], found.classes[inside])
        quads = merged_faces(grid)
        parts.append(Quads(quads.cell + lowest.numpy(), quads.side, quads.extent, quads.colour))
    joined = Quads(
        cell=np.concatenate([part.cell for part in parts]),
        side=np.concatenate([part.side for part in parts]),
        extent=np.concatenate([part.extent for part in parts]),
        colour=np.concatenate([part.colour for part in parts]),
    )
    mesh = quad_mesh(joined, VoxelFrame(origin=(0.0, 0.0, 0.0), size=found.size, shape=(1, 1, 1)), class_palette())
    placed = transform(found.map_to_world, mesh.vertices.double()).float()
    return Mesh(vertices=placed, faces=mesh.faces, colours=mesh.colours)


def street_picture(found: ClassCells, places: Float[Tensor, "P 4 4"], unit: float = 1.0) -> UInt8[Tensor, "H W 3"]:
    """The cells from behind and above the first place, as far as `AHEAD`.

    Args:
        found: at least one cell.
        places: `cam_to_world` of the frames that have one.
        unit: what is taken for a metre.
    """
    way = transform(invert(found.map_to_world), places[:, :3, 3].double())
    level = (way[min(len(way) - 1, 25)] - way[0]) * way.new_tensor([1, 1, 0])
    length = float(level.norm())
    ahead = level / length if length > 0.5 * unit else way.new_tensor([1.0, 0, 0])
    up = way.new_tensor([0, 0, 1.0])
    near = (found.centres - way[0] - 0.4 * AHEAD * unit * ahead).abs()[:, :2].amax(dim=1) < 0.6 * AHEAD * unit
    chosen = near if bool(near.any()) else torch.ones_like(near)
    grid, lowest = _dense(found.cells[chosen], found.classes[chosen])
    x, y, z = (lowest * found.size).tolist()
    frame = VoxelFrame(origin=(x, y, z), size=found.size, shape=(grid.shape[0], grid.shape[1], grid.shape[2]))
    ex, ey, ez = (way[0] + unit * (-2 * ahead + 9 * up)).tolist()
    tx, ty, tz = (way[0] + unit * (16 * ahead - 4 * up)).tolist()
    return paint_voxels(grid, class_palette(), frame, eye=(ex, ey, ez), target=(tx, ty, tz))


def plan_picture(found: ClassCells, places: Float[Tensor, "P 4 4"]) -> UInt8[Tensor, "H W 3"]:
    """The map from above, x to the right, with the way as a dark line; the highest cell is seen, lower ones are darker.

    Args:
        found: at least one cell.
        places: `cam_to_world` of the frames that have one.
    """
    way = transform(invert(found.map_to_world), places[:, :3, 3].double()) / found.size
    shown = torch.cat([found.cells, way.floor().long()])
    low = shown.amin(dim=0)
    extent = shown.amax(dim=0) - low + 1
    step = max(1, -(-int(extent[:2].max()) // WIDEST))
    width, height = (-(-int(n) // step) for n in extent[:2])
    x, y = torch.div(found.cells[:, :2] - low[:2], step, rounding_mode="floor").unbind(dim=1)
    # Painted from the lowest to the highest: of one place, the last stays.
    order = found.cells[:, 2].argsort(stable=True).numpy()
    rows, columns = (height - 1 - y).numpy()[order], x.numpy()[order]
    rise = ((found.cells[:, 2] - low[2]) / max(int(extent[2]), 1)).numpy()[order]
    picture = np.full((height, width, 3), SKY, np.uint8)
    colours = label_picture(found.classes, SSC).numpy()[order]
    picture[rows, columns] = (colours * (0.7 + 0.3 * rise[:, None])).astype(np.uint8)
    scale = max(1, WIDEST // width)
    picture = picture.repeat(scale, axis=0).repeat(scale, axis=1)
    along, across = ((way - low) / step * scale).numpy()[:, :2].T
    return _with_way(picture, np.stack([along, len(picture) - across], axis=1))


def _with_way(picture: np.ndarray, way: np.ndarray) -> UInt8[Tensor, "H W 3"]:
    from PIL import Image, ImageDraw

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    draw.line([(float(x), float(y)) for x, y in way], fill=(20, 20, 24), width=3, joint="curve")
    x, y = way[0]
    draw.ellipse([x - 5, y - 5, x + 5, y + 5], fill=(20, 20, 24))
    return torch.from_numpy(np.array(image))


def _dense(cells: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Some cells as a grid, 0 = empty, and the indices of its first one."""
    low, high = cells.amin(dim=0), cells.amax(dim=0)
    grid = torch.zeros(*(high - low + 1).tolist(), dtype=torch.int64)
    grid[tuple((cells - low).unbind(dim=1))] = classes
    return grid, low
