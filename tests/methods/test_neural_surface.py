from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from scene3d.errors import DataError
from scene3d.evaluation.views import silhouette_iou
from scene3d.fusion.meshing import MeshingConfig
from scene3d.methods.neural_surface import NeuralSurface, NeuralSurfaceConfig
from scene3d.structures.frames import Frames
from tests.methods.globes import unit_to_world, view

SMALL = {"kind": "hash", "levels": 6, "coarsest": 4, "finest": 64, "table_bits": 12, "width": 32, "radius": 0.3}
MARCHED = {"kind": "march", "cells": 32, "refresh": 16}
HASH = {
    "surface": {"sdf": SMALL, "colour": {"width": 32, "layers": 2}, "unit_normals": True},
    "sampling": MARCHED,
    "rays": 128,
    "anneal": 0.0,
    "loss": {"points": 64},
    "scales": {"networks": 0.3, "sharpness": 1.0},
}
AROUND = {"kind": "sphere", "width": 32, "layers": 2, "skip": None, "octaves": 4, "view_octaves": 2}


def a_method(steps: int, **changes: object) -> NeuralSurface:
    torch.manual_seed(0)
    config = {"background": {"kind": "plain"}, "inside": 0.3, **HASH, "steps": steps, **changes}
    return NeuralSurfaceConfig.model_validate(config).build()


def learn(method: NeuralSurface, steps: int, rate: float = 1e-2, **options: bool) -> None:
    views = [view(number, **options) for number in range(12)]
    groups = [{"params": g["params"], "lr": rate * g["scale"]} for g in method.parameter_groups()]
    optimiser = torch.optim.Adam(groups)
    for step in range(steps):
        optimiser.zero_grad()
        method.training_step(views[5 * step % 12], step).total().backward()
        optimiser.step()


def assert_is_the_ball(method: NeuralSurface, iou: float, **options: bool) -> None:
    """Seen from between the cameras it learned from: silhouette, depth in world units, normals, colours."""
    frames = view(5, of=24, **options)
    truth = view(5, of=24)
    found = method.predict(frames)
    solid = found.opacity[0] > 0.5
    assert silhouette_iou(solid, truth.mask[0, 0]) > iou
    both = solid & truth.mask[0, 0]
    # The ball is 6 wide and 14 away.
    assert (found.depth - truth.depth[:, 0])[0][both].abs().median() < 0.15
    assert found.normals[0].norm(dim=0)[solid].allclose(torch.ones(1), atol=1e-4)
    assert (found.normals[0].norm(dim=0)[~solid] == 0).all()
    towards_camera = -frames.cam_to_world[0, 0, :3, 2].float()
    assert (towards_camera @ found.normals[0][:, both]).mean() > 0.5
    assert (found.colour[0] - truth.image[0, 0]).abs()[:, both].mean() < 0.18  # of bands from 0.1 to 0.9


def test_a_ball_is_learnt_from_images_with_masks():
    method = a_method(150)
    learn(method, 150)
    assert_is_the_ball(method, 0.95)


def test_a_ball_is_learnt_before_a_sky_without_masks():
    changes = {"background": AROUND, "sampling": {**MARCHED, "outside": 8}, "inside": 0.0, "anneal": 0.2}
    method = a_method(200, **changes)
    learn(method, 200, masks=False, behind=True)
    assert_is_the_ball(method, 0.9, masks=False, behind=True)


def test_the_published_networks_and_sampling_learn_it_too():
    method = a_method(
        150,
        surface={
            "sdf": {"kind": "fourier", "width": 48, "layers": 3, "skip": None, "features": 8, "octaves": 2},
            "colour": {"width": 32, "layers": 2},
        },
        sampling={"kind": "hierarchical", "uniform": 16, "rounds": 2, "per_round": 8, "outside": 0},
        rays=96,
        scales={"networks": 1.0, "sharpness": 2.0},
    )
    learn(method, 150, rate=2e-3)
    assert_is_the_ball(method, 0.9)


def test_every_parameter_is_taught():
    for changes in ({}, {"background": AROUND, "sampling": {**MARCHED, "outside": 8}}):
        method = a_method(10, **changes)
        method.training_step(view(0), 0).total().backward()
        silent = [n for n, p in method.named_parameters() if p.grad is None or not torch.isfinite(p.grad).all()]
        assert silent == []


def test_groups_hold_every_parameter_once():
    method = a_method(10)
    groups = method.parameter_groups()
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(map(id, method.parameters()))
    assert [group["scale"] for group in groups] == [1.0, 1.0, 0.3]


