from __future__ import annotations

from pathlib import Path

import pytest
import torch

from scene3d.data.trajectory_files import read_kitti_trajectory, read_tum_trajectory
from scene3d.errors import DataError
from scene3d.evaluation.trajectory_tables import DRIFT, POSITIONS, SNIPPETS, STEPS, trajectory_report
from scene3d.structures.trajectory import Trajectory


def along_x(stamps: torch.Tensor, metres: torch.Tensor) -> Trajectory:
    matrices = torch.eye(4, dtype=torch.float64).repeat(len(stamps), 1, 1)
    matrices[:, 0, 3] = metres
    return Trajectory(stamps=stamps.double(), body_to_world=matrices)


def test_half_the_scale_is_seen_without_alignment_and_forgiven_with_it():
    stamps = torch.arange(11)
    report = trajectory_report(along_x(stamps, stamps / 2), along_x(stamps, stamps))
    # Errors of 0, 0.5, ... 5 m; steps of 0.5 m instead of 1 m.
    assert report.figure(POSITIONS, "none", "mean") == pytest.approx(2.5)
    assert report.figure(POSITIONS, "scale", "max") == pytest.approx(0.0, abs=1e-9)
    assert report.figure(POSITIONS, "7dof", "max") == pytest.approx(0.0, abs=1e-9)
    assert report.figure(STEPS, "none", "mean m") == pytest.approx(0.5)
    # A drive of 10 m has no segment of 100 m; every snippet has a scale of its own.
    assert [table.title for table in report.tables] == [POSITIONS, STEPS, SNIPPETS]
    assert report.figure(SNIPPETS, "rms", "mean") == pytest.approx(0.0, abs=1e-9)


def test_stamps_that_do_not_meet_are_an_error():
    one, other = (along_x(torch.arange(3) + shift, torch.arange(3)) for shift in (0, 0.25))
    with pytest.raises(DataError, match="0 of 3 stamps are within 0.1 of a true one"):
        trajectory_report(one, other, within=0.1)
    assert trajectory_report(one, other, within=0.25).frames == 3


def test_two_transforms_are_enough_for_positions_and_steps():
    stamps = torch.arange(2)
    report = trajectory_report(along_x(stamps, stamps), along_x(stamps, stamps))
    assert [table.title for table in report.tables] == [POSITIONS, STEPS]


def test_the_report_of_a_real_estimate_holds_the_figures_of_kitti_odom_eval(shared_data: Path):
    folder = shared_data / "eval_reference" / "kitti_odom_eval"
    estimated, true = (read_kitti_trajectory(folder / name / "09.txt") for name in ("example_0", "gt_poses"))
    report = trajectory_report(estimated, true)
    assert report.frames == 1589
    for how, ate, t_err in (
        ("scale", 10.638550, 2.866391),
        ("7dof", 8.386619, 2.884113),
        ("6dof", 215.435335, 72.109182),
    ):
        assert report.figure(POSITIONS, how, "rmse") == pytest.approx(ate, abs=6e-7)
        assert report.figure(DRIFT, how, "t_err") == pytest.approx(t_err, abs=6e-7)
    assert report.figure(DRIFT, "scale", "r_err") == pytest.approx(0.249056, abs=6e-7)


def test_a_drive_of_tum_is_scored_by_time_and_by_steps_of_metres(shared_data: Path):
    folder = shared_data / "eval_reference" / "evo"
    names = ("freiburg1_xyz-rgbdslam.txt", "freiburg1_xyz-groundtruth.txt")
    report = trajectory_report(*(read_tum_trajectory(folder / name) for name in names), within=0.01, step_metres=0.5)
    assert report.figure(POSITIONS, "6dof", "rmse") < 0.02
    assert [table.title for table in report.tables] == [POSITIONS, STEPS, SNIPPETS]
