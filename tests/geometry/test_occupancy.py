from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.geometry.occupancy import (
    OccupancyCalibration,
    density_bin,
    density_steps,
    occupancy_probability,
    opinion,
    ring_of_cells,
)
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame

SEEN = torch.tensor(True)


def test_bins_count_the_steps_that_a_density_reaches():
    steps = density_steps()
    assert density_bin(torch.tensor([0.0, 1e4])).tolist() == [0, len(steps)]
    assert density_bin(steps).tolist() == list(range(1, len(steps) + 1))


def test_a_cell_goes_with_the_smallest_box_that_holds_it():
    ring = ring_of_cells(SSCBENCH, (12.8, 25.6))
    assert ring[0, 128, 0] == 0 and ring[63, 96, 31] == 0 and ring[64, 128, 0] == 1
    assert ring[200, 128, 0] == 1  # beyond the last box
    assert (ring == 0).sum() == 64 * 64 * 32


def test_a_probability_goes_by_density_and_ring():
    grid = VoxelFrame(origin=(0.0, -1.0, 0.0), size=1.0, shape=(2, 2, 1))
    curves = torch.stack([torch.linspace(0, 1, 242), torch.linspace(0, 0.5, 242)])
    calibration = OccupancyCalibration((1.0, 2.0), curves, torch.tensor([0.2, 0.1]))
    found = occupancy_probability(torch.full(grid.shape, 1e4), grid, calibration)
    # The box of 1 m is one cell ahead and, of two cells to the side, none to the left of the middle.
    assert set(found.flatten().tolist()) <= {0.5, 1.0}
    assert found[1].tolist() == [[0.5], [0.5]]


def test_opinions_worked_by_hand():
    # At a base rate of 0.2: no more than that is unknown; 0.6 is halfway to certainty, 0.1 halfway to emptiness.
    found = opinion(torch.tensor([0.2, 0.6, 0.1, 1.0, 0.0]), torch.tensor(0.2), torch.ones(5, dtype=torch.bool))
    torch.testing.assert_close(found.occupied, torch.tensor([0, 0.5, 0, 1, 0]))
    torch.testing.assert_close(found.free, torch.tensor([0, 0, 0.5, 0, 1]))
    torch.testing.assert_close(found.unknown, torch.tensor([1, 0.5, 0.5, 0, 0]))


@given(probability=st.floats(0, 1), rate=st.floats(0.01, 0.99))
def test_an_opinion_says_the_probability_that_it_was_made_of(probability: float, rate: float):
    p, base = torch.tensor(probability), torch.tensor(rate)
    occupied, free, unknown = opinion(p, base, SEEN)
    assert float(occupied + free + unknown) == 1.0 or abs(float(occupied + free + unknown) - 1) < 1e-6
    assert min(float(occupied), float(free)) == 0.0 and float(unknown) >= 0
    torch.testing.assert_close(occupied + base * unknown, p, atol=1e-5, rtol=0)


def test_what_nobody_looked_at_is_unknown():
    found = opinion(torch.tensor([0.9]), torch.tensor(0.2), torch.tensor([False]))
    assert [float(part) for part in found] == [0.0, 0.0, 1.0]
