from __future__ import annotations

import pytest
import torch

from scene3d.nn.mlp import Mlp


@pytest.mark.parametrize("activation", ["relu", "softplus"])
@pytest.mark.parametrize("skip", [None, 1, 3, 4])
def test_the_gradient_is_that_of_autograd(activation: str, skip: int | None):
    mlp = Mlp(5, 12, 4, 3, activation=activation, skip=skip).double()
    inputs = torch.randn(20, 5, dtype=torch.float64, requires_grad=True)
    outputs, gradient = mlp.with_gradient(inputs)
    torch.testing.assert_close(outputs, mlp(inputs))
    torch.testing.assert_close(gradient, torch.autograd.grad(outputs[:, 0].sum(), inputs)[0])


def test_training_the_gradient_is_one_backward_and_the_same_as_two():
    mlp = Mlp(4, 9, 3, 2, activation="softplus", skip=2).double()
    inputs = torch.randn(20, 4, dtype=torch.float64, requires_grad=True)
    leaves = list(mlp.parameters())
    (twice,) = torch.autograd.grad(mlp(inputs)[:, 0].sum(), inputs, create_graph=True)
    found = torch.autograd.grad(mlp.with_gradient(inputs)[1].norm(dim=1).sum(), leaves, allow_unused=True)
    expected = torch.autograd.grad(twice.norm(dim=1).sum(), leaves, allow_unused=True)
    for one, other in zip(found, expected, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(one, other)


def test_the_gradient_is_there_without_autograd():
    mlp = Mlp(3, 8, 2, 1, activation="softplus")
    with torch.inference_mode():
        assert mlp.with_gradient(torch.randn(4, 3))[1].abs().sum() > 0


def test_a_network_worked_by_hand():
    mlp = Mlp(1, 2, 1, 1, skip=1, normalised=False)
    with torch.no_grad():
        mlp.layers[0].weight.copy_(torch.tensor([[2.0]]))
        mlp.layers[0].bias.fill_(-1.0)
        mlp.layers[1].weight.copy_(torch.tensor([[3.0, 5.0]]))
        mlp.layers[1].bias.fill_(0.5)
    outputs, gradient = mlp.with_gradient(torch.tensor([[2.0], [0.25]]))
    # relu(2 * 2 - 1) = 3 and the input again, 2: (3 * 3 + 5 * 2) / sqrt(2) + 0.5. Slope (3 * 2 + 5) / sqrt(2).
    # At 0.25 the activation is off: 5 * 0.25 / sqrt(2) + 0.5 with slope 5 / sqrt(2).
    root = 2**0.5
    torch.testing.assert_close(outputs, torch.tensor([[19 / root + 0.5], [1.25 / root + 0.5]]))
    torch.testing.assert_close(gradient, torch.tensor([[11 / root], [5 / root]]))


def test_the_length_of_a_direction_means_nothing_to_a_normalised_layer():
    mlp = Mlp(3, 8, 2, 1)
    inputs = torch.randn(4, 3)
    before = mlp(inputs)
    with torch.no_grad():
        for layer in mlp.layers:
            layer.parametrizations.weight.original1.mul_(3)
    torch.testing.assert_close(mlp(inputs), before)


def test_no_points_are_no_outputs():
    outputs, gradient = Mlp(3, 8, 2, 5, skip=1, activation="softplus").with_gradient(torch.zeros(0, 3))
    assert outputs.shape == (0, 5) and gradient.shape == (0, 3)
