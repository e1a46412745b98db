from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.ops import voxel_walk as module
from scene3d.ops.voxel_walk import voxel_walk

GRID = {"lower": (-1.0, 0.0, 2.0), "size": 0.5, "shape": (5, 4, 3)}
UPPER = (1.5, 2.0, 3.5)


def rays(count: int) -> tuple[torch.Tensor, ...]:
    """From anywhere around the grid, in any direction; some along its axes."""
    origins = torch.rand(count, 3).double() * torch.tensor([4.0, 3.5, 3.0]) + torch.tensor([-1.75, -0.75, 1.25])
    directions = torch.randn(count, 3, dtype=torch.float64)
    directions[::5, 0] = 0
    directions[::7, 1] = 0
    return origins, directions, torch.zeros(count).double(), torch.full((count,), 20.0).double()


def one(origin: list[float], direction: list[float], near: float = 0.0, far: float = 100.0) -> module.Walk:
    each = (torch.tensor([value], dtype=torch.float64) for value in (origin, direction, near, far))
    return voxel_walk(*each, **GRID)


def test_a_walk_along_a_row_worked_by_hand():
    found = one([-2.0, 0.25, 2.25], [1.0, 0.0, 0.0])
    # Cells (0..4, 0, 0) of 4 x 3 each: 0, 12, 24, 36, 48, entered at 1, 1.5, 2, 2.5, 3.
    assert found.cells.tolist() == [0, 12, 24, 36, 48]
    assert found.enter.tolist() == [1.0, 1.5, 2.0, 2.5, 3.0]
    assert found.leave.tolist() == [1.5, 2.0, 2.5, 3.0, 3.5]
    assert found.offsets.tolist() == [0, 5]
    back = one([2.0, 0.25, 2.25], [-2.0, 0.0, 0.0])
    assert back.cells.tolist() == [48, 36, 24, 12, 0]
    assert back.enter.tolist() == [0.25, 0.5, 0.75, 1.0, 1.25]


def test_near_and_far_cut_the_walk():
    found = one([-2.0, 0.25, 2.25], [1.0, 0.0, 0.0], near=1.25, far=2.1)
    assert found.cells.tolist() == [0, 12, 24]
    assert found.enter.tolist() == [1.25, 1.5, 2.0]
    assert found.leave.tolist() == [1.5, 2.0, 2.1]


@pytest.mark.parametrize(
    ("origin", "direction"),
    [
        ([-2.0, 5.0, 2.25], [1.0, 0.0, 0.0]),  # beside
        ([2.0, 0.25, 2.25], [1.0, 0.0, 0.0]),  # away
        ([0.0, 5.0, 2.5], [0.0, 0.0, 0.0]),  # a point, beside
        ([float("nan"), 0.25, 2.25], [1.0, 0.0, 0.0]),
        ([-2.0, 0.25, 2.25], [float("inf"), 0.0, 0.0]),
    ],
)
def test_what_misses_the_grid_crosses_nothing(origin: list[float], direction: list[float]):
    found = one(origin, direction)
    assert found.cells.tolist() == []
    assert found.offsets.tolist() == [0, 0]


def test_the_sections_are_where_the_cells_are():
    origins, directions, near, far = rays(300)
    found = voxel_walk(origins, directions, near, far, **GRID)
    ray = torch.repeat_interleave(torch.arange(300), found.offsets.diff())
    assert (found.leave > found.enter).all()
    middle = origins[ray] + ((found.enter + found.leave) / 2)[:, None] * directions[ray]
    step = ((middle - torch.tensor(GRID["lower"])) / GRID["size"]).floor().long()
    assert torch.equal((step[:, 0] * 4 + step[:, 1]) * 3 + step[:, 2], found.cells)
    # Within a ray the sections follow one another without gap, and together they span the box.
    same = ray[1:] == ray[:-1]
    assert torch.equal(found.enter[1:][same], found.leave[:-1][same])
    assert len(found.cells) > 300


@given(st.integers(0, 2**31 - 1))
def test_kernel_and_reference_cross_the_same_cells(seed: int):
    torch.manual_seed(seed)
    inputs = rays(20)
    # From corners and along edges, where many planes are crossed at once.
    inputs[0][:6] = torch.tensor([-1.5, 0.5, 2.5]).double()
    inputs[1][:3] = torch.tensor([1.0, 1.0, 1.0]).double()
    inputs[1][3:6] = torch.tensor([1.0, 0.0, 1.0]).double()
    grid = [*GRID["lower"], GRID["size"]], list(GRID["shape"])
    counts = torch.ops.scene3d.voxel_walk_count(*inputs, *grid)
    assert torch.equal(counts, module.reference_count(*inputs, *grid))
    offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    total = int(offsets[-1])
    found = torch.ops.scene3d.voxel_walk_fill(*inputs, *grid, offsets, total)
    for one_part, other in zip(found, module.reference_fill(*inputs, *grid, offsets, total), strict=True):
        torch.testing.assert_close(one_part, other)


@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_operators_obey_their_contract(count: int):
    inputs = rays(count)
    grid = [*GRID["lower"], GRID["size"]], list(GRID["shape"])
    torch.library.opcheck(torch.ops.scene3d.voxel_walk_count, (*inputs, *grid))
    offsets = torch.nn.functional.pad(module.reference_count(*inputs, *grid).cumsum(0), (1, 0))
    torch.library.opcheck(torch.ops.scene3d.voxel_walk_fill, (*inputs, *grid, offsets, int(offsets[-1])))


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    origins, directions, near, far = rays(3)
    with pytest.raises(RuntimeError, match=r"voxel_walk_count: near: expected shape \(3\), got \(2\)"):
        torch.ops.scene3d.voxel_walk_count(origins, directions, near[:2], far, [0.0, 0.0, 0.0, 1.0], [1, 1, 1])
    with pytest.raises(RuntimeError, match="size: expected a positive number, got 0"):
        torch.ops.scene3d.voxel_walk_count(origins, directions, near, far, [0.0, 0.0, 0.0, 0.0], [1, 1, 1])
