"""Voxel grids and point clouds drawn without a graphics card: painted from far to near."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.solids import PointCloud

SHADES = (0.74, 0.62, 0.84, 0.68, 0.45, 1.0)
"""Brightness of the faces that look to -x, +x, -y, +y, -z, +z."""

SKY = (246, 247, 249)


def paint_voxels(
    colour: Int[Tensor, "X Y Z"],
    palette: UInt8[np.ndarray, "K 3"],
    frame: VoxelFrame,
    *,
    eye: tuple[float, float, float] | None = None,
    target: tuple[float, float, float] | None = None,
    width: int = 960,
    height: int = 600,
) -> UInt8[Tensor, "H W 3"]:
    """A picture of coloured cells, seen from behind and above the car unless told otherwise.

    Faces of one size, painted in order of their distance, hide one another rightly but for rare
    pixels. It is drawn twice as large and halved, which smooths the edges.

    Args:
        colour: index of the colour of each cell; 0 = empty.
        palette: RGB of each index.
        frame: where the cells lie; z is up.
        eye: where to look from, metres in the axes of the grid.
        target: what to look at.
        width: of the picture, pixels.
        height: of the picture.
    """
    from PIL import Image, ImageDraw

    usual = default_view(frame)
    eye_at = np.array(usual[0] if eye is None else eye)
    target_at = np.array(usual[1] if target is None else target)
    corners, shade, index = _faces(colour.cpu().numpy(), frame, eye_at)
    pixels, depth = _project(corners, eye_at, target_at, 2 * width, 2 * height)
    whole = (depth.min(axis=1) > frame.size) & (np.abs(pixels).max(axis=(1, 2)) < 8 * width)
    centre = corners.mean(axis=1) - eye_at
    order = np.argsort(-(centre**2).sum(axis=1))
    order = order[whole[order]]
    far = np.clip(np.sqrt((centre**2).sum(axis=1)) / (1.6 * frame.size * max(frame.shape)), 0, 1)[:, None]
    lit = palette[index] * np.array(SHADES)[shade][:, None]
    shades = (lit * (1 - 0.5 * far) + np.array(SKY) * 0.5 * far).astype(np.uint8)
    picture = Image.new("RGB", (2 * width, 2 * height), SKY)
    draw = ImageDraw.Draw(picture)
    flat, fills = pixels[order].reshape(-1, 8).tolist(), shades[order].tolist()
    for outline, fill in zip(flat, fills, strict=True):
        draw.polygon(outline, fill=tuple(fill))
    return torch.from_numpy(np.array(picture.resize((width, height), Image.Resampling.BOX)))


def default_view(
    frame: VoxelFrame,
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Eye and target that show a whole grid from behind and above its near edge."""
    length, _, tall = (n * frame.size for n in frame.shape)
    x, y, z = frame.origin
    middle = y + frame.shape[1] * frame.size / 2
    eye = (x - 0.4 * length, middle - 0.25 * length, z + tall + 0.46 * length)
    return eye, (x + 0.36 * length, middle - 0.02 * length, z)


def _faces(cells: np.ndarray, frame: VoxelFrame, eye: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Corners (F, 4, 3), side and colour index of the faces between full and empty that look at the eye."""
    corners, sides, colours = [], [], []
    square = np.array([[0, 0], [1, 0], [1, 1], [0, 1]])
    padded = np.pad(cells, 1)
    for side in range(6):
        axis, high = divmod(side, 2)
        beside = np.roll(padded, -1 if high else 1, axis=axis)[1:-1, 1:-1, 1:-1]
        cell = np.argwhere((cells != 0) & (beside == 0))
        face = np.repeat(cell[:, None], 4, axis=1).astype(np.float32)
        face[..., axis] += high
        face[..., [a for a in range(3) if a != axis]] += square
        face = face * frame.size + np.array(frame.origin, np.float32)
        facing = (eye[axis] - face[:, 0, axis]) * (1 if high else -1) > 0
        corners.append(face[facing])
        sides.append(np.full(int(facing.sum()), side))
        colours.append(cells[tuple(cell[facing].T)])
    return np.concatenate(corners), np.concatenate(sides), np.concatenate(colours)


def _project(
    points: Float[np.ndarray, "F n 3"], eye: np.ndarray, target: np.ndarray, width: int, height: int
) -> tuple[Float[np.ndarray, "F n 2"], Float[np.ndarray, "F n"]]:
    """Pixels and depth of points seen from the eye; z is up, 50 degrees of view from top to bottom."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, [0, 0, 1])
    right /= np.linalg.norm(right)
    axes = np.stack([right, -np.cross(right, forward), forward], axis=1)
    x, y, depth = np.moveaxis((points - eye) @ axes, -1, 0)
    focal = height / 2 / np.tan(np.radians(25))
    ahead = np.maximum(depth, 1e-3)
    return np.stack([width / 2 + focal * x / ahead, height / 2 + focal * y / ahead], axis=-1), depth


def paint_points(
    cloud: PointCloud,
    *,
    eye: tuple[float, float, float],
    target: tuple[float, float, float],
    size: float = 0.08,
    width: int = 960,
    height: int = 600,
) -> UInt8[Tensor, "H W 3"]:
    """A picture of a point cloud without a graphics card: squares, the nearest of which is seen.

    Args:
        cloud: points in axes whose z is up; grey where they have no colours.
        eye: where to look from, in those axes.
        target: what to look at.
        size: edge of the square of a point, in the unit of the points; drawn with 3 to 13 pixels.
        width: of the picture, pixels.
        height: of the picture.
    """
    points = cloud.points.cpu().double().numpy()
    colours = np.full((len(points), 3), 128, np.uint8) if cloud.colours is None else cloud.colours.cpu().numpy()
    pixels, depth = _project(points[:, None], np.array(eye), np.array(target), width, height)
    column, row = np.floor(pixels[:, 0]).T
    reach = size * height / 2 / np.tan(np.radians(25)) / np.maximum(depth[:, 0], 1e-3)
    seen = (depth[:, 0] > size) & (np.abs(column) < 2 * width) & (np.abs(row) < 2 * height)
    # Painted from far to near, a nearer square covers a farther one.
    order = np.argsort(-depth[:, 0])
    order = order[seen[order]]
    picture = np.full((height, width, 3), SKY, np.uint8)
    half = np.clip(np.ceil(reach[order] / 2), 1, 6).astype(int)
    for part in np.array_split(np.arange(len(order)), 64):
        _stamp(picture, column[order[part]].astype(int), row[order[part]].astype(int), half[part], colours[order[part]])
    return torch.from_numpy(picture)


def _stamp(picture: np.ndarray, column: np.ndarray, row: np.ndarray, half: np.ndarray, colour: np.ndarray) -> None:
    """Paint squares of 2 half + 1 pixels into a picture, the later ones over the earlier."""
    height, width = picture.shape[:2]
    reach = int(half.max(initial=0))
    for down in range(-reach, reach + 1):
        for across in range(-reach, reach + 1):
            x, y = column + across, row + down
            kept = (max(abs(down), abs(across)) <= half) & (x >= 0) & (x < width) & (y >= 0) & (y < height)
            picture[y[kept], x[kept]] = colour[kept]
