"""The frame of a room: three directions at right angles that most of its normals agree with.

Popovic et al. (ICCV 2023) take the largest cluster of the normals and the two that are closest to right angles with it.
While a room is still rough, any two horizontal clusters are as square as its walls; here every square triple of
clusters is a candidate, and how many normals lie along it decides.
"""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.nn.clusters import spherical_kmeans

CANDIDATES = 200
"""Triples of clusters, the squarest ones, that are made square and looked at."""

REFINED = 8
"""Rounds in which the best of them is drawn to the normals that lie along it."""


@torch.no_grad()
def likeliest_frame(
    normals: Float[Tensor, "N 3"],
    clusters: int,
    rounds: int,
    width: float,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "3 3"]:
    """Axes of a room in rows, at right angles exactly; their order and signs mean nothing.

    Args:
        normals: of unit length, at least `clusters`.
        clusters, rounds: of the clustering.
        width: 1 - cos up to which a normal lies along an axis, either way.
        generator: draws the beginnings of the clusters.
    """
    centres = spherical_kmeans(normals, clusters, iterations=rounds, restarts=1, generator=generator)
    triples = torch.tensor(list(itertools.combinations(range(len(centres)), 3)), device=centres.device)
    found = centres[triples]
    cosines = (found @ found.mT).abs()
    skew = cosines[:, 0, 1] + cosines[:, 0, 2] + cosines[:, 1, 2]
    frames = _square(found[skew.argsort()[:CANDIDATES]])
    along = (normals @ frames.flatten(0, 1).mT).abs().unflatten(1, (-1, 3)).amax(dim=2) > 1 - width
    frame = frames[along.sum(dim=0).argmax()]
    for _ in range(REFINED):
        cosine = normals @ frame.mT
        own = (cosine.abs() == cosine.abs().amax(dim=1, keepdim=True)) & (cosine.abs() > 1 - width)
        frame = _square((own * cosine.sign()).to(normals).mT @ normals)
    return frame


def _square(rows: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """The nearest three directions at right angles."""
    left, _, right = torch.linalg.svd(rows)
    return left @ right