def test_the_region_is_part_of_what_is_learnt():
    method = a_method(10)
    frames = view(0)
    method.training_step(frames, 0)
    assert torch.equal(method.state_dict()["unit_to_world"], frames.unit_to_world[0])
    with pytest.raises(DataError, match="globe 0: expected a region of interest"):
        method.training_step(replace(frames, unit_to_world=None), 0)


def confined(frames: Frames, low: float = -1.0) -> Frames:
    """To the part of the region, a ball of radius 4.5, that lies above `low` in x from the middle."""
    around = unit_to_world()[:3, 3] + torch.tensor([[low, -4.5, -4.5], [4.5, 4.5, 4.5]])
    return replace(frames, bounds=around[None])


def test_a_confined_surface_leaves_what_is_outside_of_its_bounds_empty():
    # The masks show a ball of radius 3 all the same: half of what is outside of the bounds is to be solid for them.
    low, deepest = float(unit_to_world()[0, 3]) - 1.0, {}
    for name in ("free", "confined"):
        method = a_method(100)
        for step in range(100):
            frames = view(5 * step % 12)
            if step == 0:
                optimiser = torch.optim.Adam(method.parameters(), lr=5e-3)
            optimiser.zero_grad()
            method.training_step(frames if name == "free" else confined(frames), step).total().backward()
            optimiser.step()
        asked = torch.tensor([[-2.0, 0, 0], [-1.5, 1.0, 0], [-1.5, 0, -1.0]]) / 4.5
        with torch.no_grad():
            deepest[name] = float(method.surface.field().surface.distance(asked).amin())
        if name == "confined":
            vertices = method.mesh(MeshingConfig(cells=32)).vertices
            assert float(vertices[:, 0].amin()) > low - 2 * 4.5 / 32
    assert deepest["free"] < -0.1 and deepest["confined"] > -0.02
    assert torch.allclose(method.state_dict()["bounds"], torch.tensor([[-1.0, -4.5, -4.5], [4.5] * 3]) / 4.5, atol=1e-6)


def test_a_confined_surface_is_before_a_plain_background_and_looked_at_aside():
    method = a_method(10, background=AROUND, sampling={**MARCHED, "outside": 8})
    with pytest.raises(DataError, match="globe 0: expected a plain background and .* got background.kind sphere"):
        method.training_step(confined(view(0)), 0)
    with pytest.raises(DataError, match="globe 0: .* loss.points 0"):
        a_method(10, loss={"points": 0}).training_step(confined(view(0)), 0)


def test_rays_may_be_drawn_so_that_they_meet_the_ball():
    frames = replace(view(2), unit_to_world=unit_to_world(1.0)[None], mask=None)
    for met in (False, True):
        method = a_method(10, met=met, inside=0.0, background={"kind": "plain", "colour": "black"})
        method.training_step(frames, 0)
        rays = method._draw(frames, 0.0)
        aside = torch.linalg.cross(rays.origins, rays.directions).norm(dim=1)
        assert bool((aside < 1).all()) == met
    # Cameras within it see it wherever they look, and what lies behind a camera is not met.
    outward = torch.nn.functional.normalize(torch.randn(50, 3), dim=1)
    assert method._meets(0.5 * outward, outward).all() and not method._meets(1.5 * outward, outward).any()
    with pytest.raises(ValidationError, match="met: expected a plain background with it, got sphere"):
        a_method(10, met=True, background=AROUND, sampling={**MARCHED, "outside": 8})


def test_masks_and_places_are_asked_for_by_the_name_of_the_view():
    with pytest.raises(DataError, match="globe 0: expected masks"):
        a_method(10).training_step(view(0, masks=False), 0)
    with pytest.raises(DataError, match="globe 0: expected images whose cameras' places are known"):
        a_method(10).training_step(replace(view(0), cam_to_world=None), 0)


def test_a_background_is_sampled_where_there_is_one_and_nowhere_else():
    with pytest.raises(ValueError, match="expected none with a plain background, got 8"):
        a_method(10, sampling={**MARCHED, "outside": 8})
    with pytest.raises(ValueError, match="expected some samples with a sphere background, got 0"):
        a_method(10, background=AROUND)


def test_a_prediction_is_the_same_twice_and_in_any_chunks():
    one, other = a_method(10), a_method(10, chunk=100)
    frames = view(3)
    first = one.predict(frames)
    assert torch.equal(first.colour, one.predict(frames).colour)
    torch.testing.assert_close(first.colour, other.predict(frames).colour)
