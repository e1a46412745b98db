from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.ops import field_density as module
from scene3d.ops.field_density import field_density
from tests.ops.fields import points_about, small_field


def test_a_point_worked_by_hand():
    # One channel, no octaves: hidden = map + x + 2 y + 4 z of the encoded position, density = softplus(hidden).
    field = small_field(hidden=1, octaves=0, batch=1)
    K = torch.tensor([[[10.0, 0, 12], [0, 10, 8], [0, 0, 1]]]).double()
    one = torch.ones(1).double()
    weights = torch.tensor([[1.0, 2.0, 4.0]]).double()
    field = field._replace(folded=torch.full_like(field.folded, 0.5), K=K, from_position=weights, to_density=one)
    field = field._replace(bias=torch.zeros(()).double(), near=2.0, far=10.0)
    # (1.2, 0, 2): pixel (18, 8) of 24 x 16, so x = 0.5 and y = 0; at the near end z = 1. Hidden 0.5 + 0.5 + 4 = 5.
    density, valid = field_density(field, torch.tensor([[[1.2, 0, 2], [0, 0, -1]]]).double())
    assert density[0, 0].item() == pytest.approx(torch.nn.functional.softplus(torch.tensor(5.0)).item())
    assert valid.tolist() == [[True, False]]


@pytest.mark.parametrize("points", [0, 1, 130])
def test_the_operator_obeys_its_contract(points: int):
    field, where = small_field(), points_about(2, points)
    leaves = [field.folded, field.from_position, field.to_density, field.bias]
    for leaf in leaves:
        leaf.requires_grad_()
    torch.library.opcheck(torch.ops.scene3d.field_density, (*field[:5], where, *field[5:]))
    if points == 1:
        assert torch.autograd.gradcheck(
            lambda m, w, d, b: field_density(
                field._replace(folded=m, from_position=w, to_density=d, bias=b), where.expand(2, 1, 3)
            )[0],
            leaves,
        )


@given(hidden=st.integers(1, 40), octaves=st.integers(0, 6), points=st.integers(1, 200), seed=st.integers(0, 99))
def test_the_kernel_is_the_reference(compiled: None, hidden: int, octaves: int, points: int, seed: int):
    torch.manual_seed(seed)
    field, where = small_field(hidden, octaves), points_about(2, points)
    where[0, 0] = torch.nan
    folded = field.folded.mT.contiguous().mT
    inputs = (folded, *field[1:5], where, *field[5:])
    expected = module.reference(*inputs)
    for one, other in zip(torch.ops.scene3d.field_density(*inputs), expected, strict=True):
        torch.testing.assert_close(one, other, equal_nan=True)
    grad = torch.randn_like(expected[0])
    where[0, 0] = 1.0
    found = torch.ops.scene3d.field_density_backward(grad, *inputs)
    for one, other in zip(found, module.reference_backward(grad, *inputs), strict=True):
        torch.testing.assert_close(one, other)


def test_single_precision_stays_close(compiled: None):
    field, where = small_field(64, 6, dtype=torch.float32), points_about(2, 500, torch.float32)
    exact = small_field(64, 6)
    exact = exact._replace(**{name: getattr(field, name).double() for name in field._fields[:5]})
    found, _ = field_density(field, where)
    expected, _ = field_density(exact, where.double())
    torch.testing.assert_close(found.double(), expected, atol=1e-4, rtol=1e-4)


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    field, where = small_field(), points_about(2, 3)
    with pytest.raises(RuntimeError, match=r"from_position: expected 3 \(1 \+ 2 octaves\) columns"):
        field_density(field._replace(from_position=torch.zeros(5, 14).double()), where)
    with pytest.raises(RuntimeError, match=r"points: expected shape \(2, any, 3\), got \(1, 3, 3\)"):
        field_density(field, where[:1])
    with pytest.raises(RuntimeError, match="points: expected the dtype of K, float64, got float32"):
        field_density(field, where.float())
    with pytest.raises(RuntimeError, match="0 < near < far"):
        field_density(field._replace(near=40.0), where)
