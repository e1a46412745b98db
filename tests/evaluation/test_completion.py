from __future__ import annotations

import pytest
import torch

from scene3d.evaluation import completion
from scene3d.evaluation.class_figures import (
    class_precision,
    class_recall,
    confusion,
    mean_iou,
    weighted_iou,
)
from scene3d.evaluation.completion import (
    Counts,
    below_street,
    best_threshold,
    count,
    grow,
    grow_classes,
    regions,
    score_histogram,
    shell,
    surface_depth,
    thresholds_reached,
)
from scene3d.evaluation.protocols import PROTOCOLS, S4C, SSCBENCH_OFFICIAL, STREET_EXACT
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame
from scene3d.structures.labels import IGNORE, SSC
from scene3d.structures.labels import SSCBENCH as SSCBENCH_CLASSES

GRID = VoxelFrame(origin=(0.0, -1.0, -1.0), size=0.5, shape=(6, 4, 4))
# x forward, y left, z up -> x right, y down, z forward; the camera stands 1 m before the grid.
GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 1.0], [0, 0, 0, 1]])
K = torch.tensor([[10.0, 0, 10], [0, 10.0, 10], [0, 0, 1]])
SIZE = (20, 20)


def random_truth(seed: int, shape=(6, 4, 4)) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(0, 16, shape, generator=generator)
    truth[torch.rand(shape, generator=generator) < 0.5] = 0
    truth[torch.rand(shape, generator=generator) < 0.2] = IGNORE
    return truth


def slow_region(name: str, truth: torch.Tensor, x: int, y: int, z: int) -> bool:
    """One cell at a time, as the docstring of `regions` says it."""
    value = int(truth[x, y, z])
    if value == IGNORE:
        return False
    # Centre in camera coordinates: x right = -grid y, y down = -grid z, z = grid x + 1.
    gx, gy, gz = (0.25 + 0.5 * x, -0.75 + 0.5 * y, -0.75 + 0.5 * z)
    u, v = -gy / (gx + 1) * 10 + 10, -gz / (gx + 1) * 10 + 10
    if not (0 <= u < 20 and 0 <= v < 20):
        return False
    if "without ground" in name and value in (7, 8, 12):
        return False
    if name.startswith("shell") and value != 0:
        steps = ((1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1))
        neighbours = [(x + a, y + b, z + c) for a, b, c in steps]
        within = [(i, j, k) for i, j, k in neighbours if 0 <= i < 6 and 0 <= j < 4 and 0 <= k < 4]
        return any(truth[i, j, k] == 0 for i, j, k in within)
    return True


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["solid", "shell", "solid without ground", "shell without ground"])
def test_counts_agree_with_a_loop_over_cells(seed, name):
    truth = random_truth(seed)
    said = torch.rand(truth.shape, generator=torch.Generator().manual_seed(seed + 9)) < 0.5
    region = regions(truth, GRID, GRID_TO_CAM, K, SIZE, STREET_EXACT)[name]
    tp = fp = fn = 0
    for x in range(6):
        for y in range(4):
            for z in range(4):
                if slow_region(name, truth, x, y, z):
                    there, claimed = bool(truth[x, y, z] != 0), bool(said[x, y, z])
                    tp += there and claimed
                    fp += claimed and not there
                    fn += there and not claimed
    assert count(said, truth, region) == Counts(tp, fp, fn)
    assert tp and fp and fn


def test_the_ratios_of_counts():
    counts = Counts(6, 2, 4) + Counts(0, 0, 0)
    assert (counts.iou, counts.precision, counts.recall) == (0.5, 0.75, 0.6)
    assert Counts().iou == 0.0


def test_a_wall_hides_what_lies_behind_it_and_nothing_else():
    truth = torch.zeros(6, 4, 4, dtype=torch.int64)
    truth[2, 1:3, :] = 9  # the middle of a wall from x = 1.0 to 1.5, so at depth 2.0 to 2.5
    finer = K * torch.tensor([4.0, 4.0, 1.0])[:, None]
    surface = surface_depth(truth, GRID, GRID_TO_CAM, finer, 80, 80)
    assert 2.0 <= surface[40, 40] <= 2.25
    assert surface[40, 0].isinf()  # to the far left, past the wall
    hidden = regions(truth, GRID, GRID_TO_CAM, finer, (80, 80), STREET_EXACT)["occluded"]
    # Right behind the wall in the middle; not the wall, not before it, not beside it.
    assert hidden[4, 1, 1] and hidden[5, 2, 2]
    assert not hidden[2].any() and not hidden[:2].any()
    assert not hidden[3, 0, 1] and not hidden[3, 3, 1]


def test_empty_cells_under_nothing_are_doubted_below_the_street():
    truth = torch.zeros(1, 1, 10, dtype=torch.int64)
    truth[0, 0, 2], truth[0, 0, 4] = 7, IGNORE
    # Layers 0 and 1 have nothing below; 3, 5, 6 have the road; 7 and up are not doubted at all.
    assert below_street(truth)[0, 0].tolist() == [True, True] + [False] * 8
    bare = torch.zeros(1, 1, 10, dtype=torch.int64)
    assert below_street(bare)[0, 0].tolist() == [True] * 7 + [False] * 3
    known = regions(
        truth.expand(6, 4, 10).clone(), VoxelFrame((0.0, -1.0, -1.0), 0.5, (6, 4, 10)), GRID_TO_CAM, K, SIZE, S4C
    )
    assert not known["solid"][..., :2].any()


