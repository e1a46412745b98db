from __future__ import annotations

import pytest
import torch

from scene3d.data.guided_matching import GuidedMatchingConfig, guided_matches, pairs_to_match
from scene3d.geometry.se3 import rigid, rotation_of

ROWS = torch.tensor([[0.0, 0, 0], [0, 0, -1], [0, 1, 0]])
"""The fundamental matrix of cameras side by side: a pixel's line is its row."""


def test_a_match_lies_on_the_line_and_a_double_elsewhere_does_not_rival_it():
    one, two = torch.eye(8)[0], torch.eye(8)[1]
    pixels_a, descriptors_a = torch.tensor([[5.0, 10], [9, 30]]), torch.stack([one, two])
    # The first feature of b looks just like a's but lies 20 rows lower; so does a third of a's second.
    pixels_b, descriptors_b = torch.tensor([[4.0, 30], [3, 11], [8, 30.5]]), torch.stack([one, one, two])
    matches = guided_matches(pixels_a, descriptors_a, pixels_b, descriptors_b, ROWS, GuidedMatchingConfig())
    assert matches.tolist() == [[0, 1], [1, 2]]


def test_two_that_look_alike_on_one_line_are_no_match():
    looks = torch.nn.functional.normalize(torch.tensor([[1.0, 0.0], [1, 0.05], [1, -0.05]]), dim=1)
    pixels_b = torch.tensor([[1.0, 10], [7, 10]])
    found = guided_matches(torch.tensor([[5.0, 10]]), looks[:1], pixels_b, looks[1:], ROWS, GuidedMatchingConfig())
    assert len(found) == 0
    alone = guided_matches(torch.tensor([[5.0, 10]]), looks[:1], pixels_b[:1], looks[1:2], ROWS, GuidedMatchingConfig())
    assert alone.tolist() == [[0, 0]]


def test_without_features_there_is_nothing_to_match():
    none = torch.zeros(0, 2)
    assert guided_matches(none, torch.zeros(0, 8), none, torch.zeros(0, 8), ROWS, GuidedMatchingConfig()).shape == (
        0,
        2,
    )


def cameras(*places: tuple[float, float]) -> torch.Tensor:
    """At x, turned about y by an angle."""
    return torch.stack(
        [rigid(rotation_of(torch.tensor([0, turn, 0])), torch.tensor([x, 0.0, 0])) for x, turn in places]
    )


@pytest.mark.parametrize(("neighbours", "pairs"), [(1, [(0, 1), (1, 2)]), (9, [(0, 1), (0, 2), (1, 2)])])
def test_near_cameras_are_compared_once(neighbours: int, pairs: list[tuple[int, int]]):
    found = pairs_to_match(cameras((0.0, 0.0), (1.0, 0.0), (3.0, 0.0)), GuidedMatchingConfig(neighbours=neighbours))
    assert found == pairs


def test_cameras_in_one_place_or_that_look_elsewhere_are_not_compared():
    assert pairs_to_match(cameras((0.0, 0.0), (0.0, 0.0), (1.0, 3.0)), GuidedMatchingConfig()) == []
