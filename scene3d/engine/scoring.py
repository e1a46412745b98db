"""Sums over the frames of an evaluation, and the tables that they become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from scene3d.engine.fitting import Fitted
from scene3d.engine.rules import OURS, Rules
from scene3d.evaluation import completion, tables
from scene3d.evaluation.baselines import MEAN_GRID
from scene3d.evaluation.completion import REGIONS, Counts
from scene3d.evaluation.depth import DepthMetrics, depth_metrics, resize_depth
from scene3d.evaluation.published import published_depth
from scene3d.evaluation.segmentation import label_confusion
from scene3d.evaluation.uncertainty import errors_in_deviations
from scene3d.evaluation.views import ViewScores, score_view
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES, SSC
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction, Prediction, SurfacePrediction
from scene3d.structures.tables import Table

OURS_STORED = "ours, threshold of the weights"
OURS_SCALED = "ours, median scaled"
SINGLE = "single frame"
SINGLE_SCALED = "single frame, median scaled"
MEDIAN_DEPTH = "median training depth image"
SOLID = 0.5
"""Opacity from which a pixel belongs to a silhouette."""

MAJORITY_LABELS = "majority training label image"


class Scorer:
    """Adds frame after frame; `tables` lays out what came together.

    Args:
        rules: what counts.
        fitted: baselines and thresholds.
        data: kind of the data set, where all of its published test images are scored; see `published_depth`.
    """

    def __init__(self, rules: Rules, fitted: Fitted, data: str | None = None) -> None:
        self.rules, self.fitted, self.data = rules, fitted, data
        self._depth: dict[str, list[DepthMetrics]] = defaultdict(list)
        self._counts: dict[str, dict[tuple[str, float], Counts]] = defaultdict(lambda: defaultdict(Counts))
        self._classes: dict[str, dict[float, Tensor]] = defaultdict(dict)
        self._labels: dict[str, Tensor] = {}
        self._inside: list[tuple[float, float]] = []
        self._views: list[ViewScores] = []
        self._alone = False

    def score(self, prediction: Prediction, frames: Frames, depth: Tensor | None = None) -> None:
        """Add what one frame says; `depth` [H, W] stands in for that of the prediction in the depth figures."""
        true = self._true_depth(frames)
        if true is not None:
            alone = prediction.single if isinstance(prediction, DepthPrediction) else None
            self._score_depth(
                prediction.depth[0] if depth is None else depth, true, None if alone is None else alone[0]
            )
            if isinstance(prediction, DepthPrediction) and prediction.deviation is not None:
                self._score_deviation(prediction, prediction.deviation, true)
        if isinstance(prediction, SurfacePrediction):
            self._score_view(prediction, frames)
        if not isinstance(prediction, CompletionPrediction):
            return
        if frames.voxels is not None and frames.grid_to_cam is not None:
            self._score_cells(prediction, frames)
        if frames.labels is not None and prediction.labels is not None:
            self._score_labels(prediction.labels[0], frames.labels[0, 0])

    def _true_depth(self, frames: Frames) -> Tensor | None:
        if self.rules.config.depth_protocol.truth is not None:
            return None if frames.truth is None else frames.truth[0]
        return None if frames.depth is None else frames.depth[0, 0]

    def _score_view(self, prediction: SurfacePrediction, frames: Frames) -> None:
        mask = None if frames.mask is None else frames.mask[0, 0]
        true = frames.image[0, 0]
        if prediction.alone and mask is not None:
            self._alone, true = True, true * mask
        silhouette = prediction.opacity[0] >= SOLID
        self._views.append(score_view(prediction.colour[0].clamp(0, 1), true, silhouette, mask))

    def _score_deviation(self, prediction: DepthPrediction, deviation: Tensor, true: Tensor) -> None:
        depth = resize_depth(prediction.depth[0], *true.shape)
        spread = 1 / resize_depth(1 / deviation[0].clamp(min=1e-12), *true.shape)
        counted = self.rules.config.depth_protocol.counted(true)
        errors = errors_in_deviations(depth, spread, true, counted, median_scaling=not prediction.is_metric)
        if errors.numel():
            self._inside.append(((errors <= 1).float().mean().item(), (errors <= 2).float().mean().item()))

    def _score_depth(self, predicted: Tensor, true: Tensor, single: Tensor | None = None) -> None:
        protocol, factor = self.rules.config.depth_protocol, self.rules.config.depth_factor
        limits = {"nearest": protocol.nearest, "cap": protocol.cap}
        counted = protocol.counted(true)
        answers = {OURS: (predicted, False), OURS_SCALED: (predicted, True)}
        if single is not None:
            answers |= {SINGLE: (single, False), SINGLE_SCALED: (single, True)}
        if factor is not None:
            answers[f"{OURS}, times {factor:g}"] = (factor * predicted, False)
        if self.fitted.depth is not None:
            answers[MEDIAN_DEPTH] = (self.fitted.depth.to(true.device), False)
        for name, (depth, scaled) in answers.items():
            figures = depth_metrics(resize_depth(depth, *true.shape), true, counted, median_scaling=scaled, **limits)
            if figures is not None:
                self._depth[name].append(figures)

    def _score_cells(self, prediction: CompletionPrediction, frames: Frames) -> None:
        truth, regions = self.rules.truth(frames), self.rules.regions(frames)
        scores = self.rules.scores(prediction, frames) | {k: v.to(truth.device) for k, v in self.fitted.grids.items()}
        stored: Mapping[tuple[str, float], float] = dict.fromkeys(
            ((r, c) for r in regions for c in self.rules.crops), prediction.threshold
        )
        for name, score, thresholds in [
            (OURS_STORED, scores[OURS], stored),
            *((name, scores[name], thresholds) for name, thresholds in self.fitted.thresholds.items()),
        ]:
            for (region, extent), threshold in thresholds.items():
                box = self.rules.crops[extent]
                self._counts[name][region, extent] += completion.count(
                    score[box] >= threshold, truth[box], regions[region][box]
                )
        answers: dict[str, tuple[Any, Any, Any]] = {OURS_STORED: (prediction.classes, scores[OURS], stored)}
        if self.fitted.majority is not None:
            answers[OURS] = (prediction.classes, scores[OURS], self.fitted.thresholds.get(OURS, stored))
            majority = self.fitted.majority.to(truth.device)[None]
            answers[MEAN_GRID] = (majority, scores[MEAN_GRID], self.fitted.thresholds[MEAN_GRID])
        if prediction.classes is not None:
            self._score_classes(answers, truth, regions["solid"])

    def _score_classes(self, answers: Mapping[str, tuple[Any, Any, Any]], truth: Tensor, region: Tensor) -> None:
        for name, (classes, score, thresholds) in answers.items():
            for extent, box in self.rules.crops.items():
                said = torch.where(score[box] >= thresholds["solid", extent], classes[0][box], 0)
                matrix = completion.confusion(said, truth[box], region[box], len(SSC))
                self._classes[name][extent] = self._classes[name].get(extent, 0) + matrix

    def _score_labels(self, predicted: Tensor, truth: Tensor) -> None:
        answers = {OURS: predicted}
        if self.fitted.labels is not None and self.fitted.labels.shape == truth.shape:
            answers[MAJORITY_LABELS] = self.fitted.labels.to(truth.device)
        for name, labels in answers.items():
            self._labels[name] = self._labels.get(name, 0) + label_confusion(labels, truth, len(CITYSCAPES))

    def _depth_table(self) -> Table:
        """Our figures, and below them those of papers that were measured in the same way on the same images."""
        protocol = self.rules.config.depth_protocol
        where = {"Garg": "Garg crop", "none": "whole image", "Cityscapes": "Cityscapes' crop"}[protocol.crop]
        note = f"{where}, {protocol.nearest:g} to {protocol.cap:g} m, mean over images"
        published = published_depth(protocol.name, self.data, len(self._depth[OURS]))
        if protocol.truth is not None:
            note = f"{protocol.name} ({len(self._depth[OURS])} images): {note}"
        note += "; not scaled unless the row says so"
        if published is not None:
            note += f"; published figures are median scaled, from the {published.source}"
        return tables.depth_table(self._depth, note, {} if published is None else published.rows)

    def tables(self) -> list[Table]:
        """All that was summed, laid out."""
        found = []
        if self._depth:
            found.append(self._depth_table())
        if self._views:
            shown = "the object alone, before black" if self._alone else "the images as they are"
            found.append(tables.views_table({OURS: self._views}, f"{shown}; mean over {len(self._views)} views"))
        if self._inside:
            found.append(tables.deviation_table(self._inside))
        for region in REGIONS if self._counts else ():
            rows = {
                name: {extent: counts[region, extent] for extent in self.rules.crops}
                for name, counts in self._counts.items()
            }
            found.append(tables.completion_table(region, rows, self.rules.protocol_name))
        if self._classes:
            found += tables.classes_tables(self._classes, self.rules.protocol_name)
        if self._labels:
            found.append(tables.labels_table(self._labels))
        return found
