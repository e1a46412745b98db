"""Before the first step and after the last: what is chosen by looking at data rather than learnt by gradient."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from scene3d.engine.fitting import Fitted, SomeFrames, fit, spread
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
class Prepared(Protocol):
    """A method that measures something in data before it learns."""

    def prepare(self, batches: Iterable[Frames]) -> None:
        """Measure it, without labels."""
        ...


@runtime_checkable
class Calibrated(Protocol):
    """A method that keeps how probably a cell of each density is occupied."""

    def calibrate(self, calibration: OccupancyCalibration) -> None:
        """Keep it with the weights."""
        ...


def prepare(method: Method, train: SomeFrames, device: torch.device | str) -> None:
    """Before the first step: let a method measure in training data what it starts from; others are left alone."""
    if isinstance(method, Prepared):
        method.prepare(train[index].to(device) for index in spread(len(train), CLUSTER_FRAMES))


def choose_threshold(
    method: Method, data: SomeFrames, config: EvaluateConfig, device: torch.device | str
) -> float | None:
    """Set the method's density threshold to that of the best IoU on training data, over the middle range.

    A field is thinner where an image says less, so the best threshold falls with the range: that of the smallest
    leaves the far half of the street empty, that of the largest fills all that is hidden nearby. Besides, a method that
    keeps a calibration of its density is given one; see `find_calibration`.

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
    _calibrate(method, fitted, config)
    return chosen


def find_calibration(
    method: Method, data: SomeFrames, config: EvaluateConfig, device: torch.device | str
) -> OccupancyCalibration | None:
    """Tell a method how often cells of each of its densities are occupied in training data.

    Args:
        method: one that keeps a calibration; others are left alone.
        data: training data; None is found where it has no voxels.
        config: as for `choose_threshold`; with other than the usual ranges None is found.
        device: of the method.
    """
    if not isinstance(method, Calibrated) or data[0].voxels is None:
        return None
    with torch.no_grad():
        return _calibrate(method, fit(method, data, Rules(config, SSCBENCH), device, None), config)


def _calibrate(method: Method, fitted: Fitted, config: EvaluateConfig) -> OccupancyCalibration | None:
    if not isinstance(method, Calibrated) or fitted.calibration is None or config.ranges != RANGES:
        return None
    method.calibrate(fitted.calibration)
    return fitted.calibration


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
    names = name_groups(method.clusters_of_pixels, len(method.centres), val, device)
    if names is None:
        log.warning("validation data without labels: the clusters have no names")
        return
    method.name_clusters(names.to(method.centres.device))


def name_groups(
    groups_of_pixels: Callable[[Frames], Int[Tensor, "B H W"]],
    count: int,
    val: SomeFrames,
    device: torch.device | str,
) -> Int[Tensor, "K"] | None:  # noqa: UP037
    """The class of each group of pixels by the labels of validation frames; None where there are none.

    Args:
        groups_of_pixels: of view 0.
        count: how many groups there are.
        val: of these, at most `CLUSTER_FRAMES` are looked at.
        device: where frames go.
    """
    confusion = torch.zeros(len(CITYSCAPES), count, dtype=torch.int64)
    for index in spread(len(val), CLUSTER_FRAMES):
        frames = val[index].to(device)
        if frames.labels is not None:
            groups, truth = groups_of_pixels(frames).cpu(), frames.labels[:, 0].cpu()
            confusion += label_confusion(groups, truth, len(CITYSCAPES), count)
    if int(confusion.sum()) == 0:
        return None
    return torch.tensor(name_clusters(confusion, "val").classes)


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
