"""What an evaluation learns from training data: the baselines, and everybody's thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.engine.rules import OURS, Rules
from scene3d.evaluation.baselines import (
    DEPTH_SHELL,
    MajorityLabels,
    MedianDepth,
    TrainingGrids,
    shell_thicknesses,
)
from scene3d.evaluation.calibration import DensityCounts
from scene3d.evaluation.completion import REGIONS, best_threshold, score_histogram, thresholds_reached
from scene3d.geometry.occupancy import OccupancyCalibration, density_steps
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES
from scene3d.structures.prediction import CompletionPrediction, Prediction

Progress = Callable[[str, int, int], None]


@runtime_checkable
class Predicts(Protocol):
    """What the evaluator asks of a method."""

    def predict(self, frames: Frames) -> Prediction:
        """What the method says of view 0."""
        ...


@runtime_checkable
class SomeFrames(Protocol):
    """What the evaluator asks of data: numbered snippets, `Frames` of one."""

    def __len__(self) -> int: ...  # noqa: D105

    def __getitem__(self, index: int) -> Frames: ...  # noqa: D105


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What was learned from the training data.

    Attributes:
        thresholds: of each competitor, for each region and range.
        grids: score grid of each baseline that needs no image.
        majority: class of each cell; None without voxels.
        depth: median training depth image; None without depth.
        labels: majority label image; None without labels.
        calibration: of the method's density, before it grows; None without voxels.
    """

    thresholds: Mapping[str, Mapping[tuple[str, float], float]]
    grids: Mapping[str, Float[Tensor, "X Y Z"]]
    majority: Int[Tensor, "X Y Z"] | None = None
    depth: Float[Tensor, "H W"] | None = None
    labels: Int[Tensor, "H W"] | None = None
    calibration: OccupancyCalibration | None = None


NOTHING_FITTED = Fitted(thresholds={}, grids={})


def fit(
    method: Predicts, data: SomeFrames, rules: Rules, device: torch.device | str, progress: Progress | None
) -> Fitted:
    """Baselines and thresholds of some training data; one frame is in memory at a time.

    All chosen frames make the baselines; the method predicts some of them for the thresholds of its
    density and of its unprojected depth.
    """
    chosen = spread(len(data), rules.config.baseline_frames)
    predicted = set(spread(len(chosen), rules.config.fit_frames))
    sums = _Sums(rules)
    for done, index in enumerate(chosen):
        frames = data[index].to(device)
        sums.add_images(frames)
        if frames.voxels is not None:
            truth, regions = rules.truth(frames), rules.regions(frames)
            sums.add_cells(truth, regions)
            prediction = method.predict(frames) if done in predicted else None
            if isinstance(prediction, CompletionPrediction):
                sums.add_scores(rules.scores(prediction, frames), truth, regions)
                sums.add_density(prediction.density[0], truth, regions["solid"])
        tell(progress, "fitting baselines and thresholds", done + 1, len(chosen))
    return sums.fitted()


class _Sums:
    """Sums over training frames."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._grids = TrainingGrids(rules.frame.shape, len(rules.protocol.space))
        self._depth: MedianDepth | None = None
        self._labels: MajorityLabels | None = None
        self._candidates = {OURS: density_steps(), DEPTH_SHELL: shell_thicknesses(rules.frame)}
        self._histograms: dict[tuple[str, str, float], Tensor] = {}
        self._density: DensityCounts | None = None

    def add_images(self, frames: Frames) -> None:
        """Remember the depth and the labels of one frame."""
        size = (frames.image.shape[-2], frames.image.shape[-1])
        if frames.depth is not None:
            self._depth = self._depth or MedianDepth(size)
            self._depth.add(frames.depth[0, 0])
        if frames.labels is not None:
            self._labels = self._labels or MajorityLabels(size, len(CITYSCAPES))
            self._labels.add(frames.labels[0, 0])

    def add_cells(self, truth: Tensor, regions: Mapping[str, Tensor]) -> None:
        """Count the cells of one frame."""
        self._grids.add(truth, regions)

    def add_scores(self, scores: Mapping[str, Tensor], truth: Tensor, regions: Mapping[str, Tensor]) -> None:
        """Count how the scores of one prediction lie over occupied and empty cells."""
        occupied = truth != 0
        for name, score in scores.items():
            candidates = self._candidates[name].to(score)
            reached = thresholds_reached(score, candidates)
            for region, extent, box in self._columns():
                known, full = regions[region][box], occupied[box]
                counts = score_histogram(reached[box], len(candidates), full & known, ~full & known).cpu()
                before = self._histograms.get((name, region, extent), torch.zeros_like(counts))
                self._histograms[name, region, extent] = before + counts

    def add_density(self, density: Tensor, truth: Tensor, known: Tensor) -> None:
        """Count how often cells of each density were occupied."""
        self._density = self._density or DensityCounts(self._rules.frame, self._rules.rings)
        self._density.add(density, truth != 0, known)

    def fitted(self) -> Fitted:
        """Everything, with the threshold of the best IoU for each competitor, region and range."""
        thresholds: dict[str, dict[tuple[str, float], float]] = {}
        for (name, region, extent), histogram in self._histograms.items():
            best = best_threshold(histogram, self._candidates[name])
            thresholds.setdefault(name, {})[region, extent] = best
        grids = self._grids.scores() if self._grids.frames else {}
        for name, (score, candidates) in grids.items():
            reached = thresholds_reached(score, candidates)
            for region, extent, box in self._columns():
                occupied, empty = self._grids.counts(region)
                histogram = score_histogram(reached[box], len(candidates), occupied[box], empty[box])
                thresholds.setdefault(name, {})[region, extent] = best_threshold(histogram, candidates)
        return Fitted(
            thresholds=thresholds,
            grids={name: score for name, (score, _) in grids.items()},
            majority=self._grids.majority() if grids else None,
            depth=self._depth.image() if self._depth else None,
            labels=self._labels.image() if self._labels else None,
            calibration=self._density.calibration() if self._density else None,
        )

    def _columns(self) -> list[tuple[str, float, tuple[slice, slice, slice]]]:
        return [(region, extent, box) for region in REGIONS for extent, box in self._rules.crops.items()]


def spread(available: int, wanted: int | None) -> list[int]:
    """At most `wanted` of the indices 0, 1, ..., evenly spread."""
    if wanted is None or wanted >= available:
        return list(range(available))
    return [(2 * i + 1) * available // (2 * wanted) for i in range(wanted)]


def tell(progress: Progress | None, stage: str, done: int, total: int) -> None:
    """Call the progress callback, if there is one."""
    if progress is not None:
        progress(stage, done, total)
