from __future__ import annotations

import numpy as np
import torch

from scene3d.visualise.trajectory import trajectory_picture, write_kitti_poses, write_tum


def at(right: float, ahead: float) -> torch.Tensor:
    place = torch.eye(4, dtype=torch.float64)
    place[0, 3], place[2, 3] = right, ahead
    return place


def is_like(picture: torch.Tensor, colour: tuple[int, int, int]) -> tuple[float, float]:
    """Mean column and row of the pixels of a colour."""
    row, column = ((picture.int() - torch.tensor(colour)).abs().amax(dim=-1) < 12).nonzero().double().mean(dim=0)
    return column.item(), row.item()


GREEN, RED = (42, 157, 74), (232, 74, 39)


def test_ahead_is_up_and_right_is_right():
    picture = trajectory_picture([at(0, 0), at(0, 10), at(10, 20), at(20, 20)], size=400)
    assert picture.shape == (400, 400, 3)
    # The legend, at the top left, weighs on the colours too, but alike on both.
    (start_x, start_y), (end_x, end_y) = is_like(picture, GREEN), is_like(picture, RED)
    assert end_x > start_x + 100 and end_y < start_y - 100


def test_one_place_or_none_or_a_gap_is_drawn_too():
    assert trajectory_picture([at(0, 0)], is_metric=False, size=200).shape == (200, 200, 3)
    assert trajectory_picture([], size=200).shape == (200, 200, 3)
    whole = trajectory_picture([at(0, 0), at(0, 10), at(0, 20)], size=400)
    broken = trajectory_picture([at(0, 0), None, at(0, 20)], size=400)
    blue = torch.tensor([34, 87, 196])
    assert ((broken.int() - blue).abs().amax(-1) < 12).sum() < ((whole.int() - blue).abs().amax(-1) < 12).sum() / 4


def test_kitti_poses_are_the_upper_rows_and_gaps_are_numbered(tmp_path):
    places = torch.stack([at(0, 0), at(0.1, 2.5)])
    write_kitti_poses(tmp_path / "a.txt", places, [0, 1])
    assert (tmp_path / "a.txt").read_text().splitlines()[1] == "1.0 0.0 0.0 0.1 0.0 1.0 0.0 0.0 0.0 0.0 1.0 2.5"
    write_kitti_poses(tmp_path / "b.txt", places, [3, 7])
    assert [line.split()[0] for line in (tmp_path / "b.txt").read_text().splitlines()] == ["3", "7"]


def test_tum_has_seconds_place_and_a_quaternion_that_ends_with_its_real_part(tmp_path):
    quarter = at(1, 3)
    quarter[:2, :2] = torch.tensor([[0.0, -1], [1, 0]])  # a quarter turn about z
    write_tum(tmp_path / "t.txt", [0.0, 0.5], torch.stack([at(0, 0), quarter]))
    rows = np.loadtxt(tmp_path / "t.txt")
    np.testing.assert_allclose(rows[0], [0, 0, 0, 0, 0, 0, 0, 1])
    np.testing.assert_allclose(rows[1], [0.5, 1, 0, 3, 0, 0, 0.5**0.5, 0.5**0.5])
