"""How near a surface is to the true one: Chamfer distance, precision, recall and F-score, by nearest neighbours.

Surfaces are compared as points. Where a protocol says so, a mesh is sampled, and both are thinned to one spacing: then
neither is judged by where its vertices happen to crowd. Distances are in the unit of the points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.errors import UsageError
from scene3d.structures.observed import ObservedVolume
from scene3d.structures.solids import Mesh, PointCloud

if TYPE_CHECKING:
    from scipy.spatial import cKDTree


@dataclass(frozen=True, kw_only=True)
class SurfaceProtocol:
    """What is counted, and how far it counts.

    Attributes:
        name: printed with every figure.
        spacing: points are thinned until none is nearer to another than this; meshes are sampled for it. None takes
            point clouds and vertices as they are.
        cap: distances of this or more are outliers, and left out of the means; None leaves out none.
        seed: of the order in which points are thinned.
    """

    name: str
    spacing: float | None = None
    cap: float | None = None
    seed: int = 0


PLAIN = SurfaceProtocol(name="plain")

DTU = SurfaceProtocol(name="DTU", spacing=0.2, cap=20.0)
"""Millimetres; points outside of the scan's `ObservedVolume`, and true ones below its table, do not count.

Source: Jensen et al., "Large scale multi-view stereopsis evaluation", CVPR 2014, and the limits of its released code.
"""


@dataclass(frozen=True, kw_only=True)
class SurfaceScores:
    """Figures of one surface.

    Attributes:
        accuracy: mean distance of its points from the true surface.
        completeness: mean distance of true points from it.
        chamfer: the mean of the two, as DTU's tables have it.
        precision: share of its points nearer than the threshold.
        recall: share of true points nearer than the threshold.
        f_score: harmonic mean of the two.
        threshold: as it was given.
        points: how many points of each side counted.
    """

    accuracy: float
    completeness: float
    chamfer: float
    precision: float
    recall: float
    f_score: float
    threshold: float
    points: tuple[int, int]


def score_surface(
    predicted: Mesh | PointCloud,
    true: Mesh | PointCloud,
    *,
    threshold: float,
    protocol: SurfaceProtocol = PLAIN,
    observed: ObservedVolume | None = None,
) -> SurfaceScores:
    """Compare a surface with the true one, both in the same world.

    Outliers beyond the protocol's cap are left out of the means, and count as far in precision and recall.

    Raises:
        UsageError: one of them has no point, or none that counts, or one that is not finite.

    Source: Knapitsch et al., "Tanks and temples", TOG 2017, for precision, recall and F-score.
    """
    sides = {"predicted": surface_points(predicted, protocol), "true": surface_points(true, protocol)}
    for side, points in sides.items():
        if len(points) == 0 or not torch.isfinite(points).all():
            got = "none" if len(points) == 0 else "one that is not finite"
            raise UsageError(f"{side} surface: expected finite points, got {got}")
    predicted_points, true_points = sides.values()
    judged, wanted = predicted_points, true_points
    if observed is not None:
        judged, wanted = judged[observed.judges(judged)], wanted[observed.wants(wanted)]
    if len(judged) == 0 or len(wanted) == 0:
        side = "predicted" if len(judged) == 0 else "true"
        raise UsageError(f"{side} surface: expected points in the observed volume, got none of {len(sides[side])}")
    to_true = nearest_distance(judged, true_points)
    # What is not judged is still there: it may complete the truth at the edge of the volume.
    to_predicted = nearest_distance(wanted, predicted_points)
    accuracy, completeness = (_capped_mean(distance, protocol.cap) for distance in (to_true, to_predicted))
    precision, recall = ((distance < threshold).double().mean().item() for distance in (to_true, to_predicted))
    return SurfaceScores(
        accuracy=accuracy,
        completeness=completeness,
        chamfer=(accuracy + completeness) / 2,
        precision=precision,
        recall=recall,
        f_score=f_score(precision, recall),
        threshold=threshold,
        points=(len(judged), len(wanted)),
    )


def f_score(precision: float, recall: float) -> float:
    """Harmonic mean of the two; 0 where both are."""
    return 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def nearest_distance(points: Float[Tensor, "N 3"], surface: Float[Tensor, "M 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
    """Distance of each point from the nearest of at least one other, float64, by a kd-tree on the CPU."""
    distance, _ = _tree(surface).query(points.detach().cpu().double().numpy())
    return torch.from_numpy(distance)


def surface_points(surface: Mesh | PointCloud, protocol: SurfaceProtocol = PLAIN) -> Float[Tensor, "N 3"]:
    """What a surface is compared by, float64: points of a cloud, or of a mesh, at the protocol's spacing.

    A mesh without a spacing is known by its vertices, as older evaluations have it.
    """
    points = surface.vertices if isinstance(surface, Mesh) else surface.points
    points = points.detach().cpu().double()
    if protocol.spacing is None or not torch.isfinite(points).all():
        return points
    if isinstance(surface, Mesh):
        points = torch.cat([points, sample_mesh(surface, protocol.spacing, protocol.seed)])
    return thin(points, protocol.spacing, protocol.seed)


def sample_mesh(mesh: Mesh, spacing: float, seed: int = 0) -> Float[Tensor, "N 3"]:
    """Random points of a mesh, uniform by area, float64: four for each square of the spacing.

    A disc of the spacing's radius on it then holds 4 pi of them, and none only once in 300,000.
    """
    corners = mesh.vertices.detach().cpu().double()[mesh.faces.cpu()]
    one, two = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = torch.linalg.cross(one, two).norm(dim=1) / 2
    count = int((4 * area.sum() / spacing**2).ceil())
    random = np.random.default_rng(seed)
    # Places along the total area, in even steps with one random shift each, find each face by its share.
    places = (torch.arange(count) + torch.from_numpy(random.random(count))) * area.sum() / max(count, 1)
    face = torch.searchsorted(area.cumsum(dim=0), places.double()).clamp(max=max(len(area) - 1, 0))
    u, v = torch.from_numpy(random.random((2, count, 1)))
    beyond = u + v > 1
    u, v = torch.where(beyond, 1 - u, u), torch.where(beyond, 1 - v, v)
    return corners[face, 0] + u * one[face] + v * two[face]


def thin(points: Float[Tensor, "N 3"], spacing: float, seed: int = 0) -> Float[Tensor, "M 3"]:
    """Points of which none is nearer to another than the spacing, and near one of which every point lay.

    Points are taken in a random order, and one that is too near to an earlier one is dropped: what a loop over them
    would do, done in rounds, each of which takes all points that come before all of their neighbours.
    """
    number = len(points)
    rank = np.random.default_rng(seed).permutation(number)
    # The tree finds pairs up to a distance, and the spacing itself is far enough.
    near = np.nextafter(spacing, 0)
    pairs = _tree(points).query_pairs(near, output_type="ndarray")
    kept = np.ones(number, dtype=bool)
    while len(pairs):
        # Lowest rank among the neighbours that are still open.
        lowest = np.full(number, number)
        np.minimum.at(lowest, pairs[:, 0], rank[pairs[:, 1]])
        np.minimum.at(lowest, pairs[:, 1], rank[pairs[:, 0]])
        first = rank < lowest
        first[lowest == number] = False
        dropped = np.zeros(number, dtype=bool)
        dropped[pairs[first[pairs[:, 0]], 1]] = True
        dropped[pairs[first[pairs[:, 1]], 0]] = True
        kept &= ~dropped
        settled = dropped | first
        pairs = pairs[~settled[pairs].any(axis=1)]
    return points[torch.from_numpy(kept).to(points.device)]


def _tree(points: Float[Tensor, "N 3"]) -> cKDTree:
    from scipy.spatial import cKDTree

    return cKDTree(points.detach().cpu().double().numpy())


def _capped_mean(distance: Float[Tensor, "N"], cap: float | None) -> float:  # noqa: UP037
    """Mean of the distances below the cap; NaN where all are outliers."""
    counted = distance if cap is None else distance[distance < cap]
    return counted.mean().item()
