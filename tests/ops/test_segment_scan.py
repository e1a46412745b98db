from __future__ import annotations

import pytest
import torch

from scene3d.ops import segment_scan as module
from scene3d.ops.segment_scan import segment_scan

OFFSETS = torch.tensor([0, 3, 3, 5])


def test_sums_worked_by_hand():
    values = torch.tensor([1.0, 2.0, 4.0, 10.0, 20.0])
    assert segment_scan(values, OFFSETS).tolist() == [1, 3, 7, 10, 30]
    assert segment_scan(values, OFFSETS, exclusive=True).tolist() == [0, 1, 3, 0, 10]
    assert segment_scan(values, OFFSETS, reverse=True).tolist() == [7, 6, 4, 30, 20]
    assert segment_scan(values, OFFSETS, exclusive=True, reverse=True).tolist() == [6, 4, 0, 20, 0]


def test_a_large_ray_does_not_round_its_neighbours():
    values = torch.tensor([1e9, 1e9, 0.125, 0.25])
    assert segment_scan(values, torch.tensor([0, 2, 4])).tolist()[2:] == [0.125, 0.375]


@pytest.mark.parametrize("exclusive", [False, True])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("counts", [[3, 0, 2], [1], [0], []])
def test_the_operator_obeys_its_contract(counts: list[int], exclusive: bool, reverse: bool):
    offsets = torch.tensor([0, *counts]).cumsum(0)
    values = torch.randn(sum(counts), dtype=torch.float64, requires_grad=True)
    torch.library.opcheck(torch.ops.scene3d.segment_scan, (values, offsets, exclusive, reverse))
    if len(values):
        assert torch.autograd.gradcheck(
            lambda v: segment_scan(v, offsets, exclusive=exclusive, reverse=reverse), (values,)
        )
    torch.testing.assert_close(
        segment_scan(values, offsets, exclusive=exclusive, reverse=reverse),
        module.reference(values, offsets, exclusive, reverse),
    )


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    with pytest.raises(RuntimeError, match="offsets: expected to rise from 0 to 3"):
        torch.ops.scene3d.segment_scan(torch.rand(3), torch.tensor([0, 4]), False, False)
