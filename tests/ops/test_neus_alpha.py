from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.ops import neus_alpha as module
from scene3d.ops.neus_alpha import neus_alpha


def samples(*shape: int) -> tuple[torch.Tensor, ...]:
    """Away from where the cosine changes sides, and from where the opacity is cut off."""
    sdf = 0.3 * torch.randn(shape, dtype=torch.float64)
    cosine = torch.where(
        torch.rand(shape) < 0.7, -0.1 - 0.8 * torch.rand(shape), 0.1 + 0.8 * torch.rand(shape)
    ).double()
    return sdf, cosine, 0.05 + 0.2 * torch.rand(shape, dtype=torch.float64), torch.tensor(7.0, dtype=torch.float64)


def test_a_section_worked_by_hand():
    # Straight in (cosine -1): the ends lie at sdf + 0.1 and sdf - 0.1, where the logistic lets through
    # 1 / (1 + exp(-10 * 0.1)) = 0.7311 and 0.2689.
    alpha = neus_alpha(torch.tensor([0.0]), torch.tensor([-1.0]), torch.tensor([0.2]), torch.tensor(10.0))
    before, after = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(1))
    assert alpha.item() == pytest.approx((before - after + 1e-5) / (before + 1e-5), abs=1e-6)


def test_a_ray_that_leaves_is_clear_once_annealed():
    leaving = (torch.tensor([0.02]), torch.tensor([0.5]), torch.tensor([0.2]), torch.tensor(50.0))
    assert neus_alpha(*leaving, 1.0).item() < 1e-4
    # A young field does not know its inside from its outside: half of 1 - cosine counts as entering.
    assert neus_alpha(*leaving, 0.0).item() > 0.05


@given(st.floats(-5, 5), st.floats(-1, 1), st.floats(0, 2), st.floats(0.1, 1e4), st.floats(0, 1))
def test_opacities_stay_in_their_range(sdf: float, cosine: float, length: float, sharpness: float, anneal: float):
    inputs = (torch.tensor([value]) for value in (sdf, cosine, length))
    alpha = neus_alpha(*inputs, torch.tensor(sharpness), anneal)
    assert 0 <= alpha.item() <= 1


@pytest.mark.parametrize("shape", [(4, 3), (1,), (0,), (2, 0, 3)])
@pytest.mark.parametrize("anneal", [0.0, 0.4, 1.0])
def test_the_operator_obeys_its_contract(shape: tuple[int, ...], anneal: float):
    inputs = tuple(x.requires_grad_() for x in samples(*shape))
    torch.library.opcheck(torch.ops.scene3d.neus_alpha, (*inputs, anneal))
    if inputs[0].numel():
        assert torch.autograd.gradcheck(lambda *x: neus_alpha(*x, anneal), inputs)
        assert torch.autograd.gradgradcheck(lambda *x: neus_alpha(*x, anneal), inputs)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("anneal", [0.0, 0.4, 1.0])
def test_the_kernel_is_the_reference(compiled: None, dtype: torch.dtype, anneal: float):
    sdf, cosine, length, sharpness = (x.to(dtype) for x in samples(37, 11))
    sdf[0], sdf[1], cosine[2] = 40.0, -40.0, 0.0
    inputs = (sdf.T.contiguous().T, cosine, length, sharpness, anneal)
    torch.testing.assert_close(torch.ops.scene3d.neus_alpha(*inputs), module.reference(*inputs), atol=1e-5, rtol=1e-4)
    grad = torch.randn_like(sdf)
    found = torch.ops.scene3d.neus_alpha_backward(grad, *inputs)
    for one, other in zip(found, module.reference_backward(grad, *inputs), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3 if dtype == torch.float32 else 1e-7, rtol=1e-3)


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    sdf, cosine, length, sharpness = samples(4)
    with pytest.raises(RuntimeError, match=r"neus_alpha: cosine: expected shape \(4\), got \(3\)"):
        torch.ops.scene3d.neus_alpha(sdf, cosine[:3], length, sharpness, 1.0)
    with pytest.raises(RuntimeError, match=r"sharpness: expected shape \(\), got \(1\)"):
        torch.ops.scene3d.neus_alpha(sdf, cosine, length, sharpness[None], 1.0)
