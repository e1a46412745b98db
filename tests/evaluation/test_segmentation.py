from __future__ import annotations

import itertools

import pytest
import torch

from scene3d.errors import UsageError
from scene3d.evaluation.segmentation import (
    accuracy,
    label_confusion,
    mean_iou_of_present,
    mean_label_iou,
    name_clusters,
    rematch,
    renamed,
)
from scene3d.structures.labels import IGNORE


def test_the_confusion_leaves_out_what_the_truth_ignores():
    truth, said = torch.tensor([0, 1, 1, IGNORE]), torch.tensor([0, 0, 1, 0])
    matrix = label_confusion(said, truth, 2)
    assert matrix.tolist() == [[1, 0], [1, 1]]
    assert accuracy(matrix) == pytest.approx(2 / 3)
    # Class 0: 1 of 2; class 1: 1 of 2.
    assert mean_label_iou(matrix) == pytest.approx(0.5)


def test_leaving_a_pixel_out_is_not_an_answer():
    with pytest.raises(UsageError, match="got 255"):
        label_confusion(torch.tensor([IGNORE]), torch.tensor([0]), 2)


def test_the_naming_is_the_best_of_all_permutations():
    matrix = torch.randint(0, 50, (5, 5), generator=torch.Generator().manual_seed(3))
    names = name_clusters(matrix, "val").classes
    right = sum(int(matrix[names[k], k]) for k in range(5))
    best = max(sum(int(matrix[p[k], k]) for k in range(5)) for p in itertools.permutations(range(5)))
    assert right == best and sorted(names) == list(range(5))


def test_left_over_clusters_take_the_class_they_cover_most():
    matrix = torch.tensor([[9, 0, 5], [0, 8, 1]])
    names = name_clusters(matrix, "val")
    assert names.classes == (0, 1, 0)
    assert names.apply(torch.tensor([2, 1, IGNORE])).tolist() == [0, 1, IGNORE]


def test_a_cluster_is_not_called_a_class_that_it_has_no_pixel_of():
    # Class 2 has no pixel in cluster 2, which one-to-one matching would call so all the same.
    confusion = torch.tensor([[9, 0, 4], [0, 5, 0], [3, 0, 0]])
    assert name_clusters(confusion, "val").classes == (0, 1, 0)


@pytest.mark.parametrize("matched_on", ["test", "KITTI-360 test"])
def test_clusters_are_not_named_on_test_data(matched_on: str):
    with pytest.raises(UsageError, match="expected labels of validation data"):
        name_clusters(torch.eye(3, dtype=torch.int64), matched_on)


def test_the_oracle_gives_each_answer_the_class_that_it_should_have_had():
    # What is called 0 is right; 1 should have been called 2 and 2 should have been called 1.
    matrix = torch.tensor([[9, 0, 1], [0, 1, 7], [0, 8, 2]])
    assert rematch(matrix).tolist() == [0, 2, 1]
    better = renamed(matrix, rematch(matrix))
    assert better.tolist() == [[9, 1, 0], [0, 7, 1], [0, 2, 8]]
    assert accuracy(better) > accuracy(matrix)


@pytest.mark.parametrize("seed", range(3))
def test_the_oracle_is_the_best_of_all_renamings(seed: int):
    matrix = torch.randint(0, 50, (5, 5), generator=torch.Generator().manual_seed(seed))
    best = max(int(renamed(matrix, torch.tensor(p)).trace()) for p in itertools.permutations(range(5)))
    assert int(renamed(matrix, rematch(matrix)).trace()) == best


def test_absent_classes_count_as_nothing_or_not_at_all():
    # Class 0: 4 of 5 right, IoU 4 / 6; class 1: said once, never there, IoU 0; class 2: 1 / 2; class 3: nowhere.
    matrix = torch.tensor([[4, 1, 0, 0], [0, 0, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    expected = 4 / 6 + 0 + 1 / 2
    assert mean_label_iou(matrix) == pytest.approx(expected / 4)
    assert mean_iou_of_present(matrix) == pytest.approx(expected / 3)
    assert mean_iou_of_present(torch.zeros(3, 3, dtype=torch.int64)) == 0
