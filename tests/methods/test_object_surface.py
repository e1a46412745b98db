from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.data.assembly import assemble, index_scene
from scene3d.data.normalisation import RegionConfig
from scene3d.data.object_files import write_object
from scene3d.data.snippet_config import SnippetConfig
from scene3d.data.views import ViewReader
from scene3d.errors import DataError
from scene3d.evaluation.views import silhouette_iou
from scene3d.fusion.meshing import MeshingConfig
from scene3d.methods.object_surface import ObjectSurface, ObjectSurfaceConfig
from scene3d.structures.frames import Frames, collate
from tests.objects.table import CENTRE, RADIUS, Table, photograph_table, true_region

HEIGHT, WIDTH = 60, 80
CONFIG = {
    "surface": {
        "sdf": {"kind": "hash", "levels": 6, "coarsest": 4, "finest": 64, "table_bits": 12, "width": 32, "radius": 0.3},
        "colour": {"width": 32, "layers": 2},
        "unit_normals": True,
    },
    "background": {"kind": "sphere", "width": 32, "layers": 2, "skip": None, "octaves": 4, "view_octaves": 2},
    "sampling": {"kind": "march", "cells": 32, "refresh": 16, "outside": 8},
    "slab": {"field": {"levels": 4, "coarsest": 4, "finest": 32, "table_bits": 10, "width": 16}, "samples": 8},
    "guide": {"count": 64},
    "rays": 192,
    "anneal": 0.2,
    "loss": {"points": 64},
    "scales": {"networks": 0.3, "sharpness": 1.0},
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    return photograph_table(tmp_path_factory.mktemp("table"))


@pytest.fixture(scope="module")
def views(table: Table, tmp_path_factory: pytest.TempPathFactory) -> list[Frames]:
    folder = tmp_path_factory.mktemp("object")
    write_object(folder, true_region(table.scene))
    region = RegionConfig(object=folder, margin=1.4)
    index = index_scene(table.scene, region)
    config = SnippetConfig(height=HEIGHT, width=WIDTH, region=region)
    reader = ViewReader(HEIGHT, WIDTH)
    return [assemble(index, shot, [], config, reader) for shot in table.scene.shots]


def a_method(steps: int, **changes: object) -> ObjectSurface:
    torch.manual_seed(0)
    return ObjectSurfaceConfig.model_validate({**CONFIG, "steps": steps, **changes}).build()


def learn(method: ObjectSurface, views: list[Frames], steps: int) -> None:
    groups = [{"params": g["params"], "lr": 1e-2 * g["scale"]} for g in method.parameter_groups()]
    optimiser = torch.optim.Adam(groups)
    for step in range(steps):
        optimiser.zero_grad()
        method.training_step(views[5 * step % len(views)], step).total().backward()
        optimiser.step()


def test_the_region_is_the_ball_about_the_box_and_samples_carry_the_object(views: list[Frames]):
    torch.testing.assert_close(views[0].unit_to_world[0, :3, 3], CENTRE)
    assert float(views[0].unit_to_world[0, 0, 0]) == pytest.approx(1.4 * 3**0.5 * RADIUS)
    assert views[3].objects[0].foreground.any() and views[3].number.tolist() == [3]


@pytest.mark.slow
def test_a_ball_on_a_table_is_told_from_it_without_masks(table: Table, views: list[Frames]):
    method = a_method(300)
    # The first view is not learned from.
    learn(method, views[1:], 300)
    found = method.predict(views[0])
    small = torch.nn.functional.interpolate(table.masks[0][None, None].float(), size=(HEIGHT, WIDTH), mode="area")[0, 0]
    assert silhouette_iou(found.opacity[0] > 0.5, small > 0.5) > 0.8
    # What stands around is seen too.
    assert (found.colour[0] - views[0].image[0, 0]).abs().mean() < 0.12
    mesh = method.mesh(MeshingConfig(cells=64))
    away = (mesh.vertices.double() - CENTRE).norm(dim=1)
    assert (away - RADIUS).abs().median() < 0.15
    # Nothing reaches out of the box.
    assert (mesh.vertices.double() - CENTRE).abs().max() < RADIUS + 0.1
    again = a_method(300)
    again.load_state_dict(method.state_dict())
    assert torch.equal(again.predict(views[0]).colour, found.colour)


def test_every_parameter_is_taught_and_points_fade(views: list[Frames]):
    method = a_method(100)
    terms = method.training_step(views[0], 0)
    terms.total().backward()
    silent = [n for n, p in method.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
    assert silent == []
    assert terms.weights["points"] == terms.weights["ground"] == 0.1
    assert method.training_step(views[0], 50).weights["points"] == 0


def test_rays_go_through_the_box_once_it_is_time(views: list[Frames]):
    method = a_method(100, inside=0.9)
    method.training_step(views[0], 0)
    for progress, least, most in ((0.0, 0.0, 0.6), (0.5, 0.89, 1.0)):
        for frames in (views[0], collate(views[:2])):
            rays = method._draw(frames, progress)
            assert len(rays.origins) == 192
            assert least <= method.space.box.hit(rays.origins, rays.directions).float().mean() <= most


def test_frames_without_an_object_are_refused_by_name(views: list[Frames]):
    with pytest.raises(DataError, match="table .* expected what was found of the object, got none"):
        a_method(10).training_step(replace(views[0], objects=()), 0)


def test_other_samplings_and_backgrounds_are_refused():
    with pytest.raises(ValueError, match="expected sampling march and surroundings, got march and plain"):
        a_method(10, background={"kind": "plain"}, sampling={"kind": "march", "outside": 0})
