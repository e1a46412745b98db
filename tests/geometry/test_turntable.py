from __future__ import annotations

import math

import torch

from scene3d.geometry.se3 import is_rigid
from scene3d.geometry.turntable import turntable, up_of_cameras, upright

CENTRE = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)


def ring(angles, height: float = 2.0, roll: float = 0.0) -> torch.Tensor:
    """Cameras 5 away from the axis through CENTRE along z, looking at it; `roll` turns them about their axis."""
    found = []
    for angle in angles:
        place = torch.tensor([5 * math.cos(angle), 5 * math.sin(angle), height], dtype=torch.float64)
        forward = -place / place.norm()
        right = torch.linalg.cross(forward, torch.tensor([0.0, 0, 1], dtype=torch.float64))
        right = right / right.norm()
        down = torch.linalg.cross(forward, right)
        matrix = torch.eye(4, dtype=torch.float64)
        sine, cosine = math.sin(roll), math.cos(roll)
        matrix[:3, :3] = torch.stack([cosine * right + sine * down, cosine * down - sine * right, forward], dim=1)
        matrix[:3, 3] = CENTRE + place
        found.append(matrix)
    return torch.stack(found)


WHOLE = [2 * math.pi * i / 8 for i in range(8)]


def test_up_is_as_cameras_are_held_and_else_across_the_ring():
    up = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    torch.testing.assert_close(up_of_cameras(ring(WHOLE)), up)
    sideways = up_of_cameras(ring(WHOLE, roll=math.pi / 2))
    torch.testing.assert_close(sideways.abs(), up)


def test_upright_brings_up_to_z():
    for up in ([0.0, 0.0, 1.0], [0.6, 0.0, 0.8], [0.0, -1.0, 0.0]):
        rotation = upright(torch.tensor(up, dtype=torch.float64))
        expected = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
        torch.testing.assert_close(rotation @ torch.tensor(up, dtype=torch.float64), expected)
        torch.testing.assert_close(torch.linalg.det(rotation), torch.tensor(1.0, dtype=torch.float64))


def test_a_ring_gives_a_turn_that_begins_at_its_first_camera():
    given = ring(WHOLE)
    made = turntable(given, CENTRE, 16)
    assert is_rigid(made).all()
    torch.testing.assert_close(made[::2], given)


def test_cameras_on_one_side_give_a_swing_over_it():
    made = turntable(ring([-0.5, 0.1, 0.3, 0.5]), CENTRE, 20)
    places = made[:, :3, 3] - CENTRE
    angles = torch.atan2(places[:, 1], places[:, 0])
    # Cameras that all look down one side hold a little of it for up, so the axis is not quite theirs.
    assert abs(float(angles.min()) + 0.5) < 0.02
    assert abs(float(angles.max()) - 0.5) < 0.02
    assert (places.norm(dim=1) - math.hypot(5, 2)).abs().max() < 1e-9
