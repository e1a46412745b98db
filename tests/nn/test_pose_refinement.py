from __future__ import annotations

import torch

from scene3d.geometry.camera import project
from scene3d.geometry.se3 import exp_twist, invert, is_rigid, rigid, rotation_of, transform
from scene3d.nn.pose_refinement import PoseRefinement

K = torch.tensor([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]], dtype=torch.float64)


def placed(number: int) -> torch.Tensor:
    """Cameras on an arc that look at the origin from 4 away."""
    angles = torch.linspace(-0.6, 0.6, number, dtype=torch.float64)
    zero = torch.zeros_like(angles)
    rotation = rotation_of(torch.stack([zero, angles, zero], dim=1))
    return rigid(rotation, rotation @ torch.tensor([0.0, 0, -4], dtype=torch.float64))


def test_at_first_nothing_changes():
    cam_to_world = placed(4)
    torch.testing.assert_close(PoseRefinement(4).double()(cam_to_world, torch.arange(4)), cam_to_world)


def test_increments_move_a_camera_in_its_own_frame_and_the_first_stays():
    refinement = PoseRefinement(2).double()
    with torch.no_grad():
        refinement.twist[:, 5] = 0.5
    cam_to_world = placed(2)
    refined = refinement(cam_to_world, torch.tensor([0, 1]))
    torch.testing.assert_close(refined[0], cam_to_world[0])
    # Half a unit forward: from 4 away from the origin to 3.5.
    torch.testing.assert_close(refined[1, :3, 3].norm(), torch.tensor(3.5, dtype=torch.float64))
    assert is_rigid(refined).all()
    refinement(cam_to_world, torch.tensor([0, 1])).sum().backward()
    assert (refinement.twist.grad[0] == 0).all() and refinement.twist.grad[1].any()


def test_the_state_is_the_increments_alone():
    assert list(PoseRefinement(3).state_dict()) == ["twist"]


def test_the_gradient_is_that_of_the_exponential_at_nothing_too():
    for twist in (torch.zeros(2, 6, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)):
        assert torch.autograd.gradcheck(exp_twist, (twist.requires_grad_(),))


def test_perturbed_cameras_find_back_by_what_they_see():
    generator = torch.Generator().manual_seed(0)
    true = placed(5)
    off = 0.03 * torch.randn(5, 6, dtype=torch.float64, generator=generator)
    off[0] = 0
    given = true @ exp_twist(off)
    points = torch.rand(40, 3, dtype=torch.float64, generator=generator) - 0.5
    seen = project(transform(invert(true), points), K[None])[0]
    refinement = PoseRefinement(5).double()
    optimiser = torch.optim.LBFGS(refinement.parameters(), max_iter=100, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        refined = refinement(given, torch.arange(5))
        error = (project(transform(invert(refined), points), K[None])[0] - seen).square().mean()
        error.backward()
        return error

    optimiser.step(closure)
    with torch.no_grad():
        apart = (refinement(given, torch.arange(5)) - true).abs().amax()
    assert (given - true).abs().amax() > 0.02 and apart < 1e-4
