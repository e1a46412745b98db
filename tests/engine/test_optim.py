from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from scene3d.engine.optim import (
    Average,
    OptimConfig,
    gradient_norm,
    make_optimiser,
    rate_factor,
    set_rate,
)


def test_the_rate_warms_up_then_falls_by_a_half_cosine():
    config = OptimConfig(warm_up=4, decay="cosine", floor=0.1)
    factors = [rate_factor(config, step, 105) for step in range(105)]
    assert factors[:5] == [0.25, 0.5, 0.75, 1.0, 1.0]
    # Half way from step 4 to step 104 the cosine is 0: the mean of 1 and the floor.
    assert factors[54] == pytest.approx(0.55)
    assert factors[104] == pytest.approx(0.1)
    assert all(a >= b for a, b in zip(factors[4:], factors[5:], strict=False))


def test_the_rate_drops_by_steps_or_not_at_all():
    config = OptimConfig(decay="step", drops=(3, 5), factor=0.5)
    assert [rate_factor(config, step, 9) for step in range(7)] == [1, 1, 1, 0.5, 0.5, 0.25, 0.25]
    assert {rate_factor(OptimConfig(decay="constant"), step, 9) for step in range(9)} == {1.0}


def test_groups_scale_the_rate_and_what_is_frozen_is_left_out():
    slow, fast, frozen = (nn.Parameter(torch.ones(1)) for _ in range(3))
    frozen.requires_grad_(False)
    groups = [{"params": [slow, frozen], "scale": 0.1}, {"params": [fast]}, {"params": [frozen]}]
    optimiser = make_optimiser(OptimConfig(), groups)
    set_rate(optimiser, 0.5)
    assert [group["lr"] for group in optimiser.param_groups] == [0.05, 0.5]
    assert [len(group["params"]) for group in optimiser.param_groups] == [1, 1]
    with pytest.raises(ValueError, match="got none"):
        make_optimiser(OptimConfig(), [{"params": [frozen]}])


def test_adam_and_adamw_decay_differently():
    made = {}
    for kind in ("adam", "adamw"):
        weight = nn.Parameter(torch.ones(1))
        optimiser = make_optimiser(OptimConfig(kind=kind, weight_decay=0.5, rate=0.1), [{"params": [weight]}])
        weight.grad = torch.zeros(1)
        optimiser.step()
        made[kind] = weight.item()
    # adamw shrinks by rate * decay; adam's decay is a gradient, which its normalisation turns into one full rate.
    assert made["adamw"] == pytest.approx(0.95)
    assert made["adam"] == pytest.approx(0.9, abs=1e-4)


def test_gradients_are_clipped_to_a_norm_over_all_of_them():
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    a.grad, b.grad = torch.tensor([3.0]), torch.tensor([4.0])
    assert gradient_norm([a, b], None) == 5
    assert gradient_norm([a, b], 1.0) == 5
    torch.testing.assert_close(torch.cat([a.grad, b.grad]), torch.tensor([0.6, 0.8]))
    a.grad = torch.tensor([math.inf])
    assert gradient_norm([a, b], 1.0) == math.inf
    assert b.grad.item() == pytest.approx(0.8)


def test_the_average_follows_and_can_be_swapped_in():
    module = nn.Sequential(nn.Linear(1, 1, bias=False), nn.BatchNorm1d(1))
    module.register_buffer("centres", torch.zeros(1))
    nn.init.constant_(module[0].weight, 0.0)
    average = Average(module, 0.9)
    nn.init.constant_(module[0].weight, 1.0)
    module.centres.fill_(5)
    average.update(module)
    # The first memory is (1 + 1) / (10 + 1) = 2 / 11, so 9 / 11 of the new weight come in.
    with average.swapped_into(module):
        assert module[0].weight.item() == pytest.approx(9 / 11)
        assert module.centres.item() == 5
    assert module[0].weight.item() == 1