def test_the_shell_needs_a_known_empty_neighbour():
    truth = torch.full((3, 3, 3), 9)
    truth[2, 1, 1] = 0
    assert shell(truth).nonzero().tolist() == [[1, 1, 1], [2, 0, 1], [2, 1, 0], [2, 1, 2], [2, 2, 1]]
    truth[2, 1, 1] = IGNORE
    assert not shell(truth).any()


def test_growth_reaches_the_26_neighbours():
    score = torch.zeros(5, 5, 5)
    score[2, 2, 2] = 1.0
    assert grow(score).sum() == 27


@pytest.mark.parametrize("seed", range(3))
def test_the_best_threshold_is_the_best_of_all_tried_one_by_one(seed):
    generator = torch.Generator().manual_seed(seed)
    truth = random_truth(seed)
    score = torch.rand(truth.shape, generator=generator) + 0.3 * (truth != 0)
    known = truth != IGNORE
    thresholds = torch.linspace(0.05, 1.2, 24)
    reached = thresholds_reached(score, thresholds)
    histogram = score_histogram(reached, 24, (truth != 0) & known, (truth == 0) & known)
    assert histogram.sum() == known.sum()
    ious = [count(score >= t, truth, known).iou for t in thresholds]
    assert best_threshold(histogram, thresholds) == pytest.approx(thresholds[ious.index(max(ious))].item())


def test_a_score_that_is_not_a_number_is_never_occupied():
    reached = thresholds_reached(torch.tensor([torch.nan, 0.5, 1.0]), torch.tensor([0.0, 1.0]))
    assert reached.tolist() == [0, 1, 2]
    # Cells that were counted several times weigh as often.
    histogram = score_histogram(reached, 2, torch.tensor([3, 0, 1]), torch.tensor([0, 2, 0]))
    assert histogram.tolist() == [[3, 0, 1], [0, 2, 0]]


def test_mean_iou_worked_by_hand_leaves_out_the_empty_class():
    truth = torch.tensor([0, 1, 1, 2, 2, IGNORE])
    said = torch.tensor([1, 1, 1, 2, 0, 2])
    matrix = confusion(said, truth, truth != IGNORE, 3)
    assert matrix.dtype == torch.int64
    assert matrix.tolist() == [[0, 1, 0], [0, 2, 0], [1, 0, 1]]
    # Class 1: 2 of 3; class 2: 1 of 2.
    assert mean_iou(matrix) == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_convention_the_ranges_of_the_sscbench_grid():
    boxes = completion.crops(SSCBENCH)
    assert boxes[12.8] == (slice(0, 64), slice(96, 160), slice(None))
    assert list(boxes) == [12.8, 25.6, 51.2]
    assert [SSC.classes[i] for i in S4C.ground] == ["road", "sidewalk", "terrain"]
    everything = {"road", "parking", "sidewalk", "other-ground", "terrain"}
    assert {SSCBENCH_CLASSES.classes[i] for i in SSCBENCH_OFFICIAL.ground} == everything


def test_protocols_of_papers_are_as_they_say():
    assert set(PROTOCOLS) == {"S4C", "SSCBench", "street exact"}
    assert (S4C.cut_off, S4C.grow, S4C.street_level, len(S4C.space)) == (0.2, True, True, 16)
    official = (SSCBENCH_OFFICIAL.field_of_view, SSCBENCH_OFFICIAL.slack, len(SSCBENCH_OFFICIAL.space))
    assert official == (False, 1e-5, 19)


def test_what_grows_takes_the_class_of_the_densest_neighbour():
    density, classes = torch.zeros(5, 3, 3), torch.zeros(5, 3, 3, dtype=torch.int64)
    density[0, 1, 1], density[2, 1, 1] = 3.0, 2.0
    classes[0, 1, 1], classes[2, 1, 1] = 7, 9
    # The cell between both takes the denser one's; the sparser one keeps its own.
    assert grow_classes(classes, density)[:, 1, 1].tolist() == [7, 7, 9, 9, 0]


def test_class_figures_worked_by_hand():
    # Rows are true: of 10 cars 6 are called so and 4 are missed; of 2 poles 1 is, and 1 is called a car.
    matrix = torch.tensor([[20, 2, 0], [4, 6, 0], [0, 1, 1]])
    assert class_precision(matrix)[1:].tolist() == [6 / 9, 1.0]
    assert class_recall(matrix)[1:].tolist() == [6 / 10, 1 / 2]
    # IoU 6 / 13 and 1 / 2, weighted by 10 and 2 cells.
    assert weighted_iou(matrix) == pytest.approx((10 * 6 / 13 + 2 * 1 / 2) / 12)
    assert weighted_iou(torch.diag(torch.tensor([5, 0, 0]))) == 0.0
    assert mean_iou(matrix, slack=1.0) == pytest.approx((6 / 14 + 1 / 3) / 2)
