from __future__ import annotations

import pytest
import torch

from scene3d.objects.normalised_cut import CutConfig, affinity, cut_points, normalised_cut


def two_kinds(each: int = 60) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Points everywhere, whose features say that those of small x are of another kind."""
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(2 * each, 3, dtype=torch.float64, generator=generator)
    kind = points[:, 0] > points[:, 0].median()
    features = torch.randn(2 * each, 16, generator=generator) * 0.1
    features[kind, 0] += 1
    features[~kind, 1] += 1
    return points, features, kind


def test_the_value_of_a_cut_is_worked_by_hand():
    # Two pairs held by 1 within and 0.1 across: cut 0.4, association of a side 2 x (1 + 1 + 0.2) = 4.4 with itself.
    weights = torch.full((4, 4), 0.1, dtype=torch.float64)
    weights[:2, :2] = weights[2:, 2:] = 1
    cut = normalised_cut(weights, CutConfig())
    assert cut.side.tolist() in ([True, True, False, False], [False, False, True, True])
    assert cut.value == pytest.approx(2 * 0.4 / 4.4)


def test_points_fall_apart_by_their_features():
    points, features, kind = two_kinds()
    cut = cut_points(points, features, CutConfig())
    # Fifty places for 120 points: the cut may miss the border by one or two.
    agree = (cut.side == kind).sum()
    assert max(agree, 120 - agree) >= 118 and cut.value < 0.5


def test_scale_turn_and_length_of_features_change_nothing():
    points, features, _ = two_kinds()
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    one = affinity(points, features, CutConfig())
    other = affinity(7 * points @ turn.mT + 3, 4 * features, CutConfig())
    # The median of each coordinate turns only about with the points.
    torch.testing.assert_close(one, other, atol=0.02, rtol=0)
    torch.testing.assert_close(one, one.mT)
    assert (one > 0).all() and (one <= 1).all()


def test_many_points_are_cut_by_some_of_them():
    points, features, kind = two_kinds(400)
    # A gap between the kinds, so that whoever is near a point is of its kind.
    points = points + 0.4 * kind[:, None] * torch.tensor([1.0, 0, 0])
    cut = cut_points(points, features, CutConfig(most=200), torch.Generator().manual_seed(0))
    agree = (cut.side == kind).double().mean()
    assert max(agree, 1 - agree) > 0.97


def test_no_part_is_smaller_than_asked_for():
    points, features, _ = two_kinds()
    features = features.clone()
    features[:] = 0
    features[:, 0] = 1
    features[0] = torch.nn.functional.one_hot(torch.tensor(5), 16).float()
    cut = cut_points(points, features, CutConfig(smallest=0.2))
    assert 24 <= cut.side.sum() <= 96


def test_too_few_points_are_refused():
    with pytest.raises(ValueError, match="at least 4 points, got 3"):
        cut_points(torch.rand(3, 3), torch.rand(3, 8), CutConfig())
