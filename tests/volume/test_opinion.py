from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import UsageError
from scene3d.geometry.camera import pinhole
from scene3d.geometry.occupancy import DENSITY_STEPS, OccupancyCalibration
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.prediction import CompletionPrediction
from scene3d.volume.opinion import voxel_opinions

GRID = VoxelFrame(origin=(-2.0, -2.0, -1.0), size=1.0, shape=(8, 4, 2))
GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
CAMERA = pinhole(8.0, 16, 16)
CALIBRATION = OccupancyCalibration((8.0,), torch.linspace(0, 1, DENSITY_STEPS[2] + 1)[None], torch.tensor([0.25]))


def prediction(density: torch.Tensor) -> CompletionPrediction:
    return CompletionPrediction(
        depth=torch.ones(2, 16, 16),
        K=CAMERA.K.expand(2, 3, 3),
        density=density,
        threshold=0.5,
        frame=GRID,
        grid_to_cam=GRID_TO_CAM.expand(2, 4, 4),
        calibration=CALIBRATION,
    )


def test_dense_cells_are_occupied_thin_ones_free_and_unseen_ones_unknown():
    density = torch.zeros(2, *GRID.shape)
    density[0, 6], density[1] = 1e4, 1.0  # 10^0 is in the middle of the steps: probability 1/2
    occupied, free, unknown = voxel_opinions(prediction(density))
    # Cell (6, 2, 1) lies 4.5 m ahead; cells before x = 0 behind the camera.
    assert occupied[0, 6, 2, 1] == 1 and free[0, 4, 2, 1] == 1 and unknown[0, :2].eq(1).all()
    # 1/2 at a base rate of 1/4: (1/2 - 1/4) / (3/4) = 1/3 speaks for occupied, nothing for free.
    assert float(occupied[1, 6, 2, 1]) == pytest.approx(1 / 3, abs=0.01) and free[1, 6, 2, 1] == 0
    torch.testing.assert_close(occupied + free + unknown, torch.ones_like(occupied))


def test_weights_without_a_calibration_are_refused():
    with pytest.raises(UsageError, match=r"expected weights with a calibration.*hint: scene3d train"):
        voxel_opinions(replace(prediction(torch.zeros(2, *GRID.shape)), calibration=None))
