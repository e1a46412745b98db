from __future__ import annotations

import pytest
import torch

from scene3d.evaluation.calibration import BINS, DensityCounts, reliability, rising_share
from scene3d.geometry.occupancy import density_bin, occupancy_probability
from scene3d.geometry.voxels import VoxelFrame

GRID = VoxelFrame(origin=(0.0, -4.0, 0.0), size=1.0, shape=(8, 8, 2))


def test_the_calibration_error_worked_by_hand():
    # Ten cells at 0.9, of which 7 are occupied; thirty at 0.1, of which 3 are.
    said = torch.cat([torch.full((10,), 0.9), torch.full((30,), 0.1)])
    came = torch.tensor([True] * 7 + [False] * 3 + [True] * 3 + [False] * 27)
    found = reliability(said, came)
    # (10 * |0.9 - 0.7| + 30 * 0) / 40; (7 * 0.01 + 3 * 0.81 + 3 * 0.81 + 27 * 0.01) / 40.
    assert found.error == pytest.approx(2 / 40, abs=1e-6)
    assert found.brier == pytest.approx((7 * 0.01 + 3 * 0.81 + 3 * 0.81 + 27 * 0.01) / 40, abs=1e-6)
    assert found.cells.sum() == 40 and found.cells[13] == 10 and found.cells[1] == 30


def test_parts_add_up_to_the_whole():
    said, came = torch.rand(100), torch.rand(100) < 0.5
    parts = reliability(said[:30], came[:30]) + reliability(said[30:], came[30:])
    whole = reliability(said, came)
    assert parts.error == pytest.approx(whole.error) and parts.brier == pytest.approx(whole.brier)
    assert len(whole.cells) == BINS
    assert reliability(said[:0], came[:0]).error == 0.0


def test_shares_are_made_to_rise_and_bins_without_cells_lie_between():
    # 0 of 10, then 6 of 10 and 2 of 10, which pool to 8 of 20, then nothing, then 4 of 5.
    found = rising_share(torch.tensor([0, 6, 2, 0, 4]), torch.tensor([10, 4, 8, 0, 1]))
    torch.testing.assert_close(found, torch.tensor([0.0, 0.4, 0.4, 0.6, 0.8]).double())


def test_a_density_is_calibrated_to_how_often_it_was_right():
    generator = torch.Generator().manual_seed(0)
    counts = DensityCounts(GRID, (4.0, 8.0))
    grids = []
    for _ in range(60):
        density = 10 ** (4 * torch.rand(GRID.shape, generator=generator) - 2)
        # Far cells are occupied half as often as near ones of the same density.
        chance = (density.log10() + 2) / 4 * 0.8
        chance[4:] /= 2
        occupied = torch.rand(GRID.shape, generator=generator) < chance
        grids.append((density, occupied))
        counts.add(density, occupied, torch.ones(GRID.shape, dtype=torch.bool))
    calibration = counts.calibration()
    found = [reliability(occupancy_probability(density, GRID, calibration), there) for density, there in grids]
    assert sum(found[1:], found[0]).error < 0.02
    near, far = calibration.probability[:, int(density_bin(torch.tensor([10.0])))]
    assert float(near) == pytest.approx(0.6, abs=0.1) and float(far) == pytest.approx(0.35, abs=0.1)
    assert bool((calibration.probability.diff(dim=1) >= 0).all())


def test_unknown_cells_do_not_count_and_rings_without_cells_go_by_the_one_within():
    counts = DensityCounts(GRID, (4.0, 8.0))
    known = torch.zeros(GRID.shape, dtype=torch.bool)
    known[:2, 3:5] = True
    occupied = torch.zeros(GRID.shape, dtype=torch.bool)
    occupied[0] = True
    counts.add(torch.ones(GRID.shape), occupied, known)
    calibration = counts.calibration()
    assert calibration.base_rate.tolist() == [0.5, 0.5]
    assert torch.equal(calibration.probability[0], calibration.probability[1])
