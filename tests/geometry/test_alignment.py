from __future__ import annotations

import math

import pytest
import torch

from scene3d.geometry.alignment import least_squares_scale, umeyama
from scene3d.geometry.se3 import rigid, transform

CORNER = torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 2, 0], [0, 0, 3]], dtype=torch.float64)


def turn(angle: float) -> torch.Tensor:
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[c, -s, 0], [s, c, 0], [0, 0, 1]], dtype=torch.float64)


@pytest.mark.parametrize("with_scale", [True, False])
def test_a_known_similarity_is_found(with_scale):
    expected = rigid(turn(2.0), torch.tensor([4.0, -5.0, 6.0], dtype=torch.float64))
    factor = 2.5 if with_scale else 1.0
    scale, found = umeyama(CORNER, transform(expected, factor * CORNER), with_scale=with_scale)
    assert scale.item() == pytest.approx(factor)
    torch.testing.assert_close(found, expected)


def test_no_mirror_image_is_made():
    _, found = umeyama(CORNER, CORNER * torch.tensor([1.0, 1.0, -1.0]), with_scale=False)
    assert torch.linalg.det(found[:3, :3]).item() == pytest.approx(1.0)


def test_nothing_near_fits_better():
    generator = torch.Generator().manual_seed(0)
    source = torch.randn(20, 3, generator=generator, dtype=torch.float64)
    target = 2 * source @ turn(0.7).mT + 0.3 * torch.randn(20, 3, generator=generator, dtype=torch.float64)
    scale, found = umeyama(source, target, with_scale=True)

    def cost(s: torch.Tensor, matrix: torch.Tensor) -> float:
        return ((transform(matrix, s * source) - target) ** 2).sum().item()

    best = cost(scale, found)
    assert cost(scale * 1.01, found) > best < cost(scale * 0.99, found)
    for angle in (0.01, -0.01):
        turned = found.clone()
        turned[:3, :3] = turn(angle) @ found[:3, :3]
        assert cost(scale, turned) > best


def test_points_that_are_all_one_keep_their_scale():
    scale, found = umeyama(torch.zeros(3, 3), torch.ones(3, 3), with_scale=True)
    assert scale.item() == 1.0
    torch.testing.assert_close(transform(found, torch.zeros(1, 3)), torch.ones(1, 3))


def test_the_scale_by_least_squares_worked_by_hand():
    # (1*3 + 2*5) / (1 + 4) = 2.6.
    source, target = torch.tensor([[1.0, 2.0, 0.0]]), torch.tensor([[3.0, 5.0, 7.0]])
    assert least_squares_scale(source, target).item() == pytest.approx(2.6)
    assert least_squares_scale(torch.zeros(1, 3), target).item() == 1.0
