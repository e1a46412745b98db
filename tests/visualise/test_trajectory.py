from __future__ import annotations

import torch

from scene3d.visualise.trajectory import trajectory_picture


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
