from __future__ import annotations

import torch

from scene3d.geometry.camera import project
from scene3d.geometry.epipolar import cross_matrix, epipolar_distance, fundamental
from scene3d.geometry.se3 import rigid, rotation_of, transform

K_A = torch.tensor([[300.0, 0, 160], [0, 310, 120], [0, 0, 1]], dtype=torch.float64)
K_B = torch.tensor([[400.0, 0, 200], [0, 390, 150], [0, 0, 1]], dtype=torch.float64)
WORLD_TO_A = rigid(
    rotation_of(torch.tensor([0.1, 0.2, 0.0], dtype=torch.float64)), torch.tensor([0.0, 0, 5], dtype=torch.float64)
)
WORLD_TO_B = rigid(
    rotation_of(torch.tensor([0.0, -0.3, 0.1], dtype=torch.float64)), torch.tensor([0.5, 0.1, 6], dtype=torch.float64)
)


def test_the_cross_matrix_is_the_cross_product():
    a, b = torch.randn(2, 3, dtype=torch.float64)
    torch.testing.assert_close(cross_matrix(a) @ b, torch.linalg.cross(a, b))


def test_what_both_cameras_see_lies_on_its_line():
    points = torch.randn(20, 3, dtype=torch.float64)
    pixels_a, _ = project(transform(WORLD_TO_A, points), K_A)
    pixels_b, _ = project(transform(WORLD_TO_B, points), K_B)
    distance = epipolar_distance(pixels_a, pixels_b, fundamental(K_A, WORLD_TO_A, K_B, WORLD_TO_B))
    torch.testing.assert_close(distance.diagonal(), torch.zeros(20, dtype=torch.float64), atol=1e-9, rtol=0)
    assert (distance > 0.1).double().mean() > 0.5


def test_of_cameras_side_by_side_lines_are_rows():
    aside = WORLD_TO_A.clone()
    aside[0, 3] -= 1
    F = fundamental(K_A, WORLD_TO_A, K_A, aside)
    pixels_a = torch.tensor([[10.0, 50]], dtype=torch.float64)
    pixels_b = torch.tensor([[3.0, 50], [200, 53]], dtype=torch.float64)
    torch.testing.assert_close(epipolar_distance(pixels_a, pixels_b, F), torch.tensor([[0.0, 3]]).double())
