from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from scene3d.engine.evaluator import evaluate
from scene3d.evaluation.occupancy import (
    BINS,
    SCANS,
    density_at,
    level_to_cam,
    mean_slice_figures,
    nearest_by_angle,
    seen_by_depth,
    slice_figures,
    slice_points,
    slice_truth,
)
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame
from tests.engine.test_evaluator import GRID, SMALL, Oracle, Streets, street

# Velodyne axes (x forward, y left, z up) to level ones (x right, y down, z ahead), the scanner at the camera.
SCAN_TO_LEVEL = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])


def ring(distance: float, height: float = -0.4) -> torch.Tensor:
    """A round wall about a scanner, in the slice."""
    angle = torch.linspace(-math.pi, math.pi, 4 * BINS + 1)[:-1] + 1e-3
    return torch.stack([distance * angle.cos(), distance * angle.sin(), torch.full_like(angle, height)], dim=-1)


def at(ahead: float) -> torch.Tensor:
    """Places a scanner that drove on."""
    placed = SCAN_TO_LEVEL.clone()
    placed[2, 3] = ahead
    return placed


def test_the_slice_is_as_published():
    points = slice_points()
    assert points.shape == (80 * 160, 3)
    assert points[:, 0].aminmax() == (-4.0, 4.0) and points[:, 2].aminmax() == (4.0, 20.0)
    assert bool((points[:, 1] == 0.375).all())


def test_the_camera_looks_down_on_the_level():
    # What lies on the horizon, 10 m ahead, is above the axis of a camera that looks 5 degrees down.
    x, y, z = transform(level_to_cam(), torch.tensor([[0.0, 0.0, 10.0]]))[0].tolist()
    assert x == 0 and y == pytest.approx(-10 * math.sin(math.radians(5))) and z == pytest.approx(9.962, abs=1e-3)


def test_each_direction_has_its_first_surface():
    found = nearest_by_angle(torch.cat([ring(12.0), ring(9.0)[:40], ring(5.0, height=1.0)]), SCAN_TO_LEVEL)
    # Four points a degree, from behind on; what is above the slice does not count.
    assert found[:10].tolist() == pytest.approx([9.0] * 10) and found[10:].tolist() == pytest.approx([12.0] * 350)


def test_directions_without_points_go_by_the_one_before():
    found = nearest_by_angle(torch.cat([ring(12.0)[:8], ring(9.0)[20:24]]), SCAN_TO_LEVEL)
    assert found.tolist() == pytest.approx([12.0] * 5 + [9.0] * 355)
    assert nearest_by_angle(torch.zeros(0, 3), SCAN_TO_LEVEL).isinf().all()
    assert nearest_by_angle(torch.full((4, 3), torch.nan), SCAN_TO_LEVEL).isinf().all()


def test_a_place_is_occupied_if_hardly_any_scan_looked_through_it():
    points = torch.tensor([[0.0, 0.375, z] for z in (4.0, 9.0, 11.0, 13.5, 19.0)])
    # A wall at 10 m that stands still as the car drives up to it.
    placed = torch.stack([at(0.25 * i) for i in range(SCANS)])
    scans = [ring(10 - 0.25 * i) for i in range(SCANS)]
    occupied, seen = slice_truth(points, scans, placed)
    assert seen.tolist() == [True, True, False, False, False]
    # At 4 m the car itself is in the way of most scans; 3 look through what is at 11 m once they are past it.
    assert occupied.tolist() == [False, False, True, True, True]
    further = [*scans[:-3], *[ring(9.0)] * 3]
    assert not slice_truth(points, further, placed)[0][2]
    assert slice_truth(points, [*scans[:-2], *[ring(9.0)] * 2], placed)[0][2]


def test_figures_worked_by_hand():
    occupied = torch.tensor([1, 1, 0, 0, 1, 0]).bool()
    seen = torch.tensor([0, 0, 0, 0, 1, 1]).bool()  # so the fifth is empty
    said = torch.tensor([1, 0, 1, 0, 0, 0]).bool()
    found = slice_figures(said, occupied, seen)
    assert (found.o_acc, found.o_prec, found.o_rec) == (4 / 6, 1 / 2, 1 / 2)
    assert (found.ie_acc, found.ie_prec, found.ie_rec) == (2 / 4, 1 / 2, 1 / 2)


def test_a_frame_without_a_figure_does_not_count_for_it():
    nothing = slice_figures(torch.zeros(2).bool(), torch.zeros(2).bool(), torch.ones(2).bool())
    assert nothing.o_acc == 1.0 and math.isnan(nothing.ie_acc) and math.isnan(nothing.o_rec)
    mean = mean_slice_figures([nothing, replace(nothing, o_acc=0.5, ie_acc=0.25)])
    assert mean.o_acc == 0.75 and mean.ie_acc == 0.25 and math.isnan(mean.ie_rec)


def test_points_before_the_depth_are_seen():
    K = torch.tensor([[10.0, 0, 5], [0, 10, 5], [0, 0, 1]])
    depth = torch.full((10, 10), 6.0)
    depth[:, 5:] = 3.0
    points = torch.tensor([[-1.0, 0, 5], [1.0, 0, 5], [1.0, 0, 2.5], [-90, 0, 5]])
    assert seen_by_depth(points, depth, K).tolist() == [True, False, True, True]


def test_density_is_that_of_the_cell():
    frame = VoxelFrame(origin=(0.0, 0.0, 0.0), size=1.0, shape=(2, 1, 1))
    density = torch.tensor([3.0, 7.0]).reshape(2, 1, 1)
    points = torch.tensor([[0.5, 0.5, 0.5], [1.2, 0.9, 0.1], [2.5, 0.5, 0.5]])
    assert density_at(density, frame, points).tolist() == [3.0, 7.0, 0.0]


def test_an_evaluation_scores_the_slice_where_frames_have_scans():
    class WithScans(Streets):
        def __getitem__(self, index: int):
            scans = torch.stack([ring(10.0)] * SCANS)[None]
            placed = (level_to_cam() @ SCAN_TO_LEVEL).expand(1, SCANS, 4, 4)
            return replace(street(self.seeds[index]), scans=scans, scan_to_cam=placed)

    report = evaluate(Oracle(), WithScans(range(2)), SMALL, frame=GRID)
    rows = next(table for table in report.tables if table.title == "occupancy of a slice of the street")
    assert set(rows.rows) == {
        "ours, above 0.5 / m as published",
        "ours, threshold of the weights",
        "predicted depth unprojected",
    }
    # The grid ends after 3.2 m, so nothing of the slice is called occupied; all that is seen is empty.
    said_nothing = rows.rows["ours, threshold of the weights"]
    assert said_nothing[rows.columns.index("O_rec")] == 0.0 and said_nothing[rows.columns.index("IE_rec")] in (
        1.0,
        None,
    )
