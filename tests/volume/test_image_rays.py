from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.structures.frames import collate
from scene3d.volume.image_rays import all_rays, draw_rays
from tests.methods.globes import AWAY, RADIUS, unit_to_world, view


def test_rays_begin_at_the_camera_in_units_and_hit_what_they_show():
    frames = view(2)
    origins, directions = all_rays(frames, 0, unit_to_world())
    # The camera is 14 away from the middle, and a unit is 4.5.
    torch.testing.assert_close(origins.norm(dim=1), torch.full((len(origins),), AWAY / 4.5))
    torch.testing.assert_close(directions.norm(dim=1), torch.ones(len(directions)))
    aside = torch.linalg.cross(origins, directions).norm(dim=1)
    assert torch.equal(aside < RADIUS / 4.5, frames.mask.flatten())


def test_a_world_far_from_its_origin_costs_no_precision():
    frames, region = view(2), unit_to_world()
    away = torch.zeros(4, 4, dtype=torch.float64)
    away[:3, 3] = torch.tensor([5e6, -4e6, 3e6])
    moved = replace(frames, cam_to_world=frames.cam_to_world + away)
    torch.testing.assert_close(all_rays(moved, 0, region + away), all_rays(frames, 0, region), atol=1e-6, rtol=1e-5)


def test_drawn_rays_carry_what_their_pixels_show():
    frames = view(3)
    rays = draw_rays(frames, unit_to_world(), 500)
    aside = torch.linalg.cross(rays.origins, rays.directions).norm(dim=1)
    assert torch.equal(rays.mask, aside < RADIUS / 4.5)
    assert (rays.colour[~rays.mask] == 0).all() and (rays.colour[rays.mask] > 0.05).all()


def test_a_share_goes_through_the_mask():
    frames = view(3)
    covered = frames.mask.float().mean()
    inside = draw_rays(frames, unit_to_world(), 4000, inside=0.5).mask.float().mean()
    assert inside == pytest.approx(0.5 + 0.5 * float(covered), abs=0.03)
    empty = replace(frames, mask=torch.zeros_like(frames.mask))
    assert not draw_rays(empty, unit_to_world(), 100, inside=0.5).mask.any()


def test_pixels_that_are_not_valid_are_not_drawn():
    frames = view(3)
    only = torch.zeros_like(frames.mask)
    only[..., 4, 7] = True
    rays = draw_rays(replace(frames, valid=only), unit_to_world(), 50)
    assert (rays.directions == rays.directions[0]).all()
    with pytest.raises(DataError, match="globe 3: expected an image with valid pixels"):
        draw_rays(replace(frames, valid=torch.zeros_like(only)), unit_to_world(), 50)


def test_several_images_share_the_rays():
    both = collate([replace(view(number), mask=None) for number in (0, 5)])
    rays = draw_rays(both, unit_to_world(), 31)
    assert len(rays.origins) == 30 and rays.mask is None
    assert len(torch.unique(rays.origins, dim=0)) == 2


def test_rays_are_aimed_as_far_as_there_are_enough():
    frames = view(2)

    def at_the_ball(origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        return torch.linalg.cross(origins, directions).norm(dim=1) < RADIUS / 4.5

    aimed = draw_rays(frames, unit_to_world(), 200, 0.9, aim=at_the_ball)
    assert len(aimed.origins) == 200
    assert at_the_ball(aimed.origins, aimed.directions)[:180].float().mean() > 0.5
    none = draw_rays(frames, unit_to_world(), 200, 0.9, aim=lambda origins, _: torch.zeros(len(origins)).bool())
    assert len(none.origins) == 200 and none.normals is None


def test_a_mask_that_is_nowhere_valid_leaves_the_rays_to_the_region():
    frames = view(2)
    frames = replace(frames, valid=~frames.mask)
    middle = all_rays(frames, 0, unit_to_world())[1][:, 2].median()
    rays = draw_rays(frames, unit_to_world(), 200, 0.5, region=lambda _, directions: directions[:, 2] > middle)
    assert not rays.mask.any() and bool((rays.directions[:, 2] > middle).all())


def test_rays_that_go_anywhere_meet_the_region():
    frames = view(2)

    def upper(origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
        return directions[:, 2] > directions[:, 2].median()

    def share(rays) -> float:
        return float((rays.directions[:, 2] > middle).float().mean())

    middle = all_rays(frames, 0, unit_to_world())[1][:, 2].median()
    met = draw_rays(frames, unit_to_world(), 800, region=upper)
    assert len(met.origins) == 800 and share(met) > 0.95
    # Those through the mask lie where it is.
    half = draw_rays(frames, unit_to_world(), 800, 0.5, region=upper)
    assert len(half.origins) == 800 and half.mask[:400].all()
    assert 0.3 < float((half.directions[:400, 2] > middle).float().mean()) < 0.7
    assert float((half.directions[400:, 2] > middle).float().mean()) > 0.95
    nothing = draw_rays(frames, unit_to_world(), 800, region=lambda origins, _: torch.zeros(len(origins)).bool())
    assert len(nothing.origins) == 800


def test_what_a_network_guessed_comes_before_what_was_measured():
    frames = view(2)
    facing = torch.tensor([0.0, 0.0, -1.0])[:, None, None].expand(3, *frames.image.shape[-2:])
    guessed = replace(frames, cue_depth=-frames.depth, cue_normals=facing[None, None])
    rays = draw_rays(guessed, unit_to_world(), 300, normals=True)
    # A guess has no unit, and no value of its own for "unknown".
    assert (rays.depth <= 0).all() and rays.depth_known.all()
    # Towards the camera is against the camera's axis, in the world.
    back = -frames.cam_to_world[0, 0, :3, 2].float()
    torch.testing.assert_close(rays.normals, back.expand(300, 3))
    measured = draw_rays(frames, unit_to_world(), 300)
    assert torch.equal(measured.depth_known, measured.depth > 0)


def test_normals_of_depth_are_told_where_they_are_asked_for():
    rays = draw_rays(view(2), unit_to_world(), 500, 1.0, normals=True)
    known = rays.normals.norm(dim=1) > 0
    assert known.any() and ((rays.normals * rays.directions).sum(dim=1)[known] < 0).all()
    assert draw_rays(view(2), unit_to_world(), 500).normals is None
