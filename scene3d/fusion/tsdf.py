"""The depth images of a drive -> a truncated signed distance field -> one coloured mesh, with Open3D.

Source: Curless and Levoy, "A volumetric method for building complex models from range images", SIGGRAPH 1996.
"""

from __future__ import annotations

import logging
from math import ceil
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.errors import Scene3dError
from scene3d.geometry.depth import depth_to_points
from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import cell_keys, cells_of
from scene3d.structures.drive import DriveStep
from scene3d.structures.solids import Mesh
from scene3d.visualise.viewer import import_open3d

log = logging.getLogger(__name__)

_BLOCK = 16  # voxels along the edge of a block, the unit in which memory is taken
_BYTES = _BLOCK**3 * 4 * (1 + 1 + 3)


class TsdfConfig(Config):
    """How fine a mesh is, and how much it takes to be in it.

    Attributes:
        voxel: edge of a voxel, in the unit of the depth.
        truncation: the field reaches this many voxels to either side of a surface. The rows of an image lie far
            apart on a road, so that a thin field has gaps between them.
        views: a surface must have been seen in at least so many frames.
        smallest: parts of the mesh with fewer triangles than this are left out.
        most: blocks of 16 x 16 x 16 voxels at most, 80 KiB each; frames that would need more are left out.
    """

    voxel: float = Field(default=0.1, gt=0)
    truncation: float = Field(default=8.0, gt=1)
    views: int = Field(default=2, ge=1)
    smallest: int = Field(default=60, ge=0)
    most: int = Field(default=20_000, gt=0)


class TsdfFusion:
    """A signed distance field that grows frame by frame.

    Open3D's `VoxelBlockGrid` gives a voxel the pixel that it falls into, column ``int(x)``, and so takes pixel
    centres to lie at +0.5 as we do: K goes in as it is.

    Args:
        config: how fine.

    Raises:
        MissingExtraError: Open3D is not there.
    """

    def __init__(self, config: TsdfConfig = TsdfConfig()) -> None:  # noqa: B008  (frozen)
        self.config = config
        self.full = False
        self._o3d: Any = import_open3d()
        core = self._o3d.core
        self._grid = self._o3d.t.geometry.VoxelBlockGrid(
            ("tsdf", "weight", "color"),
            (core.float32, core.float32, core.float32),
            ((1), (1), (3)),
            config.voxel,
            _BLOCK,
            min(config.most, 2_000),
            core.Device("CPU:0"),
        )

    def add(self, step: DriveStep) -> None:
        """Add the pixels of a frame whose depth is above 0; a frame without a place adds nothing."""
        said = step.prediction
        if step.cam_to_world is None or self.full or not bool((said.depth > 0).any()):
            return
        core, image = self._o3d.core, self._o3d.t.geometry.Image
        farthest = float(said.depth.max()) * 1.01
        depth = image(core.Tensor(said.depth[0].float().contiguous().numpy()))
        colour = image(core.Tensor(step.image.permute(1, 2, 0).float().contiguous().numpy()))
        K = core.Tensor(said.K[0].double().numpy())
        world_to_cam = core.Tensor(invert(step.cam_to_world).double().numpy())
        blocks = core.Tensor(self._blocks(step).numpy())
        if self._grid.hashmap().size() + len(blocks) > self.config.most:
            self.full = self._grid.hashmap().size() + self._new(blocks) > self.config.most
        if self.full:
            log.warning(
                "%s: the mesh ends before this frame: it would take more than %d MB (hint: larger voxels)",
                step.name,
                self.config.most * _BYTES // 2**20,
            )
            return
        self._grid.integrate(blocks, depth, colour, K, K, world_to_cam, 1.0, farthest, self.config.truncation)

    def mesh(self) -> Mesh:
        """The surface so far, in the world of the drive.

        Raises:
            Scene3dError: there is none.
        """
        if self._grid.hashmap().size() == 0:
            raise _nothing("no pixel of any frame was believed and placed")
        # A surface is kept where the weight is above the threshold; each frame adds 1.
        made = self._grid.extract_triangle_mesh(self.config.views - 0.5)
        if "positions" not in made.vertex or len(made.vertex.positions) == 0:
            raise _nothing(f"no surface was seen in {self.config.views} frames")
        faces = made.triangle.indices.numpy().astype(np.int64)
        kept = _large_parts(faces, len(made.vertex.positions), self.config.smallest)
        if not kept.any():
            raise _nothing(f"no part of it has {self.config.smallest} triangles")
        used, faces = np.unique(faces[kept], return_inverse=True)
        colours = (made.vertex.colors.numpy()[used] * 255).round().clip(0, 255).astype(np.uint8)
        return Mesh(
            vertices=torch.from_numpy(made.vertex.positions.numpy()[used]),
            faces=torch.from_numpy(faces.reshape(-1, 3).astype(np.int64)),
            colours=torch.from_numpy(colours),
        )

    def _blocks(self, step: DriveStep) -> Int[Tensor, "N 3"]:
        """The blocks that the field around the surfaces of a frame lies in.

        Open3D's own search looks at every fourth row and column only, and would miss poles.
        """
        assert step.cam_to_world is not None
        said, config = step.prediction, self.config
        depth = said.depth[0]
        known = depth > 0
        rays = depth_to_points(torch.ones_like(depth), said.K[0])[known]
        # Along the ray to both ends of the field, in steps of a quarter of a block.
        steps = ceil(config.truncation / (_BLOCK / 4))
        along = torch.linspace(-1, 1, 2 * steps + 1) * config.truncation * config.voxel
        points = rays[:, None] * (depth[known][:, None] + along).clamp(min=0)[..., None]
        world = transform(step.cam_to_world, points.reshape(-1, 3).double())
        return cells_of(torch.unique(cell_keys(world, _BLOCK * config.voxel))).int()

    def _new(self, blocks: Any) -> int:
        """How many of these blocks are not there yet."""
        _, found = self._grid.hashmap().find(blocks)
        return int((~found.numpy()).sum())


def _large_parts(faces: np.ndarray, vertices: int, smallest: int) -> np.ndarray:
    """Which triangles belong to a connected part of at least so many."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    edges = np.concatenate([faces[:, :2], faces[:, 1:]])
    joined = coo_matrix((np.ones(len(edges), np.int8), (edges[:, 0], edges[:, 1])), (vertices, vertices))
    part = connected_components(joined, directed=False)[1][faces[:, 0]]
    return np.bincount(part)[part] >= smallest


def _nothing(why: str) -> Scene3dError:
    return Scene3dError(
        f"mesh: expected a surface, got none: {why}",
        hint="more frames, a larger voxel, or a weaker demand on confidence and agreement",
    )
