from __future__ import annotations

import torch

from scene3d.nn.belief import Belief, Measurement, fuse, hypotheses, measure

ONE = torch.ones(())


def a_belief(mean: float = 0.5, variance: float = 0.01, shape: tuple[int, ...] = (1, 2, 3)) -> Belief:
    return Belief(torch.full(shape, mean, dtype=torch.float64), torch.full(shape, variance, dtype=torch.float64))


def everywhere(nearness: torch.Tensor) -> torch.Tensor:
    return torch.ones_like(nearness, dtype=torch.bool)


def test_hypotheses_reach_three_deviations_to_either_side():
    found = hypotheses(a_belief(0.5, 0.01), 7)[0, :, 0, 0]
    torch.testing.assert_close(found, 0.5 + 0.1 * torch.arange(-3, 4).double())


def test_a_gate_of_0_gives_the_belief_back_bit_for_bit():
    torch.manual_seed(0)
    belief = Belief(torch.rand(2, 5, 7), torch.rand(2, 5, 7))
    measured = Measurement(torch.rand(2, 5, 7), 100 * torch.rand(2, 5, 7), *(torch.rand(2, 5, 7) for _ in range(3)))
    kept = fuse(belief, measured, torch.zeros(2, 5, 7))
    assert torch.equal(kept.mean, belief.mean)
    assert torch.equal(kept.variance, belief.variance)


def test_a_flat_cost_leaves_the_belief_as_it_is_even_where_some_hypotheses_are_hidden():
    belief = a_belief()
    nearness = hypotheses(belief, 16)
    cost = torch.full_like(nearness, 0.3)
    seen = everywhere(nearness)
    seen[:, 11:, 1] = False
    measured = measure(belief, nearness, cost, seen, ONE)
    torch.testing.assert_close(measured.mean, belief.mean)
    after = fuse(belief, measured, torch.ones_like(belief.mean))
    torch.testing.assert_close(after.mean, belief.mean)
    torch.testing.assert_close(after.variance, belief.variance)
    torch.testing.assert_close(measured.entropy, torch.ones_like(measured.entropy))


def test_two_gaussians_make_the_closed_form():
    # 0.5 +- 0.1 and 0.6 +- 0.05: precisions 100 and 400, mean (50 + 240) / 500 = 0.58, variance 1 / 500.
    measured = Measurement(*(torch.full((1, 1, 1), v).double() for v in (0.6, 400.0, 0.0, 0.0, 1.0)))
    after = fuse(a_belief(0.5, 0.01, (1, 1, 1)), measured, torch.ones(1, 1, 1).double())
    torch.testing.assert_close(after.mean, torch.full((1, 1, 1), 0.58).double())
    torch.testing.assert_close(after.variance, torch.full((1, 1, 1), 1 / 500).double())


def test_a_quadratic_cost_is_measured_as_the_gaussian_that_it_is():
    # exp(-cost) with cost (x - 0.52)^2 / (2 * 0.02^2): narrow beside the hypotheses, of which there are enough.
    belief = a_belief(0.5, 0.01)
    nearness = hypotheses(belief, 401)
    cost = (nearness - 0.52) ** 2 / (2 * 0.02**2)
    measured = measure(belief, nearness, cost, everywhere(nearness), ONE)
    torch.testing.assert_close(measured.mean, torch.full_like(measured.mean, 0.52), atol=1e-6, rtol=0)
    # Less what a flat cost over six deviations would claim: 1 / (0.6^2 / 12) = 33.3, a little more for 401 steps.
    expected = torch.full_like(measured.precision, 1 / 0.02**2 - 33.2)
    torch.testing.assert_close(measured.precision, expected, atol=0, rtol=1e-3)
    assert measured.lowest.abs().max() < 1e-3


def test_what_no_frame_sees_tells_nothing_and_has_a_finite_gradient():
    belief = a_belief()
    nearness = hypotheses(belief, 8)
    cost = torch.rand(nearness.shape, dtype=torch.float64, requires_grad=True)
    seen = torch.zeros_like(nearness, dtype=torch.bool)
    seen[:, 3, 0] = True
    measured = measure(belief, nearness, cost, seen, ONE)
    after = fuse(belief, measured, torch.ones_like(belief.mean))
    assert torch.equal(after.mean, belief.mean)
    assert torch.equal(after.variance, belief.variance)
    (after.mean.sum() + measured.entropy.sum()).backward()
    assert torch.isfinite(cost.grad).all()


def test_gradients_are_those_of_finite_differences():
    torch.manual_seed(1)
    belief = a_belief(shape=(1, 1, 2))
    nearness = hypotheses(belief, 5)
    cost = torch.rand(nearness.shape, dtype=torch.float64, requires_grad=True)
    temperature = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)

    def refined(cost: torch.Tensor, temperature: torch.Tensor) -> torch.Tensor:
        measured = measure(belief, nearness, cost, everywhere(nearness), temperature)
        return torch.stack(fuse(belief, measured, torch.full_like(belief.mean, 0.7)))

    assert torch.autograd.gradcheck(refined, (cost, temperature))
