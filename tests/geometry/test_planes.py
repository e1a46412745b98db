from __future__ import annotations

import pytest
import torch

from scene3d.geometry.planes import Plane, fit_plane, ransac_plane


def cloud(number: int = 300, others: int = 200) -> torch.Tensor:
    """Points on z = 2 within 0.01, and others anywhere."""
    generator = torch.Generator().manual_seed(0)
    flat = torch.rand(number, 3, dtype=torch.float64, generator=generator)
    flat[:, 2] = 2 + 0.02 * (flat[:, 2] - 0.5)
    return torch.cat([flat, 4 * torch.rand(others, 3, dtype=torch.float64, generator=generator)])


def test_heights_count_along_the_normal():
    plane = Plane(normal=torch.tensor([0.0, 0, 1]), offset=torch.tensor(2.0))
    points = torch.tensor([[5.0, 5, 3], [1, 1, 2], [0, 0, 0]])
    assert plane.height(points).tolist() == [1, 0, -2]
    assert plane.flipped().height(points).tolist() == [-1, 0, 2]


def test_a_fit_goes_through_its_points():
    points = torch.tensor([[0.0, 0, 1], [1, 0, 1], [0, 1, 1], [1, 1, 1]])
    plane = fit_plane(points)
    torch.testing.assert_close(plane.height(points), torch.zeros(4))
    torch.testing.assert_close(plane.normal.abs(), torch.tensor([0.0, 0, 1]))


def test_the_plane_of_most_points_is_found_whatever_the_others_do():
    points = cloud()
    plane, inliers = ransac_plane(points, 0.02, generator=torch.Generator().manual_seed(1))
    # Within 0.02 either way over a patch 1 wide it may lean by 0.04 radians, whose cosine is 0.9992.
    assert plane.normal[2].abs() > 0.9992 and inliers[:300].all() and inliers[300:].sum() < 20
    assert (plane.height(points[:300]).abs() < 0.02).all()


def test_moving_the_points_moves_the_plane():
    points, turn = cloud(), torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    one, _ = ransac_plane(points, 0.02, generator=torch.Generator().manual_seed(1))
    two, _ = ransac_plane(points @ turn.mT + 3, 0.02, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(two.height(points @ turn.mT + 3).abs(), one.height(points).abs(), atol=1e-9, rtol=0)


def test_points_that_span_no_plane_are_refused():
    line = torch.arange(5.0)[:, None] * torch.tensor([1.0, 2, 3])
    with pytest.raises(ValueError, match="got points on a line"):
        ransac_plane(line, 0.1)
    with pytest.raises(ValueError, match="at least 3 points, got 2"):
        ransac_plane(line[:2], 0.1)
