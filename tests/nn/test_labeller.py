from __future__ import annotations

import torch

from scene3d.nn import labeller as module
from scene3d.nn.labeller import Labeller
from scene3d.structures.labels import IGNORE


def _labeller(names, sharpness=1.0):
    return Labeller(score=lambda features: features, names=torch.tensor(names), sharpness=sharpness)


def test_a_feature_is_of_the_class_of_its_best_group():
    features = torch.tensor([[[1.0, 0, 2], [3, 0, 0]], [[0, 5, 5], [0, 0, 0]]])
    labeller = _labeller([4, 7, 4])
    assert labeller.groups(features).tolist() == [[2, 0], [1, 0]]
    assert labeller.classes(features).tolist() == [[4, 4], [7, 4]]
    assert labeller.called(torch.tensor([0, 1, 2])).classes(features).tolist() == [[2, 0], [1, 0]]


def test_probabilities_by_hand():
    # Scores log 1, log 2, log 3 with sharpness 1: 1/6, 2/6, 3/6; the first and the last are one class.
    features = torch.tensor([[1.0, 2, 3]]).log()
    torch.testing.assert_close(_labeller([1, 0, 1]).probabilities(features, 3), torch.tensor([[2 / 6, 4 / 6, 0]]))
    # With sharpness 2 they are 1, 4, 9 of 14.
    found = _labeller([1, 0, 1], sharpness=2.0).probabilities(features, 2)
    torch.testing.assert_close(found, torch.tensor([[4 / 14, 10 / 14]]))


def test_groups_without_a_name_have_no_say():
    features = torch.tensor([[0.0, 9.0, 0.0]])
    labeller = _labeller([0, IGNORE, 1])
    assert labeller.named
    assert labeller.classes(features).tolist() == [IGNORE]
    torch.testing.assert_close(labeller.probabilities(features, 2), torch.tensor([[0.5, 0.5]]))
    nameless = _labeller([IGNORE] * 3)
    assert not nameless.named
    assert not nameless.probabilities(features, 2).any()


def test_many_features_are_asked_in_parts(monkeypatch):
    features = torch.rand(10, 3)
    whole = _labeller([0, 1, 2])
    expected = whole.groups(features), whole.probabilities(features, 3)
    monkeypatch.setattr(module, "AT_ONCE", 3)
    torch.testing.assert_close((whole.groups(features), whole.probabilities(features, 3)), expected)
    assert whole.groups(features[:0]).shape == (0,)
    assert whole.probabilities(features[:0], 3).shape == (0, 3)
