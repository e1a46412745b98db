from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from scene3d.errors import UsageError
from scene3d.evaluation.surface import (
    DTU,
    PLAIN,
    SurfaceProtocol,
    f_score,
    nearest_distance,
    sample_mesh,
    score_surface,
    surface_points,
    thin,
)
from scene3d.structures.observed import ObservedVolume
from scene3d.structures.solids import Mesh, PointCloud


def cloud(*points: tuple[float, float, float]) -> PointCloud:
    return PointCloud(points=torch.tensor(points, dtype=torch.float64).reshape(-1, 3))


def square(edge: float = 1.0, z: float = 0.0) -> Mesh:
    corners = torch.tensor([[0, 0, z], [edge, 0, z], [edge, edge, z], [0, edge, z]])
    return Mesh(vertices=corners, faces=torch.tensor([[0, 1, 2], [0, 2, 3]]))


def test_figures_by_hand():
    predicted = cloud((0, 0, 0), (1, 0, 0), (5, 0, 0))
    true = cloud((0, 0, 0), (1, 1, 0))
    scores = score_surface(predicted, true, threshold=1.5)
    # To the truth: 0, 1 (both are 1 away), sqrt(16 + 1). Back: 0 and 1.
    assert scores.accuracy == pytest.approx((0 + 1 + math.sqrt(17)) / 3)
    assert scores.completeness == pytest.approx(0.5)
    assert scores.chamfer == pytest.approx((scores.accuracy + 0.5) / 2)
    assert (scores.precision, scores.recall) == (pytest.approx(2 / 3), 1)
    assert scores.f_score == pytest.approx(0.8)
    assert scores.points == (3, 2)


def test_outliers_are_left_out_of_the_mean_and_count_as_far():
    predicted = cloud((0, 0, 0), (1, 0, 0), (5, 0, 0))
    protocol = SurfaceProtocol(name="capped", cap=4.0)
    scores = score_surface(predicted, cloud((0, 0, 0), (1, 1, 0)), threshold=1.5, protocol=protocol)
    assert scores.accuracy == pytest.approx(0.5)
    assert scores.precision == pytest.approx(2 / 3)


def test_a_threshold_is_not_reached_by_what_lies_on_it():
    scores = score_surface(cloud((0, 0, 0)), cloud((1, 0, 0)), threshold=1.0)
    assert scores.f_score == scores.precision == scores.recall == 0
    assert f_score(0.5, 1.0) == pytest.approx(2 / 3)


def test_two_squares_a_distance_apart_are_that_far_from_each_other():
    protocol = SurfaceProtocol(name="fine", spacing=0.05)
    scores = score_surface(square(z=0.25), square(), threshold=0.3, protocol=protocol)
    # Samples do not lie over each other: at most one spacing aside.
    assert 0.25 <= scores.chamfer < math.hypot(0.25, 0.05)
    assert scores.f_score == 1


def test_exchanging_the_surfaces_exchanges_the_figures_and_scaling_scales_them():
    one, two = (PointCloud(points=torch.randn(n, 3, dtype=torch.float64)) for n in (40, 60))
    there, back = score_surface(one, two, threshold=0.5), score_surface(two, one, threshold=0.5)
    assert (there.accuracy, there.precision) == (back.completeness, back.recall)
    assert there.chamfer == pytest.approx(back.chamfer) and there.f_score == pytest.approx(back.f_score)
    large = [PointCloud(points=7 * side.points) for side in (one, two)]
    scaled = score_surface(*large, threshold=3.5)
    assert scaled.chamfer == pytest.approx(7 * there.chamfer) and scaled.f_score == there.f_score


def test_a_surface_is_nothing_away_from_itself():
    scores = score_surface(square(), square(), threshold=0.01, protocol=SurfaceProtocol(name="", spacing=0.1))
    assert scores.chamfer == 0 and scores.f_score == 1


def test_only_the_observed_volume_and_what_is_above_the_table_count():
    cells = torch.zeros(2, 1, 1, dtype=torch.bool)
    cells[0] = True
    volume = ObservedVolume(
        cells=cells, corner=torch.tensor([-1.0, -1, -1]), size=2.0, ground=torch.tensor([0.0, 0, 1, 0])
    )
    # The cell spans -1..1; (2, 0, 0) lies in a cell that is not observed, (9, 0, 0) and (-3, 0, 0) in none.
    points = torch.tensor([[0.0, 0, 0], [2, 0, 0], [9, 0, 0], [-3, 0, 0]])
    assert volume.judges(points).tolist() == [True, False, False, False]
    assert volume.wants(torch.tensor([[0.0, 0, 0.1], [0, 0, -0.1]])).tolist() == [True, False]
    predicted = cloud((0, 0, 0), (2, 0, 0), (9, 0, 0))
    true = cloud((0, 0, 0.5), (0, 0, -0.25))
    scores = score_surface(predicted, true, threshold=1.0, observed=volume)
    # A prediction may be near to truth below the table, but that truth is not asked for.
    assert (scores.accuracy, scores.completeness, scores.points) == (0.25, 0.5, (1, 1))


