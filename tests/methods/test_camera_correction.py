from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.geometry.camera import project
from scene3d.geometry.se3 import exp_twist, invert, rigid, transform
from scene3d.methods.neural_surface import NeuralSurface, NeuralSurfaceConfig
from scene3d.structures.frames import Frames
from tests.methods.globes import CENTRE, RADIUS, view
from tests.methods.test_neural_surface import HASH, a_method, learn


@pytest.fixture(scope="module")
def learned() -> NeuralSurface:
    torch.manual_seed(0)
    method = a_method(120)
    learn(method, 120)
    method.zero_grad()
    return method


def shaken() -> tuple[Frames, Frames]:
    """A view, and the same with a camera that is off by 0.06 units and 1.7 degrees."""
    true = view(4)
    scale = true.unit_to_world[0, 0, 0]
    off = torch.tensor([0.03, 0.0, 0.0, 0.05, -0.03, 0.0], dtype=torch.float64)
    moved = exp_twist(off * torch.tensor([1, 1, 1, scale, scale, scale]))
    return true, replace(true, cam_to_world=true.cam_to_world @ moved, number=torch.tensor([4]))


def on_ball(cam_to_world: torch.Tensor) -> torch.Tensor:
    """Where places on the ball are seen: a turn of the camera and a step aside look much alike."""
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(50, 3, dtype=torch.float64, generator=generator)
    places = CENTRE + RADIUS * torch.nn.functional.normalize(drawn, dim=1)
    return project(transform(invert(cam_to_world), places), view(4).K[0, 0].double())[0]


def test_cameras_are_corrected_towards_where_they_were(learned: NeuralSurface):
    config = {"background": {"kind": "plain"}, "inside": 0.3, **HASH, "steps": 120}
    config["refinement"] = {"images": 12, "fixed": 0, "scale": 0.3}
    method: NeuralSurface = NeuralSurfaceConfig.model_validate(config).build()
    method.load_state_dict(learned.state_dict(), strict=False)
    # Everything but the cameras stays as it was learned.
    true, off = shaken()
    optimiser = torch.optim.Adam(method.cameras.parameters(), lr=2e-3)
    for _ in range(80):
        optimiser.zero_grad()
        method.training_step(off, 119).total().backward()
        optimiser.step()
    assert method.cameras.refined_to_cam()[0].equal(torch.eye(4))

    def in_units(cam_to_world: torch.Tensor) -> torch.Tensor:
        world_to_unit = torch.linalg.inv(true.unit_to_world[0])
        return rigid(cam_to_world[:3, :3], transform(world_to_unit, cam_to_world[None, :3, 3])[0])

    def back(cam_to_unit: torch.Tensor) -> torch.Tensor:
        return rigid(cam_to_unit[:3, :3], transform(true.unit_to_world[0], cam_to_unit[None, :3, 3])[0])

    wanted = on_ball(true.cam_to_world[0, 0])
    before = in_units(off.cam_to_world[0, 0])
    after = method.cameras(before, torch.tensor(4)).detach()
    gaps = [(on_ball(back(placed)) - wanted).norm(dim=1).mean() for placed in (before, after)]
    assert gaps[1] < 0.4 * gaps[0]


def test_the_camera_of_a_scored_view_goes_where_it_sees_its_image(learned: NeuralSurface):
    true, off = shaken()
    before = {name: value.clone() for name, value in learned.state_dict().items()}
    found = learned.correct_camera(off, 80)
    wanted = on_ball(true.cam_to_world[0, 0])
    gaps = [(on_ball(frames.cam_to_world[0, 0]) - wanted).norm(dim=1).mean() for frames in (off, found)]
    assert gaps[1] < 0.4 * gaps[0]
    # The scene stays what it was, and the same images give the same camera.
    assert all(torch.equal(value, before[name]) for name, value in learned.state_dict().items())
    assert all(p.grad is None for p in learned.parameters())
    torch.manual_seed(5)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(learned.correct_camera(off, 80).cam_to_world, found.cam_to_world)
    assert torch.equal(torch.rand(1), drawn)


def test_a_camera_without_a_place_cannot_be_corrected(learned: NeuralSurface):
    with pytest.raises(DataError, match="globe 4: expected an image with a number and a camera whose place is known"):
        learned.correct_camera(replace(view(4), cam_to_world=None), 2)


def test_what_was_learnt_of_a_camera_comes_on_top_of_its_correction(learned: NeuralSurface):
    config = {"background": {"kind": "plain"}, "inside": 0.3, **HASH, "steps": 120}
    method: NeuralSurface = NeuralSurfaceConfig.model_validate(config | {"refinement": {"images": 12}}).build()
    method.load_state_dict(learned.state_dict(), strict=False)
    true, _ = shaken()
    frames = replace(true, number=torch.tensor([4]))
    wrong = torch.tensor([0.03, 0.0, 0.0, 0.05, -0.03, 0.0])
    with torch.no_grad():
        method.cameras.twist[4] = wrong
    found = method.correct_camera(frames, 80)
    # What is seen in the end: the correction, and what was learnt after it.
    learnt = exp_twist(wrong.double())
    learnt[:3, 3] *= true.unit_to_world[0, 0, 0]
    wanted = on_ball(true.cam_to_world[0, 0])
    gaps = [(on_ball(each.cam_to_world[0, 0] @ learnt) - wanted).norm(dim=1).mean() for each in (frames, found)]
    assert gaps[1] < 0.4 * gaps[0]
