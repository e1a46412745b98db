from __future__ import annotations

import torch

from scene3d.objects.trusted import TrustConfig, largest_cluster, sociable, spacing, trusted_points
from scene3d.structures.sparse import SparsePoints


def grid(side: int = 6) -> torch.Tensor:
    """Points one apart."""
    axis = torch.arange(float(side), dtype=torch.float64)
    return torch.cartesian_prod(axis, axis, axis)


def seen_by(points: torch.Tensor, views: torch.Tensor, errors: torch.Tensor | None = None) -> SparsePoints:
    seen = int(views.sum())
    return SparsePoints(
        points=points,
        colours=torch.zeros(len(points), 3, dtype=torch.uint8),
        errors=torch.full((len(points),), 0.5, dtype=torch.float64) if errors is None else errors,
        track_start=torch.cat([torch.zeros(1, dtype=torch.int64), views.cumsum(0)]),
        track_shot=torch.zeros(seen, dtype=torch.int64),
        track_pixel=torch.zeros(seen, 2, dtype=torch.float64),
    )


def test_points_that_few_saw_or_that_lie_badly_are_left_out():
    points = grid()
    views = torch.full((216,), 4)
    views[100] = 2
    errors = torch.full((216,), 0.5, dtype=torch.float64)
    errors[50] = 9
    # Corners of a grid are a little lonelier than its inside: three deviations let all in.
    kept = trusted_points(seen_by(points, views, errors), TrustConfig(tails=0, lonely=3, neighbours=6))
    assert (~kept).nonzero()[:, 0].tolist() == [50, 100]


def test_tails_and_lonely_points_are_left_out():
    far = torch.tensor([[2.0, 2, 60]], dtype=torch.float64)
    points = torch.cat([grid(), far])
    views = torch.full((217,), 3)
    assert not trusted_points(seen_by(points, views), TrustConfig(tails=0, lonely=3))[-1]
    assert not trusted_points(seen_by(points, views), TrustConfig(tails=0.01, lonely=50))[-1]
    assert trusted_points(seen_by(points, views), TrustConfig(tails=0, lonely=50))[-1]


def test_points_that_are_not_finite_spoil_nothing():
    points = grid()
    points[86, 1] = torch.nan
    kept = trusted_points(seen_by(points, torch.full((216,), 3)), TrustConfig(tails=0, lonely=3))
    assert not kept[86] and kept.sum() == 215


def test_spacing_is_the_mean_distance_to_the_nearest_others():
    points = torch.tensor([[0.0, 0, 0], [1, 0, 0], [3, 0, 0]], dtype=torch.float64)
    assert spacing(points, 2).tolist() == [2, 1.5, 2.5] and spacing(points, 9).tolist() == [2, 1.5, 2.5]
    assert spacing(points[:1], 3).tolist() == [0]


def test_the_largest_cluster_hangs_together():
    points = torch.cat([grid(4), grid(3) + 20])
    assert largest_cluster(points, 3, 2.0).nonzero()[:, 0].tolist() == list(range(64))


def test_clouds_of_hardly_any_points_are_kept_as_they_are():
    points = grid(1)
    assert largest_cluster(points, 3, 2.0).all() and sociable(points, 3, 2.0).all()
    assert not trusted_points(seen_by(points, torch.tensor([9])), TrustConfig()).any()
