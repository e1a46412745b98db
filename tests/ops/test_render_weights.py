from __future__ import annotations

import pytest
import torch

from scene3d.ops.render_weights import reference, reference_backward, render_weights


def test_the_first_opaque_sample_takes_all_that_is_left():
    # T = 1, 0.7, 0.0, 0.0, so w = 0.3, 0.7 * 1, 0, 0.
    weights = render_weights(torch.tensor([[0.3, 1.0, 0.5, 0.2]]))
    torch.testing.assert_close(weights, torch.tensor([[0.3, 0.7, 0.0, 0.0]]))


def test_weights_and_what_is_left_sum_to_one():
    opacity = torch.rand(7, 12, dtype=torch.float64)
    left = (1 - opacity).prod(dim=-1)
    torch.testing.assert_close(render_weights(opacity).sum(dim=-1) + left, torch.ones(7, dtype=torch.float64))


def test_the_gradient_is_exact_behind_a_wall():
    # L = sum w f with f = (0.1, 0.2, 0.3, 0.4): w = (a1, (1-a1) a2, ...). At a2 = 1,
    # dL/da2 = (1-a1) (f2 - f3 a3 - f4 a4 (1-a3)) = 0.7 (0.2 - 0.15 - 0.04) = 0.007.
    opacity = torch.tensor([[0.3, 1.0, 0.5, 0.2]], requires_grad=True)
    (render_weights(opacity) * torch.tensor([0.1, 0.2, 0.3, 0.4])).sum().backward()
    assert opacity.grad is not None
    assert opacity.grad[0, 1].item() == pytest.approx(0.007, abs=1e-7)


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4), (4, 1), (0, 5), (3, 0)])
def test_the_operator_obeys_its_contract(shape: tuple[int, ...]):
    opacity = torch.rand(shape, dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(torch.ops.scene3d.render_weights, (opacity,))
    if opacity.numel():
        assert torch.autograd.gradcheck(render_weights, (opacity,))


def test_the_written_backward_is_autograds_of_the_reference():
    opacity = torch.rand(6, 9, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(6, 9, dtype=torch.float64)
    (expected,) = torch.autograd.grad(reference(opacity), opacity, grad)
    torch.testing.assert_close(reference_backward(grad, opacity.detach()), expected)
