"""Which cells of a voxel grid the sensors of passing frames can have observed.

An empty cell is observed where a ray of some sensor went through it; an occupied cell where it touches such
a cell, so that its face was met. All else, the inside of solids above all, is invalid in SSCBench's sense.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.data.street.lidar import HIGHEST, LOWEST, Panorama
from scene3d.geometry.camera import Camera, inside, project
from scene3d.geometry.fisheye import Fisheye, project_fisheye
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import SSCBENCH

Pixels = Callable[[Tensor], tuple[Tensor, Tensor]]

_GROUND_IDS = (
    40,
    44,
    48,
    49,
    60,
    72,
)  # raw SSCBench ids: road, parking, sidewalk, other ground, lane mark, terrain
_LARGEST = 480  # pixels a side that a sight keeps: finer than the cells are, seen from across the street


@dataclass(frozen=True)
class Sight:
    """How far one sensor saw along each of its rays.

    Attributes:
        distance: metres; inf where nothing was met, 0 where the sensor is blind.
        sensor_to_world: of its axes.
        pixels: of points in the sensor's axes, in [0, 1] x [0, 1] of `distance`, and whether they are there.
    """

    distance: Float[Tensor, "H W"]
    sensor_to_world: Float[Tensor, "4 4"]
    pixels: Pixels


def camera_sight(
    camera: Camera | Fisheye, distance: Float[np.ndarray, "H W"], cam_to_world: Float[np.ndarray, "4 4"]
) -> Sight:
    """What a camera saw along the rays of its pixels, in metres; inf is the sky, 0 a pixel that sees nothing."""
    size = torch.tensor([camera.width, camera.height])

    def pixels(points: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(camera, Fisheye):
            xy, seen = project_fisheye(points, camera)
            seen = seen & ((xy >= 0) & (xy <= size)).all(dim=-1)
        else:
            xy, depth = project(points, camera.K.to(points.dtype))
            seen = inside(xy, depth, camera.height, camera.width)
        return xy / size, seen

    step = -(-max(distance.shape) // _LARGEST)
    thinned = distance[step // 2 :: step, step // 2 :: step].astype(np.float32)
    return Sight(torch.from_numpy(thinned), torch.from_numpy(cam_to_world.copy()), pixels)


def lidar_sight(panorama: Panorama, velo_to_world: Float[np.ndarray, "4 4"]) -> Sight:
    """What one turn of the laser met."""
    rings = panorama.distance.shape[0]

    def pixels(points: Tensor) -> tuple[Tensor, Tensor]:
        x, y, z = points.unbind(dim=-1)
        elevation = torch.rad2deg(torch.atan2(z, torch.hypot(x, y)))
        ring = (HIGHEST - elevation) / (HIGHEST - LOWEST) * (rings - 1) + 0.5
        turn = torch.remainder(torch.atan2(y, x) / (2 * torch.pi) + 0.5 / panorama.distance.shape[1], 1.0)
        return torch.stack([turn, ring / rings], dim=-1), (ring >= 0) & (ring <= rings)

    distance = torch.from_numpy(panorama.distance.astype(np.float32))
    return Sight(distance, torch.from_numpy(velo_to_world.copy()), pixels)


def observed_cells(
    raw: Int[Tensor, "X Y Z"], grid_to_world: Float[Tensor, "4 4"], sights: Sequence[Sight]
) -> Bool[Tensor, "X Y Z"]:
    """True in the cells of the SSCBench grid that any of the sights tells something about.

    Args:
        raw: raw ids of the true occupancy, 0 = empty.
        grid_to_world: of the grid.
        sights: what the sensors saw from here and from places nearby.
    """
    centres = SSCBENCH.centres().reshape(-1, 3)
    ground = torch.isin(raw, torch.tensor(_GROUND_IDS, dtype=raw.dtype))
    # Nothing sees below the ground: those cells need no rays.
    buried = ground.flip(-1).cumsum(-1).flip(-1) > 0
    unknown = ((raw == 0) & ~buried).reshape(-1).nonzero()[:, 0]
    free = torch.zeros(raw.numel(), dtype=torch.bool)
    for sight in sights:
        grid_to_sensor = torch.linalg.inv(sight.sensor_to_world) @ grid_to_world
        crossed = _crossed(transform(grid_to_sensor.float(), centres[unknown]), sight)
        free[unknown[crossed]] = True
        unknown = unknown[~crossed]
    free = free.reshape(raw.shape)
    return free | (raw != 0) & _beside(free)


def _crossed(points: Float[Tensor, "N 3"], sight: Sight) -> Bool[Tensor, "N"]:  # noqa: UP037
    position, seen = sight.pixels(points)
    height, width = sight.distance.shape
    column = (position[:, 0] * width).clamp(0, width - 1).long()
    row = (position[:, 1] * height).clamp(0, height - 1).long()
    return seen & (points.norm(dim=-1) < sight.distance[row, column])


def _beside(cells: Bool[Tensor, "X Y Z"]) -> Bool[Tensor, "X Y Z"]:
    """Cells that share a face with one of these."""
    beside = torch.zeros_like(cells)
    for axis in range(3):
        last = cells.shape[axis] - 1
        beside.narrow(axis, 1, last).logical_or_(cells.narrow(axis, 0, last))
        beside.narrow(axis, 0, last).logical_or_(cells.narrow(axis, 1, last))
    return beside
