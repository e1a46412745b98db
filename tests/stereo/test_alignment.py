"""Motion between two frames of a procedural street, whose depth and transforms are exact."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from scene3d.data.street import make_street, rig
from scene3d.data.street.street import StreetConfig
from scene3d.data.street.truth import true_view
from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import invert, rigid, rotation_of
from scene3d.stereo.alignment import align, align_views
from scene3d.structures.frames import Frames

FAR = 500.0
WRONG = rigid(rotation_of(torch.tensor([0.004, -0.008, 0.006])), torch.tensor([0.05, -0.04, 0.1]))


@pytest.fixture(scope="module")
def frames() -> Frames:
    """Frame 5 of a street without traffic, and frame 4 beside it."""
    street, camera = make_street(3, StreetConfig(traffic=0.0)), pinhole(200.0, 96, 256)
    now, before = (true_view(street, frame, camera) for frame in (5, 4))
    places = [street.body_to_world(frame) @ rig.left_rect_to_body for frame in (5, 4)]
    stacked = {
        name: torch.cat([getattr(now, name), getattr(before, name)], dim=1)
        for name in ("image", "K", "present", "depth")
    }
    cam_to_world = torch.stack([torch.from_numpy(np.linalg.inv(places[0]) @ place) for place in places])[None].float()
    return Frames(**stacked, names=now.names, offset=torch.tensor([[0, -1]]), cam_to_world=cam_to_world)


def truth(frames: Frames) -> torch.Tensor:
    return (invert(frames.cam_to_world.double()) @ frames.cam_to_world[:, :1].double()).float()


def depth(frames: Frames) -> torch.Tensor:
    return torch.where(frames.depth[:, 0] > 0, frames.depth[:, 0], FAR)


def off(one: torch.Tensor, other: torch.Tensor) -> tuple[float, float]:
    """Radians and metres between two transforms."""
    between = one @ invert(other)
    angle = ((between[..., :3, :3].diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1).acos()
    return angle.max().item(), (one[..., :3, 3] - other[..., :3, 3]).norm(dim=-1).max().item()


def aligned(frames: Frames, start: torch.Tensor, **options: object) -> torch.Tensor:
    image, K = frames.image, frames.K
    return align(image[:, 0], depth(frames), K[:, 0], image[:, 1], K[:, 1], start, **options)


def test_a_motion_that_is_pixels_off_is_found(frames: Frames):
    true = truth(frames)[:, 1]
    start = WRONG @ true
    assert off(start, true)[0] > 0.01
    angle, length = off(aligned(frames, start, halvings=(2, 1, 0)), true)
    assert angle < 5e-4
    assert length < 0.02


def test_the_right_motion_is_kept(frames: Frames):
    true = truth(frames)[:, 1]
    angle, length = off(aligned(frames, true, halvings=(1, 0)), true)
    assert angle < 5e-4
    assert length < 0.02


def test_the_length_of_the_motion_follows_the_unit_of_depth(frames: Frames):
    true = truth(frames)[:, 1]
    half = true.clone()
    half[:, :3, 3] /= 2
    start = WRONG @ half
    image, K = frames.image, frames.K
    found = align(image[:, 0], depth(frames) / 2, K[:, 0], image[:, 1], K[:, 1], start, halvings=(2, 1, 0))
    torch.testing.assert_close(found[0, :3, 3], half[0, :3, 3], atol=0.01, rtol=0.0)


def test_brightness_and_contrast_do_not_matter(frames: Frames):
    true = truth(frames)[:, 1]
    darker = replace(frames, image=torch.stack([frames.image[:, 0], 0.6 * frames.image[:, 1] + 0.1], dim=1))
    angle, length = off(aligned(darker, WRONG @ true), true)
    assert angle < 3e-3
    assert length < 0.05


def test_images_that_tell_nothing_change_nothing(frames: Frames):
    gray = replace(frames, image=torch.full_like(frames.image, 0.5))
    start = WRONG @ truth(frames)[:, 1]
    assert torch.equal(aligned(gray, start), start)


def test_a_motion_that_is_not_a_number_stays_as_it_was(frames: Frames):
    start = torch.full((1, 4, 4), torch.nan)
    assert aligned(frames, start).isnan().all()


def test_only_what_was_estimated_is_aligned(frames: Frames):
    start = WRONG @ truth(frames)
    unposed = replace(frames, cam_to_world=None, posed=None)
    found = align_views(unposed, depth(frames), start)
    assert torch.equal(found[:, 0], start[:, 0])
    assert off(found[:, 1], truth(frames)[:, 1])[0] < 0.5 * off(start[:, 1], truth(frames)[:, 1])[0]
    assert torch.equal(align_views(frames, depth(frames), start), start)
    absent = replace(unposed, present=torch.tensor([[True, False]]))
    assert torch.equal(align_views(absent, depth(frames), start), start)
