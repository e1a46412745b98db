from __future__ import annotations

from itertools import combinations

import pytest
import torch

from scene3d.evaluation.consistency import agreement, elected_votes


def test_by_hand():
    # Cells: three frames say 1, 1, 2; two say empty and 2; one alone says 1; nobody sees the last.
    votes = torch.tensor([[0, 1, 0, 0], [2, 0, 1, 0], [1, 1, 0, 0]])
    found = agreement(votes)
    # Pairs: 3 of the first cell, all occupied, one of them the same; 1 of the second, of which one is empty.
    assert (found.either, found.both, found.same) == (4, 3, 1)
    assert found.occupied == 3 / 4
    assert found.classes == pytest.approx(1 / 3)
    # Of the first cell alone: class 1 twice, class 2 once.
    assert found.by_chance == pytest.approx((2 / 3) ** 2 + (1 / 3) ** 2)
    both = found + found
    assert (both.either, both.classes) == (8, found.classes)


def test_it_counts_pairs_of_frames():
    torch.manual_seed(0)
    said = torch.randint(-1, 4, (5, 60))  # -1 is unseen, 0 empty
    votes = torch.stack([(said == c).sum(dim=0) for c in range(4)])
    either = both = same = 0
    for a, b in combinations(said.unbind(), 2):
        seen = (a >= 0) & (b >= 0)
        either += int((seen & ((a > 0) | (b > 0))).sum())
        both += int((seen & (a > 0) & (b > 0)).sum())
        same += int((seen & (a > 0) & (a == b)).sum())
    found = agreement(votes)
    assert (found.either, found.both, found.same) == (either, both, same)


def test_one_frame_agrees_with_nobody():
    found = agreement(torch.tensor([[0, 1], [1, 0]]))
    assert (found.either, found.both, found.same) == (0, 0, 0)
    assert (found.occupied, found.classes, found.by_chance) == (0.0, 0.0, 0.0)


def test_votes_for_what_was_elected_worked_by_hand():
    # Three cells of classes 1, 1 and 2: 2 of 3 votes, 1 of 1 (nobody else has a say, so it is left out), 3 of 3.
    votes = torch.tensor([[5, 2, 1], [0, 1, 0], [1, 0, 3]])
    found = elected_votes(votes, torch.tensor([1, 1, 2]))
    assert (found.cells.tolist(), found.cast.tolist(), found.agreeing.tolist()) == ([0, 1, 1], [0, 3, 3], [0, 2, 3])
    assert found.share([1]) == 2 / 3
    assert found.share([1, 2]) == 5 / 6
    assert found.share([0]) is None
