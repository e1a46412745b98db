from __future__ import annotations

import pytest
import torch

from scene3d.nn.linear_probe import fit_linear_probe


def test_it_finds_the_layer_that_made_the_labels():
    torch.manual_seed(0)
    features = torch.randn(4000, 6) * torch.tensor([1, 1, 100, 0.01, 1, 1.0]) + 3
    true = torch.randn(5, 6) / torch.tensor([1, 1, 100, 0.01, 1, 1.0])
    labels = ((features - 3) @ true.mT).argmax(dim=1)
    weight, bias = fit_linear_probe(features[:3000], labels[:3000], 5)
    said = (features[3000:] @ weight.mT + bias).argmax(dim=1)
    assert (said == labels[3000:]).float().mean() > 0.97


def test_the_answer_is_the_minimum_two_values_by_hand():
    # A feature of 0 or 1; of the zeros a quarter are of class 1, of the ones three quarters. The best layer says these
    # shares, so the difference of the scores is -log 3 and log 3.
    features = torch.tensor([[0.0]] * 4 + [[1.0]] * 4)
    labels = torch.tensor([0, 0, 0, 1, 0, 1, 1, 1])
    weight, bias = fit_linear_probe(features, labels, 2)
    scores = torch.tensor([[0.0], [1.0]]) @ weight.mT + bias
    expected = torch.tensor([3.0]).log().item()
    assert (scores[0, 1] - scores[0, 0]).item() == pytest.approx(-expected, abs=1e-3)
    assert (scores[1, 1] - scores[1, 0]).item() == pytest.approx(expected, abs=1e-3)


def test_it_does_not_depend_on_the_scale_or_on_where_zero_is():
    torch.manual_seed(0)
    features, labels = torch.randn(300, 3), torch.randint(3, (300,))
    weight, bias = fit_linear_probe(features, labels, 3)
    other, shift = fit_linear_probe(7 * features - 2, labels, 3)
    torch.testing.assert_close(
        torch.softmax(features @ weight.mT + bias, 1),
        torch.softmax((7 * features - 2) @ other.mT + shift, 1),
        atol=1e-3,
        rtol=0,
    )


def test_classes_without_labels_are_never_said():
    features = torch.randn(50, 2)
    weight, bias = fit_linear_probe(features, torch.full((50,), 2), 4)
    assert ((features @ weight.mT + bias).argmax(dim=1) == 2).all()
    with pytest.raises(ValueError, match="labelled features"):
        fit_linear_probe(features[:0], torch.zeros(0, dtype=torch.int64), 4)
