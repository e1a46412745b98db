from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.ops import grid_march as module
from scene3d.ops.grid_march import grid_march, grid_march_fixed, pack_occupancy

BOX = {"cells": 4, "lower": (-1.0, -1.0, -1.0), "size": 2.0}


def rays(count: int) -> tuple[torch.Tensor, ...]:
    origins = torch.rand(count, 3).double() * 6 - 3
    directions = torch.nn.functional.normalize(torch.randn(count, 3).double(), dim=1)
    return origins, directions, torch.zeros(count).double(), torch.full((count,), 8.0).double()


def along_x(near: float = 0.0, far: float = 4.0) -> tuple[torch.Tensor, ...]:
    """From 2 m before the middle of the box, along x, through cells (i, 2, 2)."""
    return (
        torch.tensor([[-2.0, 0.1, 0.1]]),
        torch.tensor([[1.0, 0.0, 0.0]]),
        torch.tensor([near]),
        torch.tensor([far]),
    )


def test_bits_lie_row_major_from_the_lowest():
    occupied = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    occupied[0, 0, 0, 3] = occupied[0, 1, 3, 3] = occupied[0, 2, 0, 0] = True
    # Indices 3, 31 and 32; bit 31 is the sign.
    assert pack_occupancy(occupied).tolist() == [[8 - 2**31, 1]]


def test_steps_in_an_occupied_cell_worked_by_hand():
    occupied = torch.zeros(1, 4, 4, 4, dtype=torch.bool)
    occupied[0, 1, 2, 2] = True  # x from -0.5 to 0, which the ray reaches after 1.5 to 2 m
    found = grid_march(*along_x(), pack_occupancy(occupied), **BOX, step=0.2)
    # Middles at 0.1, 0.3, ...: 1.5 (on the face, which belongs to the cell), 1.7 and 1.9.
    torch.testing.assert_close(found.begin[-2:], torch.tensor([1.6, 1.8]))
    torch.testing.assert_close(found.end[-2:], torch.tensor([1.8, 2.0]))
    assert len(found.begin) in (2, 3)
    assert found.offsets.tolist() == [0, len(found.begin)]


def test_steps_grow_with_distance():
    whole = pack_occupancy(torch.ones(1, 4, 4, 4, dtype=torch.bool))
    found = grid_march(*along_x(near=1.0), whole, **BOX, step=0.1, cone=0.1)
    lengths = found.end - found.begin
    torch.testing.assert_close(lengths, 0.1 * found.begin)
    torch.testing.assert_close(found.begin[1:], found.end[:-1])


def test_an_outer_level_is_asked_only_outside_of_the_inner_one():
    occupied = torch.zeros(2, 4, 4, 4, dtype=torch.bool)
    occupied[1] = True  # 4 m wide: from 0 to 1 and from 3 to 4 along the ray
    found = grid_march(*along_x(far=10.0), pack_occupancy(occupied), **BOX, step=0.25)
    torch.testing.assert_close(found.begin, torch.tensor([0, 0.25, 0.5, 0.75, 3, 3.25, 3.5, 3.75]))


def test_a_fixed_capacity_keeps_the_first_steps():
    whole = pack_occupancy(torch.ones(1, 4, 4, 4, dtype=torch.bool))
    begin, end, counts = grid_march_fixed(*along_x(), whole, **BOX, step=0.25, capacity=3)
    assert begin.tolist() == [[1.0, 1.25, 1.5]]
    assert end.tolist() == [[1.25, 1.5, 1.75]]
    assert counts.tolist() == [3]
    begin, _, counts = grid_march_fixed(*along_x(), whole, **BOX, step=0.5, capacity=6)
    assert begin.tolist() == [[1.0, 1.5, 2.0, 2.5, 0.0, 0.0]]
    assert counts.tolist() == [4]


@given(st.integers(0, 2**31 - 1), st.sampled_from([0.0, 0.03]))
def test_kernel_and_reference_keep_the_same_steps(seed: int, cone: float):
    torch.manual_seed(seed)
    inputs = rays(20)
    inputs[1][:4] = torch.tensor([0.0, 0.0, 1.0])
    grid = pack_occupancy(torch.rand(2, 4, 4, 4) < 0.3), 4, [-1.0, -1.0, -1.0, 2.0], 0.07, cone
    counts = torch.ops.scene3d.grid_march_count(*inputs, *grid)
    assert torch.equal(counts, module.reference_count(*inputs, *grid))
    offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    total = int(offsets[-1])
    found = torch.ops.scene3d.grid_march_fill(*inputs, *grid, offsets, total)
    for one, other in zip(found, module.reference_fill(*inputs, *grid, offsets, total), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("count", [0, 1, 20])
def test_the_operators_obey_their_contract(count: int):
    inputs = rays(count)
    grid = pack_occupancy(torch.rand(2, 4, 4, 4) < 0.3), 4, [-1.0, -1.0, -1.0, 2.0], 0.1, 0.0
    torch.library.opcheck(torch.ops.scene3d.grid_march_count, (*inputs, *grid))
    offsets = torch.nn.functional.pad(module.reference_count(*inputs, *grid).cumsum(0), (1, 0))
    torch.library.opcheck(torch.ops.scene3d.grid_march_fill, (*inputs, *grid, offsets, int(offsets[-1])))


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    inputs = rays(3)
    bits = pack_occupancy(torch.ones(1, 4, 4, 4, dtype=torch.bool))
    with pytest.raises(RuntimeError, match=r"occupancy: expected shape \(any, 16\), got \(1, 2\)"):
        torch.ops.scene3d.grid_march_count(*inputs, bits, 8, [0.0, 0.0, 0.0, 1.0], 0.1, 0.0)
    with pytest.raises(RuntimeError, match="step: expected a positive number, got 0"):
        torch.ops.scene3d.grid_march_count(*inputs, bits, 4, [0.0, 0.0, 0.0, 1.0], 0.0, 0.0)
