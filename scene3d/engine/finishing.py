"""After the last step: what is chosen by looking at data rather than learnt by gradient."""

from __future__ import annotations

import logging
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from scene3d.engine.fitting import SomeFrames, fit, spread
from scene3d.engine.rules import OURS, EvaluateConfig, Rules
from scene3d.evaluation.completion import RANGES
from scene3d.evaluation.segmentation import label_confusion, name_clusters
from scene3d.evaluation.uncertainty import GAUSSIAN, errors_in_deviations
from scene3d.geometry.occupancy import OccupancyCalibration
from scene3d.geometry.voxels import SSCBENCH
from scene3d.methods import Method
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES
from scene3d.structures.prediction import DepthPrediction

log = logging.getLogger(__name__)

PIXELS = 1000
"""Of an image that a deviation is calibrated on."""

CLUSTER_FRAMES = 100
"""Frames whose features are clustered, and at most as many whose labels name the clusters."""


@runtime_checkable
class Clustering(Protocol):
    """A method whose classes are clusters that want finding, and then names."""

    centres: Tensor

    def fit_clusters(self, batches: list[Frames]) -> None:
        """Find the clusters, without labels."""
        ...

    def clusters_of_pixels(self, frames: Frames) -> Int[Tensor, "B H W"]:
        """Cluster of each pixel of view 0."""
        ...

    def name_clusters(self, classes: Int[Tensor, "K"]) -> None:  # noqa: UP037
        """Say which class of images each cluster is."""
        ...


@runtime_checkable
class Calibrated(Protocol):
    """A method that keeps how probably a cell of each density is occupied."""

    def calibrate(self, calibration: OccupancyCalibration) -> None:
        """Keep it with the weights."""
        ...


def choose_threshold(
    method: Method, data: SomeFrames, config: EvaluateConfig, device: torch.device | str
) -> float | None:
    """Set the method's density threshold to that of the best IoU on training data, over the middle range.

    A field is thinner where an image says less, so the best threshold falls with the range: that of the smallest
    leaves the far half of the street empty, that of the largest fills all that is hidden nearby. Besides, a method that
    keeps a calibration of its density is given one.

    Args:
        method: one that keeps a `threshold` tensor; others are left alone.
        data: training data; None is chosen where it has no voxels.
        config: rules of the evaluation, and on how many frames.
        device: of the method.
    """
    kept = getattr(method, "threshold", None)
    if not isinstance(kept, Tensor) or data[0].voxels is None:
        return None
    with torch.no_grad():
        fitted = fit(method, data, Rules(config, SSCBENCH), device, None)
    if OURS not in fitted.thresholds:
        return None
    chosen = fitted.thresholds[OURS]["solid", sorted(config.ranges)[len(config.ranges) // 2]]
    kept.fill_(chosen)
    log.info("density threshold %.3g, chosen on training data", chosen)
    if isinstance(method, Calibrated) and fitted.calibration is not None and config.ranges == RANGES:
        method.calibrate(fitted.calibration)
    return chosen


def find_and_name_clusters(
    method: Method, train: SomeFrames, val: SomeFrames | None, device: torch.device | str
) -> None:
    """Find clusters on training data without its labels, and name them by the labels of validation data.

    Args:
        method: one that clusters; others are left alone.
        train: what the clusters are found in.
        val: what they are named on; without labels they stay nameless.
        device: of the method.
    """
    if not isinstance(method, Clustering):
        return
    chosen = [train[index].to(device) for index in spread(len(train), CLUSTER_FRAMES)]
    method.fit_clusters(chosen)
    if val is None:
        log.warning("no validation data: the clusters have no names")
        return
    confusion = torch.zeros(len(CITYSCAPES), len(method.centres), dtype=torch.int64)
    for index in spread(len(val), CLUSTER_FRAMES):
        frames = val[index].to(device)
        if frames.labels is not None:
            clusters = method.clusters_of_pixels(frames).cpu()
            truth = frames.labels[:, 0].cpu()
            confusion += label_confusion(clusters, truth, len(CITYSCAPES), len(method.centres)).cpu()
    if int(confusion.sum()) == 0:
        log.warning("validation data without labels: the clusters have no names")
        return
    named = name_clusters(confusion, "val").classes
    method.name_clusters(torch.as_tensor(named, device=method.centres.device))


def calibrate_deviation(method: Method, val: SomeFrames | None, device: torch.device | str) -> float | None:
    """Set the factor on a method's predicted deviation so that as many errors lie within it as a Gaussian's do.

    Args:
        method: one that keeps a `spread` tensor; others are left alone.
        val: validation data; None is chosen where it has no depth.
        device: of the method.
    """
    kept = getattr(method, "spread", None)
    if not isinstance(kept, Tensor) or val is None:
        return None
    kept.fill_(1)
    errors = []
    for index in spread(len(val), CLUSTER_FRAMES):
        frames = val[index].to(device)
        prediction = method.predict(frames)
        if frames.depth is None or not isinstance(prediction, DepthPrediction) or prediction.deviation is None:
            return None
        true, answer = frames.depth[0, 0], (prediction.depth[0], prediction.deviation[0])
        scaled = not prediction.is_metric
        # A thousand pixels of an image say as much as all of it, and keep the sample small.
        some = errors_in_deviations(*answer, true, true > 0, median_scaling=scaled)
        errors.append(some[:: max(some.numel() // PIXELS, 1)])
    found = torch.cat(errors) if errors else torch.zeros(0)
    if found.numel() == 0:
        return None
    kept.fill_(found.float().quantile(GAUSSIAN[0]))
    log.info("deviations times %.3g, chosen on validation data", float(kept))
    return float(kept)
