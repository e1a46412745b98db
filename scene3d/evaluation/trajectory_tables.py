"""All scores of one trajectory against another, laid out as a report."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import astuple, fields
from typing import get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.data.trajectory_files import associate
from scene3d.errors import DataError
from scene3d.evaluation.odometry import drift, snippet_errors
from scene3d.evaluation.report import Report
from scene3d.evaluation.trajectory import (
    Alignment,
    Summary,
    absolute_errors,
    align,
    frame_pairs,
    from_first,
    path_pairs,
    relative_errors,
    summarise,
)
from scene3d.structures.tables import Table
from scene3d.structures.trajectory import Trajectory

POSITIONS = "positions (ATE)"
STEPS = "steps (RPE)"
DRIFT = "drift over 100 to 800 m (KITTI odometry)"
SNIPPETS = "snippets of 5 frames"
ALIGNMENTS: tuple[Alignment, ...] = get_args(Alignment)
Aligned = Mapping[Alignment, Float[Tensor, "N 4 4"]]
Rows = dict[str, tuple[float | None, ...]]


def trajectory_report(
    estimated: Trajectory,
    true: Trajectory,
    *,
    within: float = 0.0,
    step_metres: float | None = None,
    name: str = "trajectory",
    provenance: Mapping[str, str] | None = None,
) -> Report:
    """Every score under every alignment.

    Both trajectories are first said relative to their first common transform, as KITTI's are.

    Args:
        estimated: what is scored.
        true: what it is scored against. Drift is scored where its stamps are 0, 1, 2, ..., as in KITTI's files.
        within: largest difference of stamps of transforms that belong together.
        step_metres: length of the steps of RPE, along the estimate; None takes steps from frame to frame.
        name: of what is scored.
        provenance: what to write down with the figures.

    Raises:
        DataError: fewer than two transforms belong together.
    """
    ours, theirs = associate(estimated, true, within)
    if len(ours) < 2:
        what = f"{name}: {len(ours)} of {len(estimated)} stamps are within {within:g} of a true one, expected 2 or more"
        raise DataError(what, hint="stamps are seconds or frame numbers; --within says how far apart they may be")
    paired_true = from_first(true.body_to_world[theirs])
    paired = from_first(estimated.body_to_world[ours])
    aligned: Aligned = {how: align(paired, paired_true, how) for how in ALIGNMENTS}
    pairs = frame_pairs(len(paired), 1) if step_metres is None else path_pairs(paired, step_metres)
    tables = [_positions(aligned, paired_true)]
    if len(pairs):
        tables.append(_steps(aligned, paired_true, pairs, step_metres))
    if torch.equal(true.stamps, torch.arange(len(true), dtype=true.stamps.dtype)):
        tables += _drift(aligned, true.body_to_world, theirs)
    tables += _snippets(paired, paired_true)
    return Report(
        split=name,
        frames=len(ours),
        protocol=f"{len(ours)} of {len(estimated)} transforms paired within {within:g}, both from their first one",
        tables=tuple(tables),
        provenance=dict(provenance or {}),
    )


def _positions(aligned: Aligned, true: Float[Tensor, "N 4 4"]) -> Table:
    rows: Rows = {how: astuple(summarise(absolute_errors(estimate, true))) for how, estimate in aligned.items()}
    note = "metres, after each alignment; papers mostly print the rmse"
    return Table(title=POSITIONS, columns=_names(Summary), rows=rows, note=note)


def _steps(
    aligned: Aligned, true: Float[Tensor, "N 4 4"], pairs: Int[Tensor, "P 2"], step_metres: float | None
) -> Table:
    rows: Rows = {}
    for how, estimate in aligned.items():
        translation, rotation = (summarise(errors) for errors in relative_errors(estimate, true, pairs))
        rows[how] = (translation.rmse, translation.mean, math.degrees(rotation.rmse), math.degrees(rotation.mean))
    what = "from frame to frame" if step_metres is None else f"consecutive, {step_metres:g} m of the estimate or more"
    columns = ("rmse m", "mean m", "rmse degrees", "mean degrees")
    return Table(title=STEPS, columns=columns, rows=rows, note=f"{len(pairs)} steps, {what}")


def _drift(aligned: Aligned, true: Float[Tensor, "M 4 4"], frames: Int[Tensor, "N"]) -> list[Table]:  # noqa: UP037
    errors = {how: drift(estimate, true, frames) for how, estimate in aligned.items()}
    if any(error.t_err is None for error in errors.values()):
        return []
    note = f"{len(errors['none'].length)} segments from every 10th frame; t_err in percent, r_err in degrees a 100 m"
    rows: Rows = {how: (error.t_err, error.r_err) for how, error in errors.items()}
    return [Table(title=DRIFT, columns=("t_err", "r_err"), rows=rows, note=note)]


def _snippets(estimated: Float[Tensor, "N 4 4"], true: Float[Tensor, "N 4 4"]) -> list[Table]:
    errors = snippet_errors(estimated, true)
    if len(errors.rms) == 0:
        return []
    published, rms = summarise(errors.published), summarise(errors.rms)
    rows = {"root of the sum / 5 (published)": (published.mean, published.std), "rms": (rms.mean, rms.std)}
    note = f"{len(errors.rms)} snippets, each with a scale of its own; metres"
    return [Table(title=SNIPPETS, columns=("mean", "std"), rows=rows, note=note)]


def _names(of: type[Summary]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(of))
