"""The frames of a drive -> one coloured point cloud, thinned to one point a cell as it grows."""

from __future__ import annotations

import logging

import torch
from jaxtyping import Float, Int
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.geometry.depth import depth_to_points
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import cell_keys
from scene3d.structures.drive import DriveStep
from scene3d.structures.solids import PointCloud

log = logging.getLogger(__name__)


class CloudConfig(Config):
    """How dense a cloud is.

    Attributes:
        cell: edge of the cells that keep one point each, in the unit of the depth.
        most: points at most; where there are more, cells are made twice as large.
    """

    cell: float = Field(default=0.08, gt=0)
    most: int = Field(default=2_000_000, ge=8)


class CloudFusion:
    """A cloud that grows frame by frame: each cell holds the mean place and colour of all points that fell into it.

    Memory is bounded by `config.most` cells of 64 bytes, and the points of one frame.

    Args:
        config: how dense.
    """

    def __init__(self, config: CloudConfig = CloudConfig()) -> None:  # noqa: B008  (frozen)
        self.config, self.cell = config, config.cell
        self._keys: Int[Tensor, "N"] = torch.zeros(0, dtype=torch.int64)  # noqa: UP037
        self._sums: Float[Tensor, "N 7"] = torch.zeros(0, 7, dtype=torch.float64)  # x y z r g b count

    def add(self, step: DriveStep) -> None:
        """Add the pixels of a frame whose depth is above 0; a frame without a place adds nothing."""
        if step.cam_to_world is None:
            return
        said = step.prediction
        known = said.depth[0] > 0
        points = transform(step.cam_to_world, depth_to_points(said.depth[0], said.K[0])[known].double())
        colours = step.image.permute(1, 2, 0)[known].double()
        rows = torch.cat([points, colours, torch.ones_like(points[:, :1])], dim=1)
        # Points of a frame first, which are many in few cells; then those few beside what there is.
        keys, sums = _gathered(cell_keys(points, self.cell), rows)
        self._keys, self._sums = _gathered(torch.cat([self._keys, keys]), torch.cat([self._sums, sums]))
        while len(self._keys) > self.config.most:
            self.cell *= 2
            log.warning(
                "%s: more than %d points; from here on one a cell of %g", step.name, self.config.most, self.cell
            )
            means = self._sums[:, :3] / self._sums[:, 6:]
            self._keys, self._sums = _gathered(cell_keys(means, self.cell), self._sums)

    def cloud(self) -> PointCloud:
        """What has been fused so far, in the world of the drive."""
        means = self._sums[:, :6] / self._sums[:, 6:]
        colours = (means[:, 3:] * 255).round().clamp(0, 255).to(torch.uint8)
        return PointCloud(points=means[:, :3].float(), colours=colours)


def _gathered(
    keys: Int[Tensor, "N"],  # noqa: UP037
    rows: Float[Tensor, "N 7"],
) -> tuple[Int[Tensor, "M"], Float[Tensor, "M 7"]]:  # noqa: UP037
    """Each key once, in order, with the sum of its rows."""
    unique, place = torch.unique(keys, return_inverse=True)
    return unique, rows.new_zeros(len(unique), 7).index_add_(0, place, rows)