def test_thinned_points_are_apart_and_none_lies_far_from_them():
    points = torch.rand(3000, 3, dtype=torch.float64)
    kept = thin(points, 0.1)
    pairwise = torch.cdist(kept, kept)
    assert (pairwise + torch.eye(len(kept))).min() >= 0.1
    assert nearest_distance(points, kept).max() < 0.1
    assert 0 < len(kept) < 1500
    assert torch.equal(kept, thin(points, 0.1)) and not torch.equal(kept[:5], thin(points, 0.1, seed=1)[:5])


def test_thinning_is_that_of_a_loop_over_the_points_in_their_order():
    import numpy as np

    points = torch.rand(200, 3, dtype=torch.float64)
    rank = np.random.default_rng(3).permutation(200)
    kept: list[int] = []
    for i in np.argsort(rank):
        if all((points[i] - points[j]).norm() >= 0.2 for j in kept):
            kept.append(int(i))
    assert torch.equal(thin(points, 0.2, seed=3), points[sorted(kept)])


def test_a_mesh_is_sampled_by_its_area():
    # A square of 1 and one of 2 x 2: a fifth and four fifths of 5 / 0.05^2 * 4 = 8000 points.
    small, large = square(), square(2.0, z=5.0)
    both = Mesh(vertices=torch.cat([small.vertices, large.vertices]), faces=torch.cat([small.faces, large.faces + 4]))
    points = sample_mesh(both, 0.05)
    assert len(points) == 8000
    on_small = points[:, 2] == 0
    assert on_small.sum().item() == pytest.approx(1600, abs=2)
    assert (points[on_small][:, :2] >= 0).all() and (points[on_small][:, :2] <= 1).all()
    torch.testing.assert_close(points[on_small].mean(dim=0)[:2], torch.full((2,), 0.5).double(), atol=0.03, rtol=0)


def test_points_stay_as_they_are_without_a_spacing():
    assert torch.equal(surface_points(square(), PLAIN), square().vertices.double())
    assert DTU.spacing == 0.2 and DTU.cap == 20


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(UsageError, match="predicted surface: expected finite points, got none"):
        score_surface(cloud(), cloud((0, 0, 0)), threshold=1.0)
    with pytest.raises(UsageError, match="true surface: expected finite points, got one that is not finite"):
        score_surface(cloud((0, 0, 0)), cloud((0, math.nan, 0)), threshold=1.0)
    nowhere = ObservedVolume(cells=torch.ones(1, 1, 1, dtype=torch.bool), corner=torch.full((3,), 50.0), size=1.0)
    with pytest.raises(UsageError, match="predicted surface: expected points in the observed volume, got none of 1"):
        score_surface(cloud((0, 0, 0)), cloud((0, 0, 0)), threshold=1.0, observed=nowhere)


def test_the_bunny_is_as_far_from_itself_moved_as_it_was_moved(shared_data: Path):
    import trimesh

    loaded = trimesh.load(shared_data / "stanford_bunny_mesh" / "bunny.obj", force="mesh", process=False)
    mesh = Mesh(
        vertices=torch.from_numpy(loaded.vertices.copy()).float(), faces=torch.from_numpy(loaded.faces.copy()).long()
    )
    extent = float((mesh.vertices.amax(dim=0) - mesh.vertices.amin(dim=0)).max())
    protocol = SurfaceProtocol(name="fine", spacing=extent / 60)
    step = extent / 10
    moved = Mesh(vertices=mesh.vertices + torch.tensor([step, 0.0, 0.0]), faces=mesh.faces)
    same = score_surface(mesh, mesh, threshold=extent / 100, protocol=protocol)
    away = score_surface(moved, mesh, threshold=extent / 100, protocol=protocol)
    # A surface that is moved along itself is still near: more than nothing, less than the step.
    assert same.chamfer == 0 and 0.2 * step < away.chamfer < step and away.f_score < 0.5
