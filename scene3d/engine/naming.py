"""Naming the clusters of an unsupervised method by example: somebody says what a few pixels show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.config.mistakes import nearest
from scene3d.engine.finishing import Clustering
from scene3d.engine.photographs import Picture
from scene3d.engine.predictor import Predictor
from scene3d.errors import UsageError
from scene3d.evaluation.segmentation import ClusterNames, name_by_example
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES

Place = tuple[float | int, float | int]

Clicks = Mapping[str, Sequence[Place]]
"""Places (x, y) in pixels of an image, under the name of the `CITYSCAPES` class that they show."""


@dataclass(frozen=True)
class Example:
    """An image of which somebody labelled a few pixels.

    Attributes:
        image: as for `Predictor.predict`.
        clicks: what is where; the centre of the first pixel is (0.5, 0.5).
        K: of the image, as for `Predictor.predict`.
    """

    image: Picture | Frames
    clicks: Clicks
    K: Any = None


def name_clusters(predictor: Predictor, examples: Sequence[Example]) -> ClusterNames:
    """Call each cluster of a predictor's method what the labelled pixels call it; see `name_by_example`.

    From then on the predictor's predictions have classes of pixels and of voxels by these names.

    Raises:
        UsageError: the method has no clusters, a name is no class, a place is outside of what the method sees of its
            image, or nothing was labelled.
    """
    method = predictor.method
    if not isinstance(method, Clustering):
        raise UsageError(f"{type(method).__name__}: expected a method with clusters, such as scene_semantics")
    clusters, classes = [], []
    for example in examples:
        frames, to_seen = _seen(predictor, example)
        found = method.clusters_of_pixels(frames.to(predictor.device))[0].cpu()
        for name, places in example.clicks.items():
            column, row = _pixels(name, places, to_seen, found)
            clusters.append(found[row, column])
            classes.append(torch.full((len(row),), _class_of(name)))
    if not clusters:
        raise UsageError("examples: expected at least one labelled pixel, got none")
    centres = torch.nn.functional.normalize(method.centres.float(), dim=-1)
    names = name_by_example(torch.cat(clusters), torch.cat(classes), centres @ centres.mT)
    method.name_clusters(torch.tensor(names.classes, device=method.centres.device))
    return names


def _seen(predictor: Predictor, example: Example) -> tuple[Frames, Float[Tensor, "3 3"]]:
    """What the network gets of an example, and the map from the example's pixels to its own."""
    if isinstance(example.image, Frames):
        return example.image, torch.eye(3)
    frames = predictor.frames(example.image, example.K)
    # Cut and resized, it looks the same way.
    return frames, frames.K[0, 0].cpu() @ torch.linalg.inv(predictor.camera_of(example.image, example.K).K.cpu())


def _pixels(
    name: str, places: Sequence[Place], to_seen: Float[Tensor, "3 3"], found: Int[Tensor, "H W"]
) -> tuple[Int[Tensor, "N"], Int[Tensor, "N"]]:  # noqa: UP037
    """Column and row of the network's pixel of each place."""
    points = torch.tensor(places, dtype=torch.float32).reshape(-1, 2)
    seen = torch.cat([points, torch.ones_like(points[:, :1])], dim=1) @ to_seen[:2].mT
    column, row = seen.floor().long().unbind(dim=-1)
    outside = (column < 0) | (column >= found.shape[1]) | (row < 0) | (row >= found.shape[0])
    if outside.any():
        place = tuple(places[int(outside.nonzero()[0])])
        raise UsageError(f"{name}: {place} is outside of what the method sees of its image")
    return column, row


def _class_of(name: str) -> int:
    if name not in CITYSCAPES.classes:
        raise UsageError(f"{name}: expected a class of {CITYSCAPES.name}{nearest(name, list(CITYSCAPES.classes))}")
    return CITYSCAPES.index(name)
