from __future__ import annotations

import torch

from scene3d.nn.whitening import Whitening


def test_what_comes_out_has_mean_0_and_deviation_1_in_every_direction():
    torch.manual_seed(0)
    features = torch.randn(2000, 6) @ torch.randn(6, 6) + 5
    whitening = Whitening(6, 4)
    whitening.fit(features)
    found = whitening(features)
    assert found.shape == (2000, 4)
    torch.testing.assert_close(found.mean(dim=0), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.mT @ found / 2000, torch.eye(4), atol=1e-3, rtol=0)


def test_the_loudest_directions_stay_by_hand():
    # Points at (3, 0), (-3, 0), (0, 1), (0, -1), shifted by (1, 1): deviations 3 / sqrt 2 and 1 / sqrt 2.
    features = torch.tensor([[4.0, 1], [-2, 1], [1, 2], [1, 0]])
    one = Whitening(2, 1)
    one.fit(features)
    torch.testing.assert_close(one(features)[:, 0], torch.tensor([2**0.5, -(2**0.5), 0, 0]))


def test_it_does_not_depend_on_how_features_are_mixed_but_for_signs():
    torch.manual_seed(0)
    features = torch.randn(500, 3) * torch.tensor([1, 2, 4.0])
    turn = torch.linalg.qr(torch.randn(3, 3)).Q
    plain, turned = Whitening(3, 3), Whitening(3, 3)
    plain.fit(features)
    turned.fit(features @ turn.mT)
    a, b = plain(features), turned(features @ turn.mT)
    torch.testing.assert_close(a @ a.mT, b @ b.mT, atol=1e-3, rtol=1e-3)


def test_a_direction_without_spread_does_no_harm():
    features = torch.zeros(10, 3)
    features[:, 0] = torch.arange(10.0)
    whitening = Whitening(3, 3)
    whitening.fit(features)
    assert torch.isfinite(whitening(features)).all()
