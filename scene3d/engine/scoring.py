"""Sums over the frames of an evaluation, and the tables that they become."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from scene3d.engine.class_scoring import Classed, ClassScorer
from scene3d.engine.fitting import Fitted
from scene3d.engine.rules import OURS, Rules
from scene3d.engine.view_scoring import ViewScorer
from scene3d.evaluation import completion, tables
from scene3d.evaluation.baselines import DEPTH_SHELL, MEAN_GRID
from scene3d.evaluation.calibration import Reliability, reliability
from scene3d.evaluation.completion import REGIONS, Counts
from scene3d.evaluation.depth import DepthMetrics, depth_metrics, resize_depth
from scene3d.evaluation.occupancy import (
    CUT_OFF,
    SliceFigures,
    density_at,
    level_to_cam,
    seen_by_depth,
    slice_figures,
    slice_points,
    slice_truth,
)
from scene3d.evaluation.published import PublishedCompletion, published_completion, published_depth, why_unpublished
from scene3d.evaluation.uncertainty import errors_in_deviations
from scene3d.geometry.occupancy import occupancy_probability
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction, Prediction, SurfacePrediction
from scene3d.structures.tables import Table

STORED = "threshold of the weights"
OURS_STORED = f"{OURS}, {STORED}"
OURS_CUT_OFF = "ours, cut-off of the protocol"
OURS_SCALED = "ours, median scaled"
OURS_CALIBRATED = "ours, calibration of the weights"
UNCALIBRATED = "our density as the opacity of a cell"
SINGLE = "single frame"
SINGLE_SCALED = "single frame, median scaled"
MEDIAN_DEPTH = "median training depth image"


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
        self._classes = ClassScorer(rules)
        self._reliability: dict[str, dict[float, Reliability]] = defaultdict(dict)
        self._inside: list[tuple[float, float]] = []
        self._slices: dict[str, list[SliceFigures]] = defaultdict(list)
        self._frames = 0
        self._views = ViewScorer()

    @property
    def counted_cells(self) -> bool:
        """Whether any frame was scored as a completed scene, by the rules of a protocol."""
        return self._frames > 0

    def score(
        self,
        prediction: Prediction,
        frames: Frames,
        depth: Tensor | None = None,
        relabelled: Mapping[str, CompletionPrediction] = MappingProxyType({}),
    ) -> None:
        """Add what one frame says.

        Args:
            prediction: of the frame.
            frames: with ground truth.
            depth: [H, W], stands in for that of the prediction in the depth figures.
            relabelled: the same prediction with other classes, by the name of their row.
        """
        true = self._true_depth(frames)
        if true is not None:
            alone = prediction.single if isinstance(prediction, DepthPrediction) else None
            self._score_depth(
                prediction.depth[0] if depth is None else depth, true, None if alone is None else alone[0]
            )
            if isinstance(prediction, DepthPrediction) and prediction.deviation is not None:
                self._score_deviation(prediction, prediction.deviation, true)
        if isinstance(prediction, SurfacePrediction):
            self._views.add(prediction, frames)
        if not isinstance(prediction, CompletionPrediction):
            return
        if frames.voxels is not None and frames.grid_to_cam is not None:
            self._score_cells(prediction, frames, relabelled)
        if frames.scans is not None and frames.scan_to_cam is not None:
            self._score_slice(prediction, frames.scans[0].cpu(), frames.scan_to_cam[0].cpu())
        if frames.labels is not None and prediction.labels is not None:
            others = {name: each.labels[0] for name, each in relabelled.items() if each.labels is not None}
            self._classes.add_labels({OURS: prediction.labels[0]} | others, frames.labels[0, 0], self.fitted.labels)

    def _true_depth(self, frames: Frames) -> Tensor | None:
        if self.rules.config.depth_protocol.truth is not None:
            return None if frames.truth is None else frames.truth[0]
        return None if frames.depth is None else frames.depth[0, 0]

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

    def _score_cells(
        self, prediction: CompletionPrediction, frames: Frames, relabelled: Mapping[str, CompletionPrediction]
    ) -> None:
        self._frames += 1
        truth, regions = self.rules.truth(frames), self.rules.regions(frames)
        scores = self.rules.scores(prediction, frames) | {k: v.to(truth.device) for k, v in self.fitted.grids.items()}
        fixed = {name: self._everywhere(threshold) for name, threshold in self._fixed(prediction).items()}
        for name, score, thresholds in [
            *((name, scores[OURS], thresholds) for name, thresholds in fixed.items()),
            *((name, scores[name], thresholds) for name, thresholds in self.fitted.thresholds.items()),
        ]:
            for (region, extent), threshold in thresholds.items():
                box = self.rules.crops[extent]
                self._counts[name][region, extent] += completion.count(
                    score[box] >= threshold, truth[box], regions[region][box]
                )
        self._score_probabilities(prediction, truth, regions["solid"])
        classes = self.rules.classes(prediction)
        if classes is None:
            return
        # Below the stored threshold cells have no class, which would count as empty.
        classed = [name for name, threshold in self._fixed(prediction).items() if threshold >= prediction.threshold]
        answers = {name: Classed(classes, scores[OURS], fixed[name]) for name in classed}
        if self.fitted.majority is not None:
            answers[OURS] = Classed(classes, scores[OURS], self.fitted.thresholds.get(OURS, fixed[OURS_STORED]))
            majority = self.fitted.majority.to(truth.device)
            answers[MEAN_GRID] = Classed(majority, scores[MEAN_GRID], self.fitted.thresholds[MEAN_GRID])
        for name, other in relabelled.items():
            if (said := self.rules.classes(other)) is not None:
                answers[f"{name}, {STORED}"] = Classed(said, scores[OURS], fixed[OURS_STORED])
        self._classes.add_cells(answers, truth, regions["solid"])
        if prediction.votes is not None:
            self._classes.add_votes(prediction.votes[0])

    def _score_probabilities(self, prediction: CompletionPrediction, truth: Tensor, known: Tensor) -> None:
        """How probably each known cell is occupied: by the density, and by the training grids alone."""
        density, frame = prediction.density[0], self.rules.frame
        answers = {UNCALIBRATED: 1 - torch.exp(-density * frame.size)}
        for name, calibration in ((OURS, self.fitted.calibration), (OURS_CALIBRATED, prediction.calibration)):
            if calibration is not None:
                answers[name] = occupancy_probability(density, frame, calibration)
        if MEAN_GRID in self.fitted.grids:
            answers[MEAN_GRID] = self.fitted.grids[MEAN_GRID].to(density)
        for name, probability in answers.items():
            for extent, box in self.rules.crops.items():
                found = reliability(probability[box][known[box]], truth[box][known[box]] != 0)
                before = self._reliability[name].get(extent)
                self._reliability[name][extent] = found if before is None else before + found

    def _score_slice(self, prediction: CompletionPrediction, scans: Tensor, scan_to_cam: Tensor) -> None:
        """A slice of the street against what the scans of the next instants say, for any method that has a grid."""
        points, to_cam = slice_points(), level_to_cam()
        occupied, looked_through = slice_truth(points, list(scans), invert(to_cam) @ scan_to_cam)
        points_cam = transform(to_cam, points)
        before = seen_by_depth(points_cam, prediction.depth[0].cpu(), prediction.K[0].cpu())
        in_grid = transform(invert(prediction.grid_to_cam[0].cpu()), points_cam)
        density = density_at(prediction.density[0].cpu(), prediction.frame, in_grid)
        for name, said in (
            (f"ours, above {CUT_OFF:g} / m as published", density > CUT_OFF),
            (OURS_STORED, density >= prediction.threshold),
            (DEPTH_SHELL, ~before),
        ):
            self._slices[name].append(slice_figures(said, occupied, looked_through | before))

    def _fixed(self, prediction: CompletionPrediction) -> dict[str, float]:
        """Thresholds that nothing was fitted for."""
        cut_off = self.rules.protocol.cut_off
        stored = {OURS_STORED: prediction.threshold}
        return stored if cut_off is None else stored | {OURS_CUT_OFF: cut_off}

    def _everywhere(self, threshold: float) -> Mapping[tuple[str, float], float]:
        return dict.fromkeys(((region, extent) for region in REGIONS for extent in self.rules.crops), threshold)

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

    @property
    def _published(self) -> PublishedCompletion | None:
        return published_completion(*self._scored) if self._scored else None

    @property
    def _scored(self) -> tuple[str, str | None, int] | None:
        """Protocol, data and number of frames; None where the protocol was changed, so that it is nobody's."""
        rules = self.rules
        return None if rules.grow != rules.protocol.grow else (rules.protocol.name, self.data, self._frames)

    def notes(self) -> list[str]:
        """Why published figures are not there, where one would look for them."""
        why = why_unpublished(self.rules.protocol_name, self.data, self._frames) if self._published is None else None
        return [why] if why and self._counts else []

    def tables(self) -> list[Table]:
        """All that was summed, laid out."""
        found = []
        if self._depth:
            found.append(self._depth_table())
        found += self._views.tables()
        if self._inside:
            found.append(tables.deviation_table(self._inside))
        for region in REGIONS if self._counts else ():
            rows = {
                name: {extent: counts[region, extent] for extent in self.rules.crops}
                for name, counts in self._counts.items()
            }
            # Papers score all cells that the protocol keeps, and no other region.
            published = self._published if region == "solid" else None
            found.append(tables.completion_table(region, rows, self.rules.protocol_name, published))
        found += self._classes.cell_tables(self._published)
        if self._reliability:
            found += tables.calibration_tables(self._reliability, self.rules.protocol.name)
        if self._slices:
            found.append(tables.slice_table(self._slices))
        return found + self._classes.label_tables()
