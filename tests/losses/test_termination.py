from __future__ import annotations

import math

import pytest
import torch

from scene3d.losses.termination import solidity, termination


def test_a_ray_worked_by_hand():
    # Through 4 m of mean density 0.3 / m, then 0.5 m of density 2 / m: exp(-1.2) (1 - exp(-1)).
    found = termination(torch.tensor([0.2, 0.4]), torch.tensor(4.0), torch.tensor(2.0), 0.5)
    assert found.item() == pytest.approx(-math.log(math.exp(-1.2) * (1 - math.exp(-1))), abs=1e-5)


def test_the_truth_is_the_most_likely():
    """Rays that end after an exponential length, as they do in fog of density 0.5 / m, are best explained by it."""
    lengths = -torch.log(torch.rand(20000)) / 0.5

    def surprise(density: float) -> float:
        value = torch.full((len(lengths),), density)
        return termination(value[:, None], lengths, value, 0.01).mean().item()

    best = min((surprise(d), d) for d in (0.3, 0.4, 0.45, 0.5, 0.55, 0.6, 0.8))[1]
    assert best == pytest.approx(0.5, abs=0.051)


def test_nothing_at_all_has_a_finite_loss_and_a_gradient():
    density = torch.zeros(3, requires_grad=True)
    loss = solidity(density, 0.5).sum()
    assert math.isfinite(loss.item())
    loss.backward()
    assert density.grad is not None and torch.isfinite(density.grad).all() and (density.grad < 0).all()
