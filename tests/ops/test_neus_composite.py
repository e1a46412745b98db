from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.ops import neus_composite as module
from scene3d.ops.composite import composite
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.ops.neus_composite import neus_composite


def sections(counts: list[int], channels: int = 3) -> tuple:
    """Sections about a surface, some entering it and some leaving."""
    total, double = sum(counts), {"dtype": torch.float64}
    return (
        0.3 * torch.randn(total, **double),
        2 * torch.rand(total, **double) - 1,
        0.2 * torch.rand(total, **double),
        torch.tensor(7.0, **double),
        torch.randn(total, channels, **double),
        10 * torch.rand(total, **double),
        torch.tensor([0, *counts]).cumsum(0),
        0.4,
    )


def test_it_is_the_two_one_after_the_other():
    arguments = sections([4, 0, 7])
    *of_alpha, features, distances, offsets, anneal = arguments
    expected = composite(neus_alpha(*of_alpha, anneal), features, distances, offsets)
    for one, other in zip(neus_composite(*arguments), expected, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("counts", [[4, 0, 7], [1], [0], []])
def test_the_operator_obeys_its_contract(counts: list[int]):
    arguments = sections(counts, channels=2)
    for leaf in arguments[:6]:
        leaf.requires_grad_()
    torch.library.opcheck(torch.ops.scene3d.neus_composite, arguments)
    if sum(counts):
        rest = arguments[6:]
        assert torch.autograd.gradcheck(lambda *leaves: tuple(neus_composite(*leaves, *rest)), arguments[:6])


@given(counts=st.lists(st.integers(0, 70), max_size=6), channels=st.integers(1, 9), seed=st.integers(0, 99))
def test_the_kernel_is_the_reference(compiled: None, counts: list[int], channels: int, seed: int):
    torch.manual_seed(seed)
    arguments = list(sections(counts, channels))
    arguments[4] = arguments[4].mT.contiguous().mT
    expected = module.reference(*arguments)
    for one, other in zip(torch.ops.scene3d.neus_composite(*arguments), expected, strict=True):
        torch.testing.assert_close(one, other)
    grads = [torch.randn_like(each) for each in expected]
    found = torch.ops.scene3d.neus_composite_backward(*grads, *arguments)
    for one, other in zip(found, module.reference_backward(*grads, *arguments), strict=True):
        torch.testing.assert_close(one, other)


def test_single_precision_stays_close(compiled: None):
    arguments = [
        x.float() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in sections([200, 300])
    ]
    arguments[0][0], arguments[3] = (
        50.0,
        torch.tensor(500.0),
    )  # far out, and sharp: the exponential over- and underflows
    found, expected = neus_composite(*arguments), module.reference(*arguments)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, atol=2e-5, rtol=2e-5)


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    arguments = sections([3, 4])
    with pytest.raises(RuntimeError, match=r"cosine: expected shape \(7\), got \(6\)"):
        torch.ops.scene3d.neus_composite(arguments[0], arguments[1][:6], *arguments[2:])
    with pytest.raises(RuntimeError, match="offsets: expected to rise from 0 to 7"):
        neus_composite(*arguments[:6], torch.tensor([0, 9, 7]), 1.0)
