from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.evaluation.views import silhouette_iou
from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.planes import Plane
from scene3d.geometry.se3 import rigid
from scene3d.objects.silhouettes import SilhouetteConfig, silhouettes
from scene3d.structures.object_region import ObjectRegion
from tests.objects.table import CENTRE, RADIUS, Table, true_points


def ball(table: Table) -> ObjectRegion:
    """What a perfect discovery would hand over, but for a box that cuts off the ball at all sides and above."""
    sparse = true_points(table.scene)
    on_ball = ((sparse.points - CENTRE).norm(dim=1) - RADIUS).abs() < 1e-6
    half = torch.tensor([0.8, 0.8, 0.8], dtype=torch.float64)
    middle = CENTRE - torch.tensor([0, 0, 0.2], dtype=torch.float64)
    return ObjectRegion(
        points=sparse.points,
        colours=sparse.colours,
        foreground=on_ball,
        box=OrientedBox(box_to_world=rigid(torch.eye(3, dtype=torch.float64), middle), half=half),
        plane=Plane(normal=torch.tensor([0, 0, 1], dtype=torch.float64), offset=torch.tensor(0.0, dtype=torch.float64)),
    )


@pytest.mark.slow
def test_the_ball_stands_out_in_every_photograph_and_its_box_grows_to_hold_it(table: Table):
    region = ball(table)
    found = silhouettes(table.scene, region, SilhouetteConfig(patch=12.0))
    ious = [silhouette_iou(mine, true) for mine, true in zip(found.masks, table.masks, strict=True)]
    assert len(ious) == 12 and min(ious) > 0.88
    assert found.box.half[:2].amin() > 0.93 and found.box.half.amax() < 1.2
    # It still stands on the table, within a voxel.
    assert found.box.bounds()[0, 2].abs() < 0.1


@pytest.mark.slow
def test_smaller_pictures_give_masks_of_the_same_size(table: Table):
    scene = replace(table.scene, shots=table.scene.shots[:4])
    found = silhouettes(scene, ball(table), SilhouetteConfig(area=60 * 80, patch=12.0))
    assert [mask.shape for mask in found.masks] == [(120, 160)] * 4
    ious = [silhouette_iou(mine, true) for mine, true in zip(found.masks, table.masks[:4], strict=True)]
    assert min(ious) > 0.8


def test_an_object_that_no_photograph_shows_has_no_silhouettes(table: Table):
    region = ball(table)
    scene = replace(table.scene, shots=table.scene.shots[:2])
    with pytest.raises(DataError, match="table: expected photographs that show the object's points, got none"):
        silhouettes(scene, replace(region, foreground=torch.zeros_like(region.foreground)))
