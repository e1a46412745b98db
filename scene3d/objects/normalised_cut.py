"""Normalised cut: points fall into two parts that are alike within and unlike each other.

Source: Shi and Malik, "Normalized cuts and image segmentation", TPAMI 2000; on deep features: Wang et al., "TokenCut",
CVPR 2022, and Melas-Kyriazi et al., "Deep spectral methods", CVPR 2022; on sparse points: AutoRecon, CVPR 2023.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor

from scene3d.config import Config

_FLOOR = 1e-5
"""Affinity of what has none, so that the graph hangs together (TokenCut, section 3.2)."""


class CutConfig(Config):
    """How alike two points are, and where the cut may go.

    Attributes:
        power: of the cosine of their features; sharpens it.
        near: share of the affinity that nearness in space has; the features have the rest.
        reach: standard deviation of that nearness, in median distances of points to their middle.
        places: of the cut that are tried along the second eigenvector.
        smallest: share of the points that a part has at least.
        most: points of which the dense graph is made; the others go with their neighbours.
    """

    power: float = Field(default=3.0, gt=0)
    near: float = Field(default=0.2, ge=0, le=1)
    reach: float = Field(default=0.25, gt=0)
    places: int = Field(default=50, ge=1)
    smallest: float = Field(default=0.02, gt=0, lt=0.5)
    most: int = Field(default=3000, ge=8)


@dataclass(frozen=True)
class Cut:
    """Two parts of a set of points.

    Attributes:
        side: which part each point is in; neither is empty.
        value: cut over the association of either part, added, in [0, 2]; small where the parts are unlike.
    """

    side: Bool[Tensor, "N"]  # noqa: UP037
    value: float


def cut_points(
    points: Float[Tensor, "N 3"],
    features: Float[Tensor, "N C"],
    config: CutConfig,
    generator: torch.Generator | None = None,
) -> Cut:
    """The best cut of points by their features and places.

    Args:
        points: at least 4, in any unit.
        features: of any length; the mean direction, which says nothing, is taken off.
        config: see there.
        generator: draws the points of the graph where there are too many.

    Raises:
        ValueError: there are fewer than 4 points.
    """
    from scipy.spatial import cKDTree

    if len(points) < 4:
        raise ValueError(f"cut_points: expected at least 4 points, got {len(points)}")
    drawn = torch.arange(len(points))
    if len(points) > config.most:
        drawn = torch.randperm(len(points), generator=generator)[: config.most].sort().values
    cut = normalised_cut(affinity(points[drawn], features[drawn], config), config)
    if len(drawn) == len(points):
        return cut
    # Others take the side that most of the five nearest points of the graph are on.
    _, near = cKDTree(points[drawn].numpy()).query(points.numpy(), min(5, len(drawn)))
    side = cut.side[torch.from_numpy(near)].double().mean(dim=1) > 0.5
    side[drawn] = cut.side
    return Cut(side, cut.value)


def affinity(points: Float[Tensor, "N 3"], features: Float[Tensor, "N C"], config: CutConfig) -> Float[Tensor, "N N"]:
    """How much every two points belong together, in (0, 1]."""
    unit = torch.nn.functional.normalize(features.double(), dim=1)
    unit = torch.nn.functional.normalize(unit - unit.mean(dim=0), dim=1)
    alike = (unit @ unit.mT).clamp(min=0, max=1) ** config.power
    points = points.double()
    size = (points - points.median(dim=0).values).norm(dim=1).median().clamp(min=1e-12)
    near = torch.exp(-torch.cdist(points, points).square() / (2 * (config.reach * size) ** 2))
    return ((1 - config.near) * alike + config.near * near).clamp(min=_FLOOR)


def normalised_cut(weights: Float[Tensor, "N N"], config: CutConfig) -> Cut:
    """The cut of a graph along the second eigenvector of its normalised Laplacian.

    Args:
        weights: symmetric and above 0.
        config: how many places are tried, and how small a part may be.

    Source: Shi and Malik 2000, equations 2 and 11.
    """
    from scipy.sparse.linalg import eigsh

    degree = weights.sum(dim=1)
    scale = degree.rsqrt()
    normalised = scale[:, None] * weights * scale
    # The largest eigenvectors of D^-1/2 W D^-1/2 are the smallest of the Laplacian; the start fixes the result.
    start = torch.linspace(-1, 1, len(degree), dtype=torch.float64) + 1.1
    values, vectors = eigsh(normalised.numpy(), k=2, which="LA", v0=start.numpy())
    second = torch.from_numpy(vectors[:, values.argmin()]) * scale
    order = second.argsort(stable=True)
    fewest = max(1, round(config.smallest * len(order)))
    sizes = torch.linspace(fewest, len(order) - fewest, config.places).round().long().unique().tolist()
    total = degree.sum()
    best, chosen = float("inf"), sizes[0]
    for size in sizes:
        part = order[:size]
        within = weights[part][:, part].sum()
        association = degree[part].sum()
        cut = association - within
        value = float(cut / association + cut / (total - association))
        if value < best:
            best, chosen = value, size
    side = torch.ones(len(order), dtype=torch.bool)
    side[order[:chosen]] = False
    return Cut(side, best)
