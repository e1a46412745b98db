from __future__ import annotations

import math

import pytest
import torch

from scene3d.losses.surface import colour_difference, eikonal, emptiness, silhouette


def test_gradients_of_length_one_cost_nothing():
    assert eikonal(torch.nn.functional.normalize(torch.randn(20, 3), dim=1)) == pytest.approx(0, abs=1e-12)
    # Lengths 3 and 0: (4 + 1) / 2.
    assert eikonal(torch.tensor([[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]])) == 2.5
    assert eikonal(torch.zeros(0, 3)) == 0


def test_a_silhouette_is_judged_by_cross_entropy():
    found = silhouette(torch.tensor([0.5, 0.25]), torch.tensor([True, False]))
    assert found == pytest.approx(-(math.log(0.5) + math.log(0.75)) / 2)


def test_certain_opacities_are_not_pushed_further():
    opacity = torch.tensor([0.0, 1.0, 0.3], requires_grad=True)
    silhouette(opacity, torch.tensor([True, True, True])).backward()
    assert opacity.grad[:2].tolist() == [0, 0] and opacity.grad[2] < 0


def test_colours_differ_by_their_mean():
    assert colour_difference(torch.zeros(2, 3), torch.tensor([[0.3, 0, 0], [0, 0.3, 0]])) == pytest.approx(0.1)


def test_what_is_to_be_empty_is_judged_by_how_deep_it_lies():
    assert float(emptiness(torch.tensor([0.5, -0.2, -0.4, 0.0]))) == pytest.approx(0.15)
    assert float(emptiness(torch.zeros(0))) == 0
