from __future__ import annotations

import io
import json
import math
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.trajectory_files import associate, read_kitti_trajectory, read_tum_trajectory
from scene3d.evaluation.trajectory import (
    absolute_errors,
    align,
    frame_pairs,
    from_first,
    path_lengths,
    path_pairs,
    relative_errors,
    rotation_angle,
    scaled,
    summarise,
)
from scene3d.geometry.se3 import rigid


def straight(*x: float) -> torch.Tensor:
    """A trajectory along x without turning."""
    matrices = torch.eye(4, dtype=torch.float64).repeat(len(x), 1, 1)
    matrices[:, 0, 3] = torch.tensor(x)
    return matrices


def test_the_figures_of_three_errors_worked_by_hand():
    summary = summarise(torch.tensor([1.0, 2.0, 6.0]))
    # Squares 1 + 4 + 36 = 41; mean 3; deviations -2, -1, 3 have squares 4 + 1 + 9 = 14.
    assert summary.rmse == pytest.approx(math.sqrt(41 / 3))
    assert (summary.mean, summary.median, summary.min, summary.max) == (3.0, 2.0, 1.0, 6.0)
    assert summary.std == pytest.approx(math.sqrt(14 / 3))


def test_the_scale_is_fitted_about_the_origin():
    # (1*2 + 2*4 + 3*6) / (1 + 4 + 9) = 2: a perfect fit.
    aligned = align(straight(0, 1, 2, 3), straight(0, 2, 4, 6), "scale")
    torch.testing.assert_close(aligned, straight(0, 2, 4, 6))
    assert absolute_errors(aligned, straight(0, 2, 4, 7)).tolist() == pytest.approx([0, 0, 0, 1])


def test_each_alignment_forgives_its_own_freedom():
    generator = torch.Generator().manual_seed(1)
    true = torch.eye(4, dtype=torch.float64).repeat(30, 1, 1)
    true[:, :3, 3] = torch.randn(30, 3, generator=generator, dtype=torch.float64).cumsum(dim=0)
    quarter = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
    moved = rigid(quarter, torch.tensor([3.0, 1.0, 2.0], dtype=torch.float64)) @ true
    shrunk = scaled(moved, torch.tensor(0.5, dtype=torch.float64))
    assert absolute_errors(align(moved, true, "6dof"), true).max() < 1e-9
    assert absolute_errors(align(shrunk, true, "7dof"), true).max() < 1e-9
    assert absolute_errors(align(shrunk, true, "6dof"), true).mean() > 0.1
    assert absolute_errors(align(moved, true, "none"), true).mean() > 1
    # Rotations are turned with the positions.
    torch.testing.assert_close(align(shrunk, true, "7dof"), true)


def test_relative_errors_of_a_step_and_of_a_turn_worked_by_hand():
    estimated, true = straight(0, 1, 3), straight(0, 1, 2)
    tilt = torch.tensor([[1.0, 0, 0], [0, 0.8, -0.6], [0, 0.6, 0.8]], dtype=torch.float64)
    estimated[2, :3, :3] = tilt
    translation, rotation = relative_errors(estimated, true, frame_pairs(3, 1))
    # The second step is 2 m instead of 1 m, and turns by acos(0.8).
    assert translation.tolist() == pytest.approx([0.0, 1.0])
    assert rotation.tolist() == pytest.approx([0.0, math.acos(0.8)])


def test_half_a_turn_and_rounding_are_angles_too():
    half = torch.diag(torch.tensor([-1.0, -1.0, 1.0, 1.0]))
    assert rotation_angle(half).item() == pytest.approx(math.pi)
    assert rotation_angle(torch.eye(4) * 1.0000001).item() == 0.0


def test_pairs_by_path_start_at_the_first_mark():
    # Marks where 2 m have been walked since the last: after 0.5 + 1.5 at 2, after 3 at 3, after 1 + 1 at 5.
    trajectory = straight(0, 0.5, 2, 5, 6, 7, 8)
    assert path_lengths(trajectory).tolist() == [0, 0.5, 2, 5, 6, 7, 8]
    assert path_pairs(trajectory, 2.0).tolist() == [[2, 3], [3, 5]]
    assert path_pairs(trajectory, 100.0).shape == (0, 2)


def test_pairs_by_frames():
    assert frame_pairs(5, 3).tolist() == [[0, 3], [1, 4]]
    assert frame_pairs(2, 3).shape == (0, 2)


