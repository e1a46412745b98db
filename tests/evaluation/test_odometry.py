from __future__ import annotations

import math

import pytest
import torch

from scene3d.data.trajectory_files import read_kitti_trajectory
from scene3d.evaluation.odometry import drift, snippet_errors
from scene3d.evaluation.trajectory import align, from_first


def along_z(metres: torch.Tensor) -> torch.Tensor:
    matrices = torch.eye(4, dtype=torch.float64).repeat(len(metres), 1, 1)
    matrices[:, 2, 3] = metres
    return matrices


def test_a_scale_that_is_two_percent_off_drifts_by_two_percent():
    # 151 frames of a metre: only segments of 100 m fit, from frames 0, 10, ... 40. As the end must lie further than
    # 100 m each is 101 m long, so the error is 2.02 m on 100 m; from 50 the end would be 151.
    metres = torch.arange(151, dtype=torch.float64)
    errors = drift(along_z(1.02 * metres), along_z(metres))
    assert errors.length.tolist() == [100.0] * 5
    assert errors.t_err == pytest.approx(2.02)
    assert errors.r_err == pytest.approx(0.0, abs=1e-4)


def test_segments_that_the_estimate_lacks_are_left_out():
    metres = torch.arange(151, dtype=torch.float64)
    # Without the frames 0 to 14 the segments from 0 and from 10 are gone.
    assert len(drift(along_z(metres[15:]), along_z(metres), torch.arange(15, 151)).length) == 3


def test_a_short_drive_has_no_drift():
    short = along_z(torch.arange(50, dtype=torch.float64))
    assert drift(short, short).t_err is None and drift(short, short).r_err is None


def test_both_definitions_of_the_snippet_error_worked_by_hand():
    true = along_z(torch.tensor([0.0, 1, 2, 3, 4], dtype=torch.float64))
    estimated = along_z(torch.tensor([0.0, 2, 4, 6, 8], dtype=torch.float64))
    estimated[:, 0, 3] = torch.tensor([0.0, 0, 0, 0, 2])
    # The scale is (2 + 8 + 18 + 32) / (4 + 16 + 36 + 64 + 4) = 60 / 124; what remains is 30 - 60^2 / 124.
    rest = 30 - 60**2 / 124
    errors = snippet_errors(estimated, true)
    assert errors.published.tolist() == pytest.approx([math.sqrt(rest) / 5])
    assert errors.rms.tolist() == pytest.approx([math.sqrt(rest / 5)])


def test_snippets_start_together_whatever_came_before():
    generator = torch.Generator().manual_seed(3)
    true = along_z(torch.rand(12, generator=generator, dtype=torch.float64).cumsum(dim=0))
    quarter = torch.tensor([[0.0, 0, 1, 5], [0, 1, 0, 6], [-1, 0, 0, 7], [0, 0, 0, 1]], dtype=torch.float64)
    errors = snippet_errors(quarter @ true, true)
    assert errors.published.shape == (8,)
    assert errors.published.max() < 1e-9
    assert snippet_errors(true[:4], true[:4]).rms.shape == (0,)


@pytest.mark.parametrize(
    ("sequence", "how", "t_err", "r_err"),
    [
        ("09", "scale", 2.866391, 0.249056),
        ("09", "7dof", 2.884113, 0.249056),
        ("09", "6dof", 72.109182, None),
        ("10", "scale", 3.902146, 0.304590),
        ("10", "7dof", 3.297840, None),
        ("10", "6dof", 82.069971, None),
    ],
)
def test_drift_is_that_of_kitti_odom_eval(shared_data, sequence, how, t_err, r_err):
    folder = shared_data / "eval_reference" / "kitti_odom_eval"
    estimated = read_kitti_trajectory(folder / "example_0" / f"{sequence}.txt")
    true = read_kitti_trajectory(folder / "gt_poses" / f"{sequence}.txt").body_to_world
    frames = estimated.stamps.long()
    aligned = align(from_first(estimated.body_to_world), from_first(true[frames]), how)
    errors = drift(aligned, true, frames)
    assert errors.t_err == pytest.approx(t_err, abs=6e-7)
    if r_err is not None:
        assert errors.r_err == pytest.approx(r_err, abs=6e-7)
