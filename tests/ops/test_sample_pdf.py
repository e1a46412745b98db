from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.ops import sample_pdf as module
from scene3d.ops.sample_pdf import sample_pdf


def test_samples_worked_by_hand():
    # A quarter of the weight lies in the first metre, the rest in the last two; the middle metre has none.
    edges, weights = torch.tensor([[0.0, 1.0, 2.0, 4.0]]), torch.tensor([[1.0, 0.0, 3.0]])
    found = sample_pdf(edges, weights, torch.tensor([[0.0, 0.125, 0.625, 1.0]]))
    torch.testing.assert_close(found, torch.tensor([[0.0, 0.5, 3.0, 4.0]]))


def test_a_ray_without_weight_is_sampled_evenly():
    edges = torch.tensor([[0.0, 1.0, 3.0]])
    found = sample_pdf(edges, torch.zeros(1, 2), torch.tensor([[0.25, 0.5, 0.75]]))
    torch.testing.assert_close(found, torch.tensor([[0.5, 1.0, 2.0]]))


def test_nothing_is_drawn_from_bins_without_weight():
    edges = torch.arange(7.0)[None]
    weights = torch.tensor([[0.0, 1.0, 0.0, 0.0, 2.0, 0.0]])
    found = sample_pdf(edges, weights, torch.linspace(0, 1, 101)[None])[0]
    assert (((found >= 1) & (found <= 2)) | ((found >= 4) & (found <= 5))).all()
    assert (found.diff() >= 0).all()


@given(st.integers(0, 2**31 - 1))
def test_kernel_and_reference_draw_the_same(seed: int):
    torch.manual_seed(seed)
    edges = torch.rand(6, 9).double().sort(dim=1).values
    weights = torch.rand(6, 8).double() * (torch.rand(6, 8) > 0.4)
    positions = torch.rand(6, 13).double()  # in no order
    torch.testing.assert_close(sample_pdf(edges, weights, positions), module.reference(edges, weights, positions))


@pytest.mark.parametrize(("rays", "bins", "count"), [(3, 4, 5), (0, 4, 5), (3, 1, 1), (3, 4, 0)])
def test_the_operator_obeys_its_contract(rays: int, bins: int, count: int):
    edges = torch.rand(rays, bins + 1).sort(dim=1).values
    torch.library.opcheck(torch.ops.scene3d.sample_pdf, (edges, torch.rand(rays, bins), torch.rand(rays, count)))


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    with pytest.raises(RuntimeError, match=r"edges: expected shape \(2, 4\), got \(2, 3\)"):
        torch.ops.scene3d.sample_pdf(torch.rand(2, 3), torch.rand(2, 3), torch.rand(2, 5))
