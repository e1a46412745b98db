from __future__ import annotations

import math

import pytest
import torch

from scene3d.ops import composite as module
from scene3d.ops.composite import composite


def samples(counts: list[int], channels: int = 3) -> tuple[torch.Tensor, ...]:
    total = sum(counts)
    offsets = torch.tensor([0, *counts]).cumsum(0)
    opacity = torch.rand(total, dtype=torch.float64)
    features = torch.randn(total, channels, dtype=torch.float64)
    distances = torch.rand(total, dtype=torch.float64) * 10
    return opacity, features, distances, offsets


def test_a_ray_worked_by_hand():
    # T = 1, 0.7, 0: weights 0.3, 0.7, 0.
    found = composite(
        torch.tensor([0.3, 1.0, 0.5]),
        torch.tensor([[1.0], [2.0], [9.0]]),
        torch.tensor([1.0, 3.0, 5.0]),
        torch.tensor([0, 3]),
    )
    torch.testing.assert_close(found.weights, torch.tensor([0.3, 0.7, 0.0]))
    torch.testing.assert_close(found.features, torch.tensor([[0.3 + 1.4]]))
    torch.testing.assert_close(found.distance, torch.tensor([0.3 + 2.1]))
    torch.testing.assert_close(found.opacity, torch.tensor([1.0]))


def test_a_density_is_the_opacity_of_its_length():
    density, length = torch.tensor([0.5]), torch.tensor([2.0])
    found = composite(density, torch.ones(1, 1), torch.ones(1), torch.tensor([0, 1]), length)
    assert found.opacity.item() == pytest.approx(1 - math.exp(-1.0))


def test_rays_without_samples_see_nothing():
    found = composite(*samples([0, 2, 0, 1, 0]))
    for value in (found.features.abs().sum(dim=1), found.distance, found.opacity):
        assert (value[[0, 2, 4]] == 0).all()
        assert (value[[1, 3]] > 0).all()
    nothing = composite(*samples([0, 0]))
    assert nothing.features.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert composite(*samples([])).features.shape == (0, 3)


def test_rays_do_not_touch_each_other():
    opacity, features, distances, offsets = samples([3, 5, 1])
    whole = composite(opacity, features, distances, offsets)
    alone = composite(opacity[3:8], features[3:8], distances[3:8], torch.tensor([0, 5]))
    torch.testing.assert_close(whole.features[1], alone.features[0])
    torch.testing.assert_close(whole.weights[3:8], alone.weights)


@pytest.mark.parametrize("counts", [[4, 0, 7], [1], [0], [], [5, 5, 5]])
@pytest.mark.parametrize("density", [False, True])
def test_the_operator_obeys_its_contract(counts: list[int], density: bool):
    opacity, features, distances, offsets = samples(counts)
    lengths = torch.rand_like(opacity) if density else None
    inputs = [x.requires_grad_() for x in (opacity, features, distances)]
    extra = () if lengths is None else (lengths.requires_grad_(),)
    torch.library.opcheck(torch.ops.scene3d.composite, (*inputs, offsets, lengths))
    if sum(counts):
        assert torch.autograd.gradcheck(lambda a, f, t, *rest: composite(a, f, t, offsets, *rest), (*inputs, *extra))


def test_the_gradient_is_exact_at_opacity_0_and_1():
    opacity, features, distances, offsets = samples([6])
    opacity[1], opacity[3] = 0.0, 1.0
    grads = (
        torch.randn(1, 3, dtype=torch.float64),
        torch.randn(1).double(),
        torch.randn(1).double(),
        torch.randn(6).double(),
    )
    opacity.requires_grad_()
    (expected,) = torch.autograd.grad(module.reference(opacity, features, distances, offsets, None), opacity, grads)
    (found,) = torch.autograd.grad(tuple(composite(opacity, features, distances, offsets)), opacity, grads)
    torch.testing.assert_close(found, expected)


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    opacity, features, distances, offsets = samples([3, 2])
    with pytest.raises(RuntimeError, match=r"composite: features: expected shape \(5, any\), got \(4, 3\)"):
        torch.ops.scene3d.composite(opacity, features[:4], distances, offsets, None)
    with pytest.raises(RuntimeError, match="offsets: expected to rise from 0 to 5"):
        torch.ops.scene3d.composite(opacity, features, distances, torch.tensor([0, 6, 5]), None)
    with pytest.raises(RuntimeError, match="distances: expected the dtype of opacity"):
        torch.ops.scene3d.composite(opacity, features, distances.float(), offsets, None)


@pytest.mark.parametrize("channels", [1, 3, 4, 5, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_kernel_is_the_reference(compiled: None, channels: int, dtype: torch.dtype):
    opacity, features, distances, offsets = samples([9, 0, 33, 1], channels)
    opacity[5] = 1.0
    lengths = torch.rand_like(opacity)
    # Every second row of something larger: neither dense nor in order.
    features = features.repeat_interleave(2, dim=0)[::2].flip(0)
    for given in (None, lengths.to(dtype)):
        inputs = (opacity.to(dtype), features.to(dtype), distances.to(dtype), offsets, given)
        for found, expected in zip(composite(*inputs), module.reference(*inputs), strict=True):
            torch.testing.assert_close(found, expected)
        grads = [torch.randn_like(each) for each in module.reference(*inputs)]
        backward = torch.ops.scene3d.composite_backward(*grads, *inputs)
        for found, expected in zip(backward, module.reference_backward(*grads, *inputs), strict=True):
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