# ---- stored results of other programs: data of kitti-odom-eval (MIT) and of evo's tests


@pytest.mark.parametrize(
    ("sequence", "how", "ate", "rpe_metres", "rpe_degrees"),
    [
        ("09", "scale", 10.638550, 0.340909, 0.063389),
        ("09", "7dof", 8.386619, None, None),
        ("09", "6dof", 215.435335, None, None),
        ("09", "none", 349.640435, None, None),
        ("10", "scale", 12.934528, 0.045533, 0.066264),
        ("10", "7dof", 6.630158, None, None),
        ("10", "6dof", 201.579212, None, None),
        ("10", "none", 425.382201, None, None),
    ],
)
def test_positions_and_steps_are_those_of_kitti_odom_eval(shared_data, sequence, how, ate, rpe_metres, rpe_degrees):
    folder = shared_data / "eval_reference" / "kitti_odom_eval"
    estimated = read_kitti_trajectory(folder / "example_0" / f"{sequence}.txt")
    true = read_kitti_trajectory(folder / "gt_poses" / f"{sequence}.txt").body_to_world[estimated.stamps.long()]
    true, aligned = from_first(true), align(from_first(estimated.body_to_world), from_first(true), how)
    assert summarise(absolute_errors(aligned, true)).rmse == pytest.approx(ate, abs=6e-7)
    if rpe_metres is not None:
        translation, rotation = relative_errors(aligned, true, frame_pairs(len(true), 1))
        assert translation.mean().item() == pytest.approx(rpe_metres, abs=6e-7)
        assert math.degrees(rotation.mean().item()) == pytest.approx(rpe_degrees, abs=6e-7)


def stored(shared_data: Path, name: str) -> tuple[dict[str, float], np.ndarray]:
    with zipfile.ZipFile(shared_data / "eval_reference" / "evo" / "res_files" / f"{name}.zip") as archive:
        errors = np.load(io.BytesIO(archive.read("error_array.npz")), allow_pickle=False)
        return json.loads(archive.read("stats.json")), errors


def kitti_00(shared_data: Path) -> tuple[torch.Tensor, torch.Tensor]:
    folder = shared_data / "eval_reference" / "evo"
    return tuple(read_kitti_trajectory(folder / f"KITTI_00_{name}.txt").body_to_world for name in ("ORB", "gt"))


def test_positions_after_alignment_are_those_of_evo(shared_data):
    stats, errors = stored(shared_data, "orb_ape")
    estimated, true = kitti_00(shared_data)
    ours = absolute_errors(align(estimated, true, "6dof"), true)
    np.testing.assert_allclose(ours.numpy(), errors, rtol=1e-9)
    for name, value in vars(summarise(ours)).items():
        assert value == pytest.approx(stats[name], rel=1e-11), name


def test_steps_of_ten_metres_are_those_of_evo(shared_data):
    stats, errors = stored(shared_data, "orb_rpe")
    estimated, true = kitti_00(shared_data)
    translation, _ = relative_errors(estimated, true, path_pairs(estimated, 10.0))
    np.testing.assert_allclose(translation.numpy(), errors, rtol=1e-9)
    for name, value in vars(summarise(translation)).items():
        assert value == pytest.approx(stats[name], rel=1e-11), name


def test_figures_of_stored_errors_are_those_of_evo(shared_data):
    # The trajectory of S-PTAM is not there; its errors and their figures are.
    stats, errors = stored(shared_data, "sptam_ape")
    for name, value in vars(summarise(torch.from_numpy(errors))).items():
        assert value == pytest.approx(stats[name], rel=1e-12), name


def test_two_trajectories_of_tum_are_compared_by_time(shared_data):
    folder = shared_data / "eval_reference" / "evo"
    estimated = read_tum_trajectory(folder / "freiburg1_xyz-rgbdslam.txt")
    true = read_tum_trajectory(folder / "freiburg1_xyz-groundtruth.txt")
    ours, theirs = associate(estimated, true, within=0.01)
    assert len(ours) > 0.95 * len(estimated)
    errors = absolute_errors(
        align(estimated.body_to_world[ours], true.body_to_world[theirs], "6dof"), true.body_to_world[theirs]
    )
    # RGB-D SLAM is right to a centimetre or two on this desk; without association by time it would be decimetres.
    assert summarise(errors).rmse < 0.02
