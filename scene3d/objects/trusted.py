"""Which sparse points are to be believed: well seen, well placed, and not alone."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.structures.sparse import SparsePoints


class TrustConfig(Config):
    """What a point needs to be believed.

    Attributes:
        views: shots that saw it, at least.
        error: at most so many deviations above the mean reprojection error.
        tails: share of the points cut off at either end of each axis.
        neighbours: whose mean distance says how lonely a point is.
        lonely: at most so many deviations above the mean of that distance.

    The numbers are those of AutoRecon's published pre-processing, with 3 views instead of the scene's median.
    """

    views: int = Field(default=3, ge=2)
    error: float = Field(default=3.0, gt=0)
    tails: float = Field(default=0.001, ge=0, lt=0.5)
    neighbours: int = Field(default=30, ge=1)
    lonely: float = Field(default=0.5, gt=0)


def trusted_points(sparse: SparsePoints, config: TrustConfig) -> Bool[Tensor, "N"]:  # noqa: UP037
    """Which points are to be believed."""
    points, errors = sparse.points.double(), sparse.errors.double()
    sound = torch.isfinite(points).all(dim=1) & torch.isfinite(errors)
    if sound.sum() < 2:
        return torch.zeros(len(points), dtype=torch.bool)
    low, high = torch.from_numpy(np.quantile(points[sound].numpy(), [config.tails, 1 - config.tails], axis=0))
    usual = errors[sound].mean() + config.error * errors[sound].std()
    kept = sound & (sparse.track_start.diff() >= config.views) & (errors <= usual)
    kept &= ((points >= low) & (points <= high)).all(dim=1)
    near = kept.nonzero()[:, 0]
    kept[near[~sociable(points[near], config.neighbours, config.lonely)]] = False
    return kept


def spacing(points: Float[Tensor, "N 3"], neighbours: int) -> Float[Tensor, "N"]:  # noqa: UP037
    """Mean distance of each point to its nearest others, fewer where there are not so many; 0 for a single one."""
    from scipy.spatial import cKDTree

    if len(points) < 2:
        return points.new_zeros(len(points))
    distances, _ = cKDTree(points.numpy()).query(points.numpy(), min(neighbours, len(points) - 1) + 1)
    return torch.from_numpy(distances[:, 1:].mean(axis=1)).to(points)


def sociable(points: Float[Tensor, "N 3"], neighbours: int, deviations: float) -> Bool[Tensor, "N"]:  # noqa: UP037
    """Which points are not further from their neighbours than is usual in the cloud.

    Source: Rusu et al., "Towards 3D point cloud based object maps for household environments", 2008, section 4.1.
    """
    if len(points) < 3:
        return torch.ones(len(points), dtype=torch.bool)
    distance = spacing(points, neighbours)
    return distance <= distance.mean() + deviations * distance.std()


def largest_cluster(points: Float[Tensor, "N 3"], neighbours: int, deviations: float) -> Bool[Tensor, "N"]:  # noqa: UP037
    """The most points that hang together over steps no longer than is usual in the cloud.

    Args:
        points: any number.
        neighbours, deviations: a step may be as long as the mean distance of a point to so many neighbours, plus
            so many of its deviations.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    if len(points) < 3:
        return torch.ones(len(points), dtype=torch.bool)
    distance = spacing(points, neighbours)
    reach = float(distance.mean() + deviations * distance.std())
    pairs: Int[np.ndarray, "pairs 2"] = cKDTree(points.numpy()).query_pairs(reach, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(points),) * 2)
    _, part = connected_components(links, directed=False)
    return torch.from_numpy(part == np.bincount(part).argmax())
