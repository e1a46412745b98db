"""A signed distance field as a coloured mesh, by marching cubes where its surface passes and nowhere else.

Source: Lorensen and Cline, "Marching cubes", SIGGRAPH 1987; scikit-image's variant is Lewiner's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float
from pydantic import Field, PositiveInt
from torch import Tensor

from scene3d.config import Config
from scene3d.errors import DataError
from scene3d.geometry.se3 import transform
from scene3d.structures.solids import Mesh
from scene3d.volume.surface_field import SurfaceField

BLOCK = 32
"""Cells along an edge of what is meshed at once."""

STRIDE = 4
"""Of the grid that is asked first, in cells."""

STEEPEST = 2.0
"""A distance is taken to change by no more than this times the way: a learned one is not quite a distance."""


class MeshingConfig(Config):
    """How fine a mesh is.

    Attributes:
        cells: along an edge of the cube about the region of interest.
        chunk: points that the field is asked at once, which bounds the memory.
    """

    cells: int = Field(256, ge=BLOCK, multiple_of=BLOCK)
    chunk: PositiveInt = 2**16


def surface_mesh(field: SurfaceField, unit_to_world: Float[Tensor, "4 4"], config: MeshingConfig) -> Mesh:
    """The surface of a field in the unit ball, in the world, each vertex coloured as seen from straight above it.

    Args:
        field: in units.
        unit_to_world: of the region of interest; scaled and moved, not turned.
        config: how fine.

    Raises:
        DataError: no surface passes through the region.
    """
    device = field.sharpness.device
    with torch.no_grad():
        vertices, faces = zero_set(field.surface.distance, config, device)
        colours = [_colour(field, part) for part in vertices.to(device).split(config.chunk)]
    world = transform(unit_to_world.cpu().double(), vertices.double())
    return Mesh(vertices=world.float(), faces=faces, colours=torch.cat(colours).cpu())


def zero_set(
    distance: Callable[[Tensor], Tensor], config: MeshingConfig, device: torch.device | None = None
) -> tuple[Float[Tensor, "N 3"], Tensor]:
    """Vertices and faces of where a signed distance is 0 in the unit ball; faces look to the positive side.

    Where the surface leaves the ball it is cut off, and left open.

    Raises:
        DataError: it is 0 nowhere, or not finite.
    """
    parts, faces, count = [], [], 0
    for corner in _blocks(distance, config, device):
        block = _block_mesh(distance, corner, config, device)
        if block is not None:
            parts.append(block[0])
            faces.append(block[1] + count)
            count += len(block[0])
    if not parts:
        raise DataError(
            "region of interest: expected a surface in it, got none",
            hint="see the pictures: a region too small or elsewhere (region bounds), or a training too short",
        )
    return _joined(np.concatenate(parts), np.concatenate(faces), config.cells)


def _blocks(
    distance: Callable[[Tensor], Tensor], config: MeshingConfig, device: torch.device | None
) -> Iterator[Tensor]:
    """Lowest corner, in cells, of each block that the surface may pass through."""
    stride = 2 * STRIDE / config.cells
    size = config.cells // STRIDE
    middles = (torch.arange(size, device=device) + 0.5) * stride - 1
    reach = STEEPEST * 3**0.5 / 2 * stride
    near = torch.zeros(size, size, size, dtype=torch.bool)
    for i, x in enumerate(middles):
        points = torch.cartesian_prod(x[None], middles, middles)
        within = points.norm(dim=1) < 1 + reach
        values = torch.ones(len(points), device=device)
        values[within] = torch.cat([distance(part) for part in points[within].split(config.chunk)] or [values[:0]])
        if not torch.isfinite(values).all():
            raise DataError("surface: expected finite distances, got some that are not: the training went wrong")
        near[i] = (values.abs() < reach).cpu().reshape(size, size)
    edge = BLOCK // STRIDE
    blocks = near.unfold(0, edge, edge).unfold(1, edge, edge).unfold(2, edge, edge).flatten(3).any(dim=3)
    yield from blocks.nonzero() * BLOCK


def _block_mesh(
    distance: Callable[[Tensor], Tensor], corner: Tensor, config: MeshingConfig, device: torch.device | None
) -> tuple[np.ndarray, np.ndarray] | None:
    """Vertices, in cells, and faces of one block with the corners of its cells on its far sides; None without any."""
    from skimage.measure import marching_cubes

    index = torch.cartesian_prod(*(torch.arange(BLOCK + 1) + first for first in corner.tolist()))
    points = index.to(device) * (2 / config.cells) - 1
    values = torch.cat([distance(part) for part in points.split(config.chunk)])
    volume = values.reshape(3 * (BLOCK + 1,)).float().cpu().numpy()
    inside = _cells_inside((points.norm(dim=1) <= 1).cpu().reshape(volume.shape))
    if not inside.any() or volume.min() > 0 or volume.max() < 0:
        return None
    try:
        # The mask wants the far corner of a cell. Faces look to where values rise: they are below 0 inside.
        vertices, faces, _, _ = marching_cubes(volume, 0.0, mask=inside.numpy(), gradient_direction="descent")
    except (ValueError, RuntimeError):  # values of both signs, but on no edge of a cell that counts
        return None
    return vertices.astype(np.float64) + corner.numpy(), faces.astype(np.int64)


def _cells_inside(corners: Bool[Tensor, "n n n"]) -> Bool[Tensor, "n n n"]:
    """Corners whose cell, the one before them along every axis, has all of its corners inside."""
    whole = corners.clone()
    for axis in range(3):
        before = whole.roll(1, dims=axis)
        before.select(axis, 0).fill_(False)
        whole &= before
    return whole


def _joined(vertices: np.ndarray, faces: np.ndarray, cells: int) -> tuple[Tensor, Tensor]:
    """Vertices that neighbouring blocks share made one; without the faces that this folds."""
    _, first, inverse = np.unique(
        np.round(vertices * 1e4).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    faces = inverse.reshape(-1)[faces]
    flat = (faces[:, 0] == faces[:, 1]) | (faces[:, 1] == faces[:, 2]) | (faces[:, 2] == faces[:, 0])
    units = vertices[first] * (2 / cells) - 1
    return torch.from_numpy(units).float(), torch.from_numpy(faces[~flat])


def _colour(field: SurfaceField, points: Float[Tensor, "N 3"]) -> Tensor:
    sample = field(points)
    inwards = -torch.nn.functional.normalize(sample.gradient, dim=1)
    return (field.colour(points, inwards, sample).clamp(0, 1) * 255).round().to(torch.uint8)
