from __future__ import annotations

import torch

from scene3d.evaluation.baselines import (
    EVERYTHING,
    HEIGHT_CUT,
    MEAN_GRID,
    MajorityLabels,
    MedianDepth,
    TrainingGrids,
    depth_shell,
)
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.labels import IGNORE


def test_the_mean_grid_counts_only_what_was_known():
    grids = TrainingGrids((1, 1, 4), classes=16)
    for column in ([7, 7, 0, IGNORE], [7, 0, 0, IGNORE], [9, IGNORE, 0, IGNORE]):
        truth = torch.tensor(column)[None, None]
        grids.add(truth, {"solid": truth != IGNORE})
    mean, thresholds = grids.scores()[MEAN_GRID]
    assert mean[0, 0].tolist() == [1.0, 0.5, 0.0, 0.0]
    assert thresholds.min() > 0  # a cell that was never occupied is never said to be
    assert grids.majority()[0, 0, :2].tolist() == [7, 7]
    occupied, empty = grids.counts("solid")
    assert occupied[0, 0].tolist() == [3, 1, 0, 0] and empty[0, 0].tolist() == [0, 1, 3, 0]


def test_each_threshold_of_the_height_cut_adds_a_layer():
    grids = TrainingGrids((2, 2, 3), classes=16)
    score, thresholds = grids.scores()[HEIGHT_CUT]
    assert [int((score >= t).sum()) for t in thresholds.sort(descending=True).values] == [4, 8, 12]
    score, thresholds = grids.scores()[EVERYTHING]
    assert (score >= thresholds[0]).all()


def test_a_depth_image_becomes_a_shell_of_the_thickness_asked_for():
    frame = VoxelFrame(origin=(0.0, -0.5, -0.5), size=1.0, shape=(6, 1, 1))
    grid_to_cam = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    K = torch.tensor([[4.0, 0, 2], [0, 4.0, 2], [0, 0, 1]])
    score = depth_shell(torch.full((4, 4), 2.5), frame, grid_to_cam, K)[:, 0, 0]
    # Centres lie at 0.5, 1.5, 2.5, ...: the surface is in the third cell.
    assert (score >= -0.5).tolist() == [False, False, True, False, False, False]
    assert (score >= -2.0).tolist() == [False, False, True, True, True, False]


def test_the_median_image_skips_what_was_not_measured():
    median = MedianDepth((1, 3))
    assert median.image() is None
    for row in ([1.0, 0, 0], [3.0, 4, 0], [5.0, 8, 0]):
        median.add(torch.tensor([row]))
    image = median.image()
    assert image[0, :2].tolist() == [3.0, 4.0]  # torch takes the lower of two
    assert image[0, 2] in (3.0, 4.0)


def test_the_majority_image():
    majority = MajorityLabels((1, 2), classes=19)
    assert majority.image() is None
    for row in ([13, 0], [13, IGNORE], [2, IGNORE]):
        majority.add(torch.tensor([row]))
    assert majority.image().tolist() == [[13, 0]]
