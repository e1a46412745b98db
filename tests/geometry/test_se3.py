from __future__ import annotations

import math

import kornia
import torch

from scene3d.geometry.se3 import exp_twist, invert, is_rigid, rigid, rotate, rotation_of, transform


def quarter_turn_left() -> torch.Tensor:
    """About the y axis (down): what was ahead (z) is now to the right (x)."""
    return torch.tensor([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])


def random_rigid(*batch: int) -> torch.Tensor:
    count = math.prod(batch)
    rotation = kornia.geometry.axis_angle_to_rotation_matrix(torch.randn(count, 3, dtype=torch.float64))
    return rigid(rotation, torch.randn(count, 3, dtype=torch.float64)).reshape(*batch, 4, 4)


def test_convention_a_to_b_takes_points_of_a_to_b_by_rotating_then_moving():
    a_to_b = rigid(quarter_turn_left(), torch.tensor([10.0, 0.0, 0.0]))
    # One metre ahead in a: turned to one metre right, then moved by ten.
    assert transform(a_to_b, torch.tensor([[0.0, 0.0, 1.0]])).tolist() == [[11.0, 0.0, 0.0]]


def test_convention_transforms_chain_by_their_inner_names():
    a_to_b, b_to_c = random_rigid(1)[0], random_rigid(1)[0]
    points_a = torch.randn(4, 3, dtype=torch.float64)
    a_to_c = b_to_c @ a_to_b
    torch.testing.assert_close(transform(a_to_c, points_a), transform(b_to_c, transform(a_to_b, points_a)))


def test_directions_do_not_move():
    a_to_b = rigid(quarter_turn_left(), torch.tensor([10.0, 20.0, 30.0]))
    assert rotate(a_to_b, torch.tensor([[0.0, 0.0, 1.0]])).tolist() == [[1.0, 0.0, 0.0]]


def test_the_inverse_undoes_and_does_not_touch_its_input():
    a_to_b = random_rigid(2, 3)
    before = a_to_b.clone()
    torch.testing.assert_close(invert(a_to_b) @ a_to_b, torch.eye(4, dtype=torch.float64).expand(2, 3, 4, 4))
    torch.testing.assert_close(a_to_b, before, rtol=0, atol=0)


def test_transform_and_inverse_agree_with_kornia():
    a_to_b, points = random_rigid(3), torch.randn(3, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(transform(a_to_b, points), kornia.geometry.transform_points(a_to_b, points))
    torch.testing.assert_close(invert(a_to_b), kornia.geometry.inverse_transformation(a_to_b))


def test_one_transform_serves_a_batch_of_points():
    a_to_b, points = random_rigid(1)[0], torch.randn(2, 5, 3, dtype=torch.float64)
    torch.testing.assert_close(transform(a_to_b, points)[1], transform(a_to_b, points[1]))


def test_a_rotation_and_six_printed_digits_are_rigid():
    matrix = random_rigid(1)[0]
    assert is_rigid(matrix)
    assert is_rigid(torch.round(matrix, decimals=6))


def test_what_is_not_rigid_is_found_one_by_one():
    good = torch.eye(4)
    scaled = torch.diag(torch.tensor([1.1, 1.1, 1.1, 1.0]))
    mirrored = torch.diag(torch.tensor([-1.0, 1.0, 1.0, 1.0]))
    sheared = good.clone()
    sheared[0, 1] = 0.01
    nan = good.clone()
    nan[0, 3] = torch.nan
    projective = good.clone()
    projective[3, 0] = 1e-3
    all_of_them = torch.stack([good, scaled, mirrored, sheared, nan, projective])
    assert is_rigid(all_of_them).tolist() == [True, False, False, False, False, False]
    assert not is_rigid(torch.full((4, 4), torch.inf))


def test_a_twist_without_rotation_moves_straight_and_a_quarter_turn_goes_round():
    straight = exp_twist(torch.tensor([0.0, 0, 0, 1, 2, 3]))
    torch.testing.assert_close(straight, rigid(torch.eye(3), torch.tensor([1.0, 2, 3])))
    # A quarter turn about z while moving along x at pi / 2: an arc of radius 1 from the origin to (1, 1, 0).
    quarter = exp_twist(torch.tensor([0.0, 0, math.pi / 2, math.pi / 2, 0, 0]))
    torch.testing.assert_close(quarter[:3, 3], torch.tensor([1.0, 1, 0]))
    torch.testing.assert_close(quarter[:3, :3], rotation_of(torch.tensor([0.0, 0, math.pi / 2])))
