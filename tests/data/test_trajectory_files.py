from __future__ import annotations

import math

import pytest
import torch

from scene3d.data.trajectory_files import (
    associate,
    read_kitti_trajectory,
    read_tum_trajectory,
    select,
    write_kitti_trajectory,
    write_tum_trajectory,
)
from scene3d.errors import DataError
from scene3d.structures.trajectory import Trajectory

IDENTITY = "1 0 0 {x} 0 1 0 0 0 0 1 0"


def walk(stamps: list[float]) -> Trajectory:
    """A trajectory that moves and turns, with numbers that no file prints in few digits."""
    matrices = torch.eye(4, dtype=torch.float64).repeat(len(stamps), 1, 1)
    for i, angle in enumerate(stamps):
        c, s = math.cos(angle / 3), math.sin(angle / 3)
        matrices[i, :2, :2] = torch.tensor([[c, -s], [s, c]], dtype=torch.float64)
        matrices[i, :3, 3] = torch.tensor([angle / 7, angle**2 / 11, 1 / 3], dtype=torch.float64)
    return Trajectory(stamps=torch.tensor(stamps, dtype=torch.float64), body_to_world=matrices)


@pytest.mark.parametrize("stamps", [[0.0, 1.0, 2.0], [2.0, 3.0, 7.0]])
def test_a_kitti_trajectory_comes_back_bit_for_bit(tmp_path, stamps):
    write_kitti_trajectory(tmp_path / "00.txt", walk(stamps))
    again = read_kitti_trajectory(tmp_path / "00.txt")
    assert torch.equal(again.stamps, walk(stamps).stamps)
    assert torch.equal(again.body_to_world, walk(stamps).body_to_world)
    assert len((tmp_path / "00.txt").read_text().splitlines()[0].split()) == (12 if stamps[0] == 0 else 13)


def test_a_tum_trajectory_comes_back(tmp_path):
    trajectory = walk([1305031102.160407, 1305031102.194330, 1305031103.5])
    write_tum_trajectory(tmp_path / "way.txt", trajectory)
    again = read_tum_trajectory(tmp_path / "way.txt")
    assert torch.equal(again.stamps, trajectory.stamps)
    torch.testing.assert_close(again.body_to_world, trajectory.body_to_world, atol=1e-12, rtol=0)


def test_the_quaternion_of_tum_ends_with_its_real_part(tmp_path):
    # A quarter turn about z: (0, 0, sqrt(1/2), sqrt(1/2)) takes x to y.
    (tmp_path / "way.txt").write_text("# time x y z qx qy qz qw\n\n5.5 1 2 3 0 0 0.70711 0.70711\n")
    read = read_tum_trajectory(tmp_path / "way.txt")
    expected = torch.tensor([[0.0, -1, 0, 1], [1, 0, 0, 2], [0, 0, 1, 3], [0, 0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(read.body_to_world[0], expected)
    assert read.stamps.tolist() == [5.5]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "lines of 12 numbers, got none"),
        ("1 0 0 0 0 1 0 0 0 0 1", "12 numbers on line 1, got 11"),
        (IDENTITY.format(x=0) + "\n1 0 0 nan 0 1 0 0 0 0 1 0", "finite numbers on line 2"),
        (IDENTITY.format(x="zero"), "12 numbers on line 1, got 1 0 0 zero"),
        (IDENTITY.format(x=0) + "\n1 1 0 0 0 1 0 0 0 0 1 0", "orthonormal rotation in line 2"),
        (f"1.5 {IDENTITY.format(x=0)}", "a frame number in front of line 1, got 1.5"),
        (f"4 {IDENTITY.format(x=0)}\n4 {IDENTITY.format(x=1)}", "a stamp above 4 after it, got 4"),
        (f"4 {IDENTITY.format(x=0)}\n{IDENTITY.format(x=1)}", "13 numbers on line 2, got 12"),
    ],
)
def test_a_damaged_kitti_trajectory_is_named_in_one_line(tmp_path, text, said):
    (tmp_path / "00.txt").write_text(text)
    with pytest.raises(DataError) as caught:
        read_kitti_trajectory(tmp_path / "00.txt")
    assert said in str(caught.value) and str(tmp_path / "00.txt") in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("# nothing", "lines of 8 numbers, got none"),
        ("1 0 0 0 0 0 0", "8 numbers on line 1, got 7"),
        ("1 0 0 inf 0 0 0 1", "finite numbers on line 1"),
        ("1 0 0 0 0 0 0 0.5", "a quaternion of length 1 in transform 1, got length 0.5"),
        ("2 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1", "a stamp above 2 after it, got 1"),
    ],
)
def test_a_damaged_tum_trajectory_is_named_in_one_line(tmp_path, text, said):
    (tmp_path / "way.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        read_tum_trajectory(tmp_path / "way.txt")


def test_a_missing_trajectory_is_an_error_too(tmp_path):
    with pytest.raises(DataError, match="no such file"):
        read_tum_trajectory(tmp_path / "way.txt")


def test_each_stamp_takes_the_nearest_and_none_is_taken_twice():
    true = walk([0.0, 1.0, 2.0, 3.0])
    estimated = walk([0.02, 0.9, 1.04, 2.6, 3.01])
    # 0.9 and 1.04 both lie nearest to 1.0, and 2.6 to 3.0 with 3.01: the nearer one takes it.
    ours, theirs = associate(estimated, true, within=0.05)
    assert (ours.tolist(), theirs.tolist()) == ([0, 2, 4], [0, 1, 3])
    assert select(estimated, ours).stamps.tolist() == [0.02, 1.04, 3.01]


def test_of_two_that_are_equally_near_the_first_is_taken():
    ours, theirs = associate(walk([0.5, 1.5]), walk([1.0]), within=1.0)
    assert (ours.tolist(), theirs.tolist()) == ([0], [0])


def test_frame_numbers_are_associated_exactly():
    ours, theirs = associate(walk([2.0, 3.0, 5.0]), walk([0.0, 1.0, 2.0, 3.0, 4.0]), within=0.0)
    assert (ours.tolist(), theirs.tolist()) == ([0, 1], [2, 3])
