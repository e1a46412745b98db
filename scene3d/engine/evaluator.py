"""A method over data: its figures beside those of the baselines, thresholds from training data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Protocol, runtime_checkable

import torch

from scene3d.data.flip import flip
from scene3d.data.split_files import list_hash
from scene3d.engine.fitting import NOTHING_FITTED, Predicts, Progress, SomeFrames, fit, spread, tell
from scene3d.engine.novel_views import NovelViewScorer
from scene3d.engine.probes import ReadsFeatures
from scene3d.engine.rules import OURS, EvaluateConfig, Rules
from scene3d.engine.scoring import Scorer
from scene3d.errors import DataError, UsageError
from scene3d.evaluation.depth import average_with_mirrored
from scene3d.evaluation.report import Report
from scene3d.evaluation.tables import DEPTH_TITLE
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame
from scene3d.nn.labeller import Labeller
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction, Prediction
from scene3d.structures.tables import Table

__all__ = ["EvaluateConfig", "evaluate"]

REFINED = f"{OURS}, refined"
"""Row of the method's own classes, smoothed as the rules say."""


def evaluate(
    method: Predicts,
    data: SomeFrames,
    config: EvaluateConfig = EvaluateConfig(),  # noqa: B008  (frozen)
    *,
    fit_data: SomeFrames | None = None,
    split: str = "val",
    frame: VoxelFrame = SSCBENCH,
    device: torch.device | str = "cpu",
    probes: Mapping[str, Labeller] = MappingProxyType({}),
    published_as: str | None = None,
    provenance: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score a method on data, beside baselines that are fitted on other data.

    What is scored follows from what the frames and the prediction hold: depth, completion, classes of
    voxels, classes of pixels. One frame is in memory at a time.

    Args:
        method: predicts from `Frames`.
        data: frames with ground truth.
        config: how to score.
        fit_data: training frames, for thresholds and baselines; without it there is one row, with the
            threshold that came with the weights, and a note that says so.
        split: what `data` is called.
        frame: grid of the ground-truth voxels.
        device: where the method lives.
        probes: other readers of the method's features, by the name of their row; see `scene3d.engine.probes`.
        published_as: kind of the data set, where the data is the list of images that papers score; None otherwise.
        provenance: what to write down with the figures.
        progress: called with what is being done, how far, and of how much.

    Raises:
        DataError: no frame of the data holds any ground truth that the method answers to.
        UsageError: the method's grid is not the truth's, or other classes are asked of a method that has none.
    """
    rules = Rules(config, frame)
    with torch.no_grad():
        fitted = NOTHING_FITTED if fit_data is None else fit(method, fit_data, rules, device, progress)
        scorer = Scorer(rules, fitted, published_as)
        novel = NovelViewScorer(method, config.novel_views) if config.novel_views else None
        names: list[str] = []
        chosen = spread(len(data), config.frames)
        for done, index in enumerate(chosen):
            frames = _corrected(method, data[index].to(device), config.correct_cameras)
            _score(scorer, method, frames, config, probes)
            if novel is not None:
                novel.add(frames)
            names += frames.names
            tell(progress, f"scoring {split}", done + 1, len(chosen))
    notes = () if fit_data is not None else ("No training data given: no baselines, and no fitted thresholds.",)
    found = scorer.tables() + (novel.tables() if novel is not None else [])
    if not found:
        raise DataError(
            f"{split}: none of the {len(chosen)} frames holds depth, voxels, labels or a view to compare with"
        )
    return Report(
        split=split,
        frames=len(chosen),
        protocol=rules.protocol_name if scorer.counted_cells else "",
        tables=tuple(found),
        provenance={**(provenance or {}), **_samples(names), **_camera_rules(config), **_depth_rules(config, found)},
        notes=(*notes, *scorer.notes()),
    )


@runtime_checkable
class CorrectsCameras(Protocol):
    """A method of one scene that can say where an image of it was taken."""

    def correct_camera(self, frames: Frames, steps: int) -> Frames:
        """The frames with the camera of view 0 where it sees the image best."""
        ...


def _corrected(method: Predicts, frames: Frames, steps: int) -> Frames:
    if steps == 0:
        return frames
    if not isinstance(method, CorrectsCameras):
        raise UsageError(f"evaluate.correct_cameras: expected a surface of one scene, got {type(method).__name__}")
    return method.correct_camera(frames, steps)


def _score(
    scorer: Scorer, method: Predicts, frames: Frames, config: EvaluateConfig, probes: Mapping[str, Labeller]
) -> None:
    """Add one frame, whose depth is the mean with that of the mirrored frame where this is asked for."""
    relabelled: dict[str, CompletionPrediction] = {}
    if probes or config.refine is not None:
        prediction, relabelled = _relabelled(method, frames, config, probes)
    else:
        prediction = method.predict(frames)
    depth = None
    if config.mirror:
        mirrored = method.predict(flip(frames)).depth[0].flip(-1)
        depth = average_with_mirrored(prediction.depth[0], mirrored)
    scorer.score(prediction, frames, depth, relabelled)


def _relabelled(
    method: Predicts, frames: Frames, config: EvaluateConfig, probes: Mapping[str, Labeller]
) -> tuple[Prediction, dict[str, CompletionPrediction]]:
    """A prediction, and the same with the classes of each probe and smoothed as the rules say; encoded once."""
    if not isinstance(method, ReadsFeatures):
        raise UsageError(f"evaluate.refine: expected a method with classes from features, got {type(method).__name__}")
    field = method.encode(frames.image[:, 0], frames.K[:, 0])
    prediction = method.complete(field, frames)
    relabelled = {name: method.relabel(prediction, field, frames, probe) for name, probe in probes.items()}
    if config.refine is not None:
        relabelled[REFINED] = method.relabel(prediction, field, frames, refine=config.refine)
    return prediction, relabelled


def _samples(names: Sequence[str]) -> dict[str, str]:
    """What was scored, so that two reports can be told to be of the same samples."""
    return {"samples": f"{len(names)}, sha256 {list_hash(names)}"}


def _camera_rules(config: EvaluateConfig) -> dict[str, str]:
    """How the cameras of what is scored were changed, where they were."""
    if not config.correct_cameras:
        return {}
    return {"cameras": f"moved to where they see their image best, {config.correct_cameras} steps"}


def _depth_rules(config: EvaluateConfig, found: Sequence[Table]) -> dict[str, str]:
    """What the figures of depth follow, where there are any."""
    if all(table.title != DEPTH_TITLE for table in found):
        return {}
    rules = {"depth protocol": config.depth, **config.depth_protocol.describe()}
    factor = "" if config.depth_factor is None else f", {config.depth_factor:g}"
    rules["scaling"] = f"none, median of each image{factor}; one row each"
    rules["mirrored mean"] = "yes" if config.mirror else "no"
    return rules
