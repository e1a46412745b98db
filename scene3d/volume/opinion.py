"""What a completed scene says of each cell: occupied, free, or nothing."""

from __future__ import annotations

import torch

from scene3d.errors import UsageError
from scene3d.geometry.occupancy import Opinion, occupancy_probability, opinion, ring_of_cells
from scene3d.geometry.voxels import field_of_view
from scene3d.structures.prediction import CompletionPrediction


def voxel_opinions(prediction: CompletionPrediction) -> Opinion:
    """Belief in occupied, free and unknown of every cell of B scenes, calibrated on training data.

    Cells outside of the image, and those whose density says no more than is true without looking, are unknown.

    Raises:
        UsageError: the weights came without a calibration.
    """
    calibration = prediction.calibration
    if calibration is None:
        raise UsageError(
            "prediction: expected weights with a calibration of occupancy, got none",
            hint="scene3d train ends with one where its training data has voxels",
        )
    frame, size = prediction.frame, prediction.depth.shape[-2:]
    found = []
    rate = calibration.base_rate.to(prediction.density)
    ring = ring_of_cells(frame, calibration.rings, device=prediction.density.device)
    for density, K, grid_to_cam in zip(prediction.density, prediction.K, prediction.grid_to_cam, strict=True):
        seen = field_of_view(frame, grid_to_cam, K, *size)
        found.append(opinion(occupancy_probability(density, frame, calibration), rate[ring], seen))
    return Opinion(*(torch.stack(part) for part in zip(*found, strict=True)))
