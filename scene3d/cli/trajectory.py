"""`scene3d trajectory`: one trajectory file against another, under every alignment."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from scene3d.cli.outputs import refuse_existing


def trajectory(
    estimated: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="ESTIMATED")],
    true: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="TRUE")],
    *,
    layout: Literal["kitti", "tum"] = "kitti",
    within: float | None = None,
    step_metres: float | None = None,
    out: Path | None = None,
    overwrite: bool = False,
) -> int:
    """Score a trajectory file against the true one: ATE, RPE, KITTI's drift, 5-frame snippets.

    Examples:
      scene3d trajectory results/09.txt poses/09.txt
      scene3d trajectory estimate.txt groundtruth.txt --layout tum --within 0.02 --step-metres 1

    Args:
        estimated: what to score; transforms take the camera or body to the world.
        true: what to score it against, of the same camera or body.
        layout: "kitti" is 12 numbers a line, or 13 with the frame in front; "tum" is t x y z qx qy qz qw.
        within: largest difference of two stamps that belong together; 0 frames, or 0.01 s, if not given.
        step_metres: length of the steps of RPE; from frame to frame if not given.
        out: JSON file of the figures; none is written if not given.
        overwrite: replace the JSON file if it exists.
    """
    from scene3d.data.trajectory_files import read_kitti_trajectory, read_tum_trajectory
    from scene3d.evaluation.trajectory_tables import trajectory_report

    if out is not None:
        refuse_existing(out, overwrite=overwrite)
    read, usual = {"kitti": (read_kitti_trajectory, 0.0), "tum": (read_tum_trajectory, 0.01)}[layout]
    report = trajectory_report(
        read(estimated),
        read(true),
        within=usual if within is None else within,
        step_metres=step_metres,
        name=estimated.stem,
        provenance={"estimated": estimated.name, "true": true.name},
    )
    print(report.as_markdown())
    if out is not None:
        report.save(out)
        print(f"wrote {out}")
    return 0
