from __future__ import annotations

import math

import pytest
import torch

from scene3d.losses.cues import depth_cue, normal_cue_cosine, normal_cue_l1, solve_scale_shift

ALL = torch.ones(1, 4, dtype=torch.bool)


def test_scale_and_shift_of_exact_depth_are_found_for_each_image():
    depth = torch.tensor([[1.0, 2, 3, 4], [2, 4, 6, 9]])
    cue = torch.stack([0.5 * depth[0] + 2, 3 * depth[1] - 1])
    scale, shift = solve_scale_shift(depth, cue, ALL.expand(2, -1))
    torch.testing.assert_close(scale, torch.tensor([0.5, 3]))
    torch.testing.assert_close(shift, torch.tensor([2.0, -1]))
    assert depth_cue(depth, cue, ALL.expand(2, -1)) < 1e-6


def test_least_squares_agree_with_the_normal_equations():
    depth, cue = torch.rand(1, 50, dtype=torch.float64), torch.rand(1, 50, dtype=torch.float64)
    cue = cue + depth
    valid = torch.rand(1, 50) > 0.3
    system = torch.stack([depth[valid], torch.ones_like(depth[valid])], dim=1)
    expected = torch.linalg.lstsq(system, cue[valid][:, None]).solution[:, 0]
    scale, shift = solve_scale_shift(depth, cue, valid, robust=False)
    torch.testing.assert_close(torch.cat([scale, shift]), expected)


def test_a_few_gross_errors_move_least_squares_and_not_the_robust_fit():
    depth = torch.linspace(1, 5, 100, dtype=torch.float64)[None]
    cue = 2 * depth + 1 + 0.01 * torch.sin(37 * depth)
    cue[0, ::10] += 20
    valid = torch.ones(1, 100, dtype=torch.bool)
    plain, _ = solve_scale_shift(depth, cue, valid, robust=False)
    scale, shift = solve_scale_shift(depth, cue, valid)
    torch.testing.assert_close(scale, torch.tensor([2.0], dtype=torch.float64), atol=0.01, rtol=0)
    torch.testing.assert_close(shift, torch.tensor([1.0], dtype=torch.float64), atol=0.03, rtol=0)
    assert (plain - 2).abs() > 0.05


def test_near_stays_near_even_where_the_cue_says_the_opposite():
    depth = torch.tensor([[1.0, 2, 3, 4]])
    scale, shift = solve_scale_shift(depth, -2 * depth, ALL, robust=False)
    # The spread of the cue is twice that of the depth; means -5 and 2.5 give the shift -5 - 2 x 2.5.
    torch.testing.assert_close(scale, torch.tensor([2.0]))
    torch.testing.assert_close(shift, torch.tensor([-10.0]))


def test_errors_count_in_spreads_of_the_cue():
    # Least squares of (0, 0, 0, 4) on (-3, -1, 1, 3): w = 12 / 20, q = 1, errors (0.8, -0.4, -1.6, 1.2) of mean 1.
    # The cue is off its mean 1 by (1, 1, 1, 3), 1.5 on average.
    depth, cue = torch.tensor([[-3.0, -1, 1, 3]]), torch.tensor([[0.0, 0, 0, 4]])
    torch.testing.assert_close(depth_cue(depth, cue, ALL, robust=False), torch.tensor(1 / 1.5))
    torch.testing.assert_close(depth_cue(depth, 7 * cue - 3, ALL, robust=False), torch.tensor(1 / 1.5))


def test_what_is_not_valid_says_nothing_and_spreads_nothing():
    depth = torch.tensor([[1.0, 2, 3, torch.nan], [1, 1, 1, 1], [1, 2, 3, 4]], requires_grad=True)
    cue = torch.tensor([[2.0, 4, 7, torch.inf], [1, 2, 3, 4], [1, 2, 3, 4]])
    valid = torch.tensor([[True, True, True, False], [True] * 4, [True, False, False, False]])
    loss = depth_cue(depth, cue, valid)
    loss.backward()
    assert torch.isfinite(loss) and torch.isfinite(depth.grad).all()
    assert (depth.grad[1:] == 0).all() and depth.grad[0, :3].any()
    assert depth_cue(depth, cue, torch.zeros_like(valid)) == 0


def test_a_wrong_point_is_drawn_to_where_the_cue_has_it():
    true = torch.linspace(1, 3, 40, dtype=torch.float64)[None]
    cue, valid = 0.3 * true + 0.7, torch.ones(1, 40, dtype=torch.bool)
    free = true + 0.2 * torch.randn(1, 40, dtype=torch.float64)
    before = (free - true).abs().mean()
    free.requires_grad_()
    optimiser = torch.optim.Adam([free], lr=2e-2)
    for _ in range(100):
        optimiser.zero_grad()
        depth_cue(free, cue, valid).backward()
        optimiser.step()
    scale, shift = solve_scale_shift(free.detach(), cue, valid)
    # Up to the scale and shift that the cue leaves open.
    assert ((scale * free.detach() + shift - 0.7) / 0.3 - true).abs().mean() < 0.2 * before


def test_normals_cost_their_angle_and_their_distance():
    normals = torch.tensor([[2.0, 0, 0], [0, 3, 0], [1, 0, 0]])
    cue = torch.tensor([[1.0, 0, 0], [0.5, 0.5 * math.sqrt(3), 0], [0, 0, 5]])
    valid = torch.tensor([True, True, False])
    # 0 and 30 degrees; the last does not count.
    expected = (1 - math.cos(math.pi / 6)) / 2
    assert normal_cue_cosine(normals, cue, valid) == pytest.approx(expected, abs=1e-6)
    assert normal_cue_l1(normals, cue, valid) == pytest.approx((0.5 + 1 - math.sqrt(0.75)) / 2, abs=1e-6)
    none = torch.zeros(3, dtype=torch.bool)
    assert normal_cue_cosine(normals, cue, none) == 0 and normal_cue_l1(normals, cue, none) == 0


@pytest.mark.parametrize("loss", [normal_cue_cosine, normal_cue_l1])
def test_the_gradient_of_normals_is_that_of_the_loss(loss):
    normals = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    cue, valid = torch.randn(6, 3, dtype=torch.float64), torch.tensor([True] * 5 + [False])
    assert torch.autograd.gradcheck(lambda free: loss(free, cue, valid), (normals,))
