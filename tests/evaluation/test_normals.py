from __future__ import annotations

import math

import pytest
import torch

from scene3d.errors import UsageError
from scene3d.evaluation.normals import normal_angles, score_normals

UP = torch.tensor([0.0, 0, 1])


def tilted(*degrees: float) -> torch.Tensor:
    angles = torch.tensor(degrees) * math.pi / 180
    return torch.stack([angles.sin(), torch.zeros_like(angles), angles.cos()], dim=-1)


def test_angles_by_hand_and_from_either_side():
    predicted = tilted(0, 10, 90, 170, 180)
    true = UP.expand(5, 3)
    expected = torch.tensor([0.0, 10, 90, 170, 180], dtype=torch.float64)
    torch.testing.assert_close(normal_angles(predicted, true), expected, atol=1e-4, rtol=0)
    either = normal_angles(predicted, true, either_side=True)
    torch.testing.assert_close(either, torch.tensor([0.0, 10, 90, 10, 0], dtype=torch.float64), atol=1e-4, rtol=0)


def test_lengths_do_not_matter_and_small_angles_are_seen():
    small = torch.tensor([[1e-5, 0, 1]], dtype=torch.float64)
    angle = normal_angles(3 * small, 0.2 * UP[None])
    assert angle.item() == pytest.approx(1e-5 * 180 / math.pi, rel=1e-4)


def test_figures_by_hand():
    # 10 + 20 + 30 + 40 over 4; median 25; squares 100 + 400 + 900 + 1600 over 4 are 750.
    scores = score_normals(tilted(10, 20, 30.001, 40), UP.expand(4, 3))
    assert scores.mean == pytest.approx(25, abs=1e-3) and scores.median == pytest.approx(25, abs=1e-3)
    assert scores.rmse == pytest.approx(math.sqrt(750), abs=1e-2)
    assert scores.within == (0.25, 0.5, 0.5) and scores.normals == 4


def test_unknown_normals_and_those_outside_the_mask_do_not_count():
    predicted = torch.cat([tilted(10, 20), torch.zeros(1, 3)])
    true = UP.expand(3, 3)
    assert score_normals(predicted, true).normals == 2
    mask = torch.tensor([True, False, True])
    assert score_normals(predicted, true, mask).mean == pytest.approx(10, abs=1e-3)
    with pytest.raises(UsageError, match="normals: expected some"):
        score_normals(predicted, true, torch.tensor([False, False, True]))
