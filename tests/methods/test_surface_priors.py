from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.geometry.normals import depth_normals
from scene3d.geometry.se3 import rotation_of
from scene3d.structures.frames import Frames
from tests.methods.globes import view
from tests.methods.test_neural_surface import AROUND, MARCHED, a_method, learn

ROOM = {"background": AROUND, "sampling": {**MARCHED, "outside": 8}, "inside": 0.0}


def test_depth_and_normals_of_the_frames_are_terms_of_the_loss():
    method = a_method(10, loss={"points": 64, "depth": 0.1, "normals": 0.05})
    terms = method.training_step(view(0), 0)
    assert terms.weights["depth"] == 0.1 and terms.weights["normals"] == 0.05
    terms.total().backward()
    assert all(torch.isfinite(p.grad).all() for p in method.parameters() if p.grad is not None)
    with pytest.raises(DataError, match="globe 0: expected depth, for its loss, got none"):
        method.training_step(replace(view(0), depth=None), 0)
    only = replace(view(0), depth=None, cue_depth=view(0).depth)
    with pytest.raises(DataError, match="globe 0: expected normals, for its loss, got none.*cues.folder"):
        method.training_step(only, 0)


def test_a_guess_replaces_measured_depth_and_its_scale_and_shift_do_not_matter():
    def loss(frames: Frames) -> float:
        method = a_method(10, loss={"points": 64, "depth": 1.0})
        return float(method.training_step(frames, 0).terms["depth"].detach())

    frames = view(0)
    # Known all over, so that the same pixels count: the ball, and a wall 3 units behind the middle.
    deep = torch.where(frames.depth > 0, frames.depth, 17.0)
    measured = loss(replace(frames, depth=deep))
    assert measured > 0.01
    assert loss(replace(frames, depth=None, cue_depth=0.1 * deep - 5)) == pytest.approx(measured, rel=5e-3)
    # Measured depth is not looked at where there is a guess.
    assert loss(replace(frames, depth=deep.flip(-1), cue_depth=3 * deep)) == pytest.approx(measured, rel=5e-3)
    assert loss(replace(frames, cue_depth=deep.max() - deep)) > 2 * measured


def test_guessed_normals_are_learnt_as_measured_ones_are():
    frames = [view(number) for number in range(12)]
    guesses = []
    for each in frames:
        seen = depth_normals(each.depth[0, 0], each.K[0, 0], reach=1).movedim(-1, 0)
        guesses.append(replace(each, depth=None, cue_normals=seen[None, None]))

    def off(weight: float) -> float:
        method = a_method(60, loss={"points": 64, "normals": weight})
        optimiser = torch.optim.Adam(
            [{"params": g["params"], "lr": 1e-2 * g["scale"]} for g in method.parameter_groups()]
        )
        for step in range(60):
            optimiser.zero_grad()
            method.training_step(guesses[5 * step % 12], step).total().backward()
            optimiser.step()
        torch.manual_seed(1)
        return float(method.training_step(view(3), 59).terms["normals"].detach())

    assert off(0.3) < 0.8 * off(1e-9)


def test_normals_of_the_frames_are_learnt():
    def off(changes: dict[str, object]) -> float:
        method = a_method(60, **changes)
        learn(method, 60)
        told = a_method(60, loss={"points": 64, "normals": 1.0})
        told.load_state_dict(method.state_dict())
        torch.manual_seed(1)
        return float(told.training_step(view(3), 59).terms["normals"])

    assert off({"loss": {"points": 64, "normals": 0.3}}) < 0.8 * off({})


def test_the_manhattan_prior_begins_when_it_is_told():
    loss = {"points": 64, "manhattan": {"start": 2, "ramp": 2, "clusters": 5}}
    method = a_method(10, loss=loss)
    assert "manhattan_cosine" not in method.training_step(view(0), 1).terms
    terms = method.training_step(view(0), 4)
    assert terms.weights["manhattan_cosine"] == pytest.approx(2e-3)
    terms.total().backward()


def test_known_axes_come_with_the_frames():
    method = a_method(10, loss={"points": 64, "manhattan": {"start": 0, "ramp": 1, "clusters": 5, "outliers": None}})
    frames = replace(view(0), room_axes=torch.eye(3)[None])
    torch.manual_seed(1)
    found = method.training_step(frames, 1)
    assert "manhattan_orthogonality" not in found.terms and found.observed["manhattan_share"] == 1
    torch.manual_seed(1)
    turned = replace(frames, room_axes=rotation_of(torch.tensor([[0.4, 0.5, 0.0]])))
    assert float(method.training_step(turned, 1).terms["manhattan_l1"]) != float(found.terms["manhattan_l1"])


def test_cameras_that_are_corrected_need_numbers():
    method = a_method(10, refinement={"images": 12})
    with pytest.raises(DataError, match="globe 0: expected a frame number below refinement.images, 12, got none"):
        method.training_step(view(0), 0)
    with pytest.raises(DataError, match="got 12"):
        method.training_step(replace(view(0), number=torch.tensor([12])), 0)


def test_cameras_have_a_rate_of_their_own():
    method = a_method(10, refinement={"images": 12, "scale": 0.05})
    groups = [group for group in method.parameter_groups() if group["scale"] == 0.05]
    assert [len(group["params"]) for group in groups] == [1] and groups[0]["params"][0] is method.cameras.twist


def test_what_is_not_a_number_in_a_step_is_known_by_its_loss():
    method = a_method(10, **ROOM)
    frames = view(0, masks=False, behind=True)
    frames = replace(frames, image=torch.full_like(frames.image, torch.nan))
    assert not torch.isfinite(method.training_step(frames, 0).total())
