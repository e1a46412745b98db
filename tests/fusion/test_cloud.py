from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.engine.drive import walk
from scene3d.fusion.agreement import trusted
from scene3d.fusion.cloud import CloudConfig, CloudFusion
from tests.drives import StreetDrive, TellsTheTruth, wall_step


def fused(*steps, **options):
    fusion = CloudFusion(CloudConfig(**options))
    for step in steps:
        fusion.add(step)
    return fusion


def test_a_wall_is_one_point_a_cell_in_its_colour():
    # 24 x 32 pixels at 4 m, a quarter of a metre wide each: 6 x 8 m, so cells of a metre take 16 pixels each.
    cloud = fused(wall_step(0, 4.0), cell=1.0).cloud()
    assert cloud.points.shape == (48, 3)
    assert (cloud.points[:, 2] == 4.0).all()
    # The mean of four pixel centres, 0.125 + 0.25 i, lies in the middle of the cell.
    assert sorted(cloud.points[:, 0].unique().tolist()) == pytest.approx([i - 3.5 for i in range(8)])
    assert cloud.colours.unique(dim=0).tolist() == [[51, 102, 153]]


def test_the_same_wall_from_two_places_is_still_one_wall_of_both_colours():
    near = wall_step(1, 4.0, at=(0.0, 0.0, 2.0), colour=(0.6, 0.4, 0.2))
    cloud = fused(wall_step(0, 4.0), near, cell=1.0).cloud()
    assert len(cloud.points) == 48 and (cloud.points[:, 2] == 4.0).all()
    # The nearer camera sees 3 x 4 m with pixels of an eighth of a metre: 64 of them a cell beside 16.
    middle = (cloud.points[:, 0].abs() < 2) & (cloud.points[:, 1].abs() < 1)
    assert cloud.colours[middle].unique(dim=0).tolist() == [[round(255 * (0.2 * 16 + 0.6 * 64) / 80), 102, 71]]


def test_where_the_camera_stands_and_looks_is_where_the_points_are():
    step = wall_step(0, 4.0)
    turned = torch.tensor([[0.0, 0, 1, 10], [0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 0, 1]]).double()
    cloud = fused(replace(step, cam_to_world=turned), cell=1.0).cloud()
    assert torch.equal(cloud.points[:, 0], torch.full((48,), 14.0))


def test_pixels_without_depth_and_frames_without_a_place_add_nothing():
    step = wall_step(0, 4.0)
    none = replace(step, prediction=replace(step.prediction, depth=torch.zeros(1, 24, 32)))
    cloud = fused(none, replace(step, cam_to_world=None)).cloud()
    assert cloud.points.shape == (0, 3) and cloud.colours.shape == (0, 3)


def test_a_cloud_that_would_grow_too_large_grows_coarse(caplog):
    fusion = fused(wall_step(0, 4.0), wall_step(1, 4.0), cell=1.0, most=20)
    # 48 cells of a metre; 8 m x 6 m is 4 x 4 cells of two metres, of which the rows from -3 to 3 touch four.
    assert fusion.cell == 2.0 and len(fusion.cloud().points) == 16
    assert "more than 20 points; from here on one a cell of 2" in caplog.text
    assert fusion._sums[:, 6].sum() == 2 * 24 * 32


def test_a_street_of_exact_depth_lands_on_itself():
    # What a camera farther ahead sees of the same cells must lie within them.
    drive = StreetDrive(4, (32, 104))
    steps = list(trusted(walk(TellsTheTruth(drive).predict, drive)))
    one, all_of_them = fused(steps[1], cell=0.2).cloud(), fused(*steps, cell=0.2).cloud()
    assert len(one.points) < len(all_of_them.points) < 3 * len(one.points)
    distance = torch.cdist(one.points, all_of_them.points).amin(dim=1)
    assert distance.max() < 0.2 * 3**0.5
