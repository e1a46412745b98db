from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.fusion.agreement import TrustConfig, agrees, trusted
from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.structures.drive import DriveStep
from tests.drives import wall_step

ALONE = TrustConfig(agreement=None)


def kept(step: DriveStep) -> torch.Tensor:
    return step.prediction.depth[0] > 0


def with_depth(step: DriveStep, depth: torch.Tensor) -> DriveStep:
    return replace(step, prediction=replace(step.prediction, depth=depth[None]))


def test_only_depths_in_range_are_believed():
    depth = torch.tensor([[0.0, 0.4, 0.6, 39.0, 41.0, torch.inf, torch.nan, 5.0]])
    (step,) = trusted([with_depth(wall_step(0, 4.0, size=(1, 8)), depth)], ALONE)
    assert kept(step)[0].tolist() == [False, False, True, True, False, False, False, True]


def test_what_is_unsure_or_moves_is_not_believed():
    confidence, deviation = torch.ones(1, 1, 4), torch.zeros(1, 1, 4)
    moving = torch.tensor([[[False, False, False, True]]])
    confidence[..., 1] = 0.4
    deviation[..., 2] = 0.03  # times 4 m is 12 % of the depth
    step = wall_step(0, 4.0, size=(1, 4), confidence=confidence, deviation=deviation, moving=moving)
    assert kept(next(trusted([step], ALONE)))[0].tolist() == [True, False, False, False]
    bold = ALONE.model_copy(update={"confidence": 0.0, "deviation": 1.0})
    assert kept(next(trusted([step], bold)))[0].tolist() == [True, True, True, False]


def test_neighbours_that_see_the_same_wall_believe_each_other_and_a_liar_is_not_believed():
    steps = [wall_step(i, 10.0, at=(0.0, 0.0, float(i))) for i in range(3)]
    # Walking ahead, all that is seen was seen before; but the first frame's edge is out of the second's sight:
    # at 10 m it reaches 10 m to the side, from 9 m away 9 m, so 16 pixels to either side shrink to 14.4.
    first, *others = trusted(steps)
    assert all(kept(step).all() for step in others)
    assert kept(first)[12].tolist() == [False] * 2 + [True] * 28 + [False] * 2
    liar = with_depth(steps[1], torch.full((24, 32), 8.0))  # 9 m it would have been
    first, second, third = trusted([steps[0], liar, steps[2]])
    assert not kept(first).any() and not kept(second).any() and not kept(third).any()
    within = with_depth(steps[1], torch.full((24, 32), 9.3))
    assert kept(list(trusted([steps[0], within, steps[2]]))[1]).all()


def test_a_neighbour_need_not_be_sure_of_itself():
    unsure = wall_step(0, 10.0, confidence=torch.zeros(1, 24, 32))
    first, second = trusted([unsure, wall_step(1, 10.0, at=(0.0, 0.0, 1.0))])
    assert not kept(first).any() and kept(second).all()


def test_frames_without_a_place_are_left_out_and_a_new_stretch_begins_after_them():
    steps = [wall_step(i, 10.0) for i in range(5)]
    steps[2] = replace(steps[2], cam_to_world=None)
    steps[3] = with_depth(steps[3], torch.full((24, 32), 5.0))
    found = list(trusted(steps))
    assert [step.number for step in found] == [0, 1, 3, 4]
    assert [bool(kept(step).any()) for step in found] == [True, True, False, False]


def test_a_frame_that_has_no_neighbour_is_not_believed():
    (alone,) = trusted([wall_step(0, 4.0)])
    assert not kept(alone).any()


def test_one_neighbour_that_agrees_is_enough():
    steps = [wall_step(0, 4.0, at=(50.0, 0.0, 0.0)), wall_step(1, 4.0), wall_step(2, 4.0)]
    assert [bool(kept(step).all()) for step in trusted(steps)] == [False, True, True]
    assert [bool(kept(step).all()) for step in trusted(reversed(steps))] == [True, True, False]


def road(height: float, camera_ahead: float = 0.0) -> torch.Tensor:
    """Depth of a level road seen from `height` metres above it; the horizon is in the middle of 40 rows."""
    rows = pixel_centres(40, 60)[..., 1] - 20
    return torch.where(rows > 0, height * 50 / rows.clamp(min=0.1), 0.0)


def test_a_road_agrees_with_itself_as_far_as_it_goes():
    camera = pinhole(50.0, 40, 60)
    ahead = torch.eye(4)
    ahead[2, 3] = 0.7  # a camera 0.7 m farther back sees everything so much farther away
    # Row 22 of the image is 30 m away and row 23 is 21.4 m: there, the nearest pixel alone is too far off.
    found = agrees(road(1.5), camera.K, road(1.5), camera.K, ahead, 0.02)
    assert found[22:, 20:40].all()


def test_a_thin_pole_agrees_with_itself_though_there_is_nothing_to_its_sides():
    camera, depth = pinhole(50.0, 40, 60), torch.full((40, 60), 30.0)
    depth[:, 30] = 6.0
    aside = torch.eye(4)
    aside[0, 3] = -0.048  # 0.4 pixels at 6 m
    assert agrees(depth, camera.K, depth, camera.K, aside, 0.02)[:, 30].all()


@pytest.mark.parametrize("away", [-20.0, 0.0])
def test_what_lies_behind_the_other_camera_or_has_no_depth_agrees_with_nothing(away: float):
    camera, depth = pinhole(50.0, 4, 6), torch.full((4, 6), 5.0)
    cam_to_other = torch.eye(4)
    cam_to_other[2, 3] = away
    other = depth if away else torch.zeros(4, 6)
    assert not agrees(depth, camera.K, other, camera.K, cam_to_other, 0.1).any()
    assert not agrees(torch.zeros(4, 6), camera.K, depth, camera.K, torch.eye(4), 0.1).any()
