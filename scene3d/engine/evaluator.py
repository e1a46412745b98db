"""A method over data: its figures beside those of the baselines, thresholds from training data."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from scene3d.engine.fitting import NOTHING_FITTED, Predicts, Progress, SomeFrames, fit, spread, tell
from scene3d.engine.rules import EvaluateConfig, Rules
from scene3d.engine.scoring import Scorer
from scene3d.errors import DataError
from scene3d.evaluation.report import Report
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame

__all__ = ["EvaluateConfig", "evaluate"]


def evaluate(
    method: Predicts,
    data: SomeFrames,
    config: EvaluateConfig = EvaluateConfig(),  # noqa: B008  (frozen)
    *,
    fit_data: SomeFrames | None = None,
    split: str = "val",
    frame: VoxelFrame = SSCBENCH,
    device: torch.device | str = "cpu",
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
        provenance: what to write down with the figures.
        progress: called with what is being done, how far, and of how much.

    Raises:
        DataError: no frame of the data holds any ground truth that the method answers to.
        UsageError: the method's grid is not the truth's.
    """
    rules = Rules(config, frame)
    with torch.no_grad():
        fitted = NOTHING_FITTED if fit_data is None else fit(method, fit_data, rules, device, progress)
        scorer = Scorer(rules, fitted)
        chosen = spread(len(data), config.frames)
        for done, index in enumerate(chosen):
            frames = data[index].to(device)
            scorer.score(method.predict(frames), frames)
            tell(progress, f"scoring {split}", done + 1, len(chosen))
    notes = () if fit_data is not None else ("No training data given: no baselines, and no fitted thresholds.",)
    found = scorer.tables()
    if not found:
        raise DataError(f"{split}: none of the {len(chosen)} frames holds depth, voxels or labels to compare with")
    return Report(
        split=split,
        frames=len(chosen),
        protocol=rules.protocol_name,
        tables=tuple(found),
        provenance=dict(provenance or {}),
        notes=notes,
    )
