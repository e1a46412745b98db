from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scene3d.data.neus import read_neus
from scene3d.data.shot_files import shot_mask
from scene3d.data.triangulation import TriangulationConfig
from scene3d.errors import DataError
from scene3d.evaluation.views import silhouette_iou
from scene3d.objects.discovery import DiscoveryConfig, find_object
from scene3d.objects.silhouettes import SilhouetteConfig, silhouettes
from tests.objects.table import CENTRE, RADIUS, Colours, Table, true_points


@pytest.mark.slow
def test_the_ball_is_found_with_its_box_table_and_silhouettes(table: Table):
    scene = replace(table.scene, sparse=true_points(table.scene))
    region = find_object(scene, extractor=Colours())
    on_ball = ((region.points - CENTRE).norm(dim=1) - RADIUS).abs() < 1e-6
    assert (region.foreground == on_ball).double().mean() > 0.93
    torch.testing.assert_close(region.plane.normal, torch.tensor([0.0, 0, 1]).double(), atol=1e-3, rtol=0)
    assert region.plane.offset.abs() < 1e-2 and region.box.contains(region.points[on_ball]).double().mean() > 0.98
    # The box holds the ball, whose size it has with the room of a tenth.
    torch.testing.assert_close(region.box.half, torch.full((3,), 1.1).double(), atol=0.1, rtol=0)
    found = silhouettes(scene, region, SilhouetteConfig(patch=12.0))
    ious = [(a & b).sum() / (a | b).sum() for a, b in zip(found.masks, table.masks, strict=True)]
    assert torch.stack(ious).mean() > 0.9
    again = find_object(scene, extractor=Colours())
    assert torch.equal(again.foreground, region.foreground)


def test_scenes_without_enough_to_see_are_named(table: Table):
    sparse = true_points(table.scene, number=20)
    with pytest.raises(
        DataError, match=r"table: expected 50 points that 3 shots see and that are not alone, got \d+ of"
    ):
        find_object(replace(table.scene, sparse=sparse), extractor=Colours())


def test_an_object_that_no_photograph_shows_has_no_silhouettes(table: Table):
    scene = replace(table.scene, sparse=true_points(table.scene))
    region = find_object(scene, extractor=Colours())
    with pytest.raises(DataError, match="table: expected photographs that show the object's points, got none"):
        silhouettes(scene, replace(region, foreground=torch.zeros_like(region.foreground)))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_skull_is_found_without_its_masks(shared_data: Path):
    pytest.importorskip("pycolmap", reason="triangulation needs pycolmap, which is not installed here")
    pytest.importorskip("efficientnet_lite_pytorch", reason="the stand-in for DINO is not installed here")
    (given,) = read_neus(shared_data / "dtu_scan65_neus_400x300")
    chosen = given.shots[::3]
    # The masks are taken off before anything looks.
    scene = replace(given, shots=tuple(replace(shot, mask=None) for shot in chosen), bounds=None)
    region = find_object(scene, DiscoveryConfig(triangulation=TriangulationConfig(threads=1)))
    found = silhouettes(scene, region)
    ious = [silhouette_iou(mask, shot_mask(shot)) for mask, shot in zip(found.masks, chosen, strict=True)]
    assert sum(ious) / len(ious) > 0.85
