from __future__ import annotations

import math

import pytest
import torch

from scene3d.geometry.se3 import rotation_of
from scene3d.losses import LossTerms
from scene3d.losses.manhattan import (
    ManhattanAxes,
    ManhattanConfig,
    axis_directions,
    centroid_cosine,
    centroid_l1,
    find_axes,
    manhattan_terms,
    nearest_axes,
    orthogonality,
)

FRAME = rotation_of(torch.tensor([0.4, -0.9, 0.7], dtype=torch.float64))
CONFIG = ManhattanConfig(start=0, ramp=1)


def room(number: int = 300, noise: float = 0.0, seed: int = 0) -> torch.Tensor:
    """Normals of the walls, floor and ceiling of a box in an unknown frame; more of the floor than of others."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.randint(4, (number,), generator=generator).clamp(max=2)
    sign = 2.0 * torch.randint(2, (number,), generator=generator) - 1
    normals = sign.double()[:, None] * FRAME[axis]
    turned = normals + noise * torch.randn(number, 3, dtype=torch.float64, generator=generator)
    return torch.nn.functional.normalize(turned, dim=1)


def off_frame(normals: torch.Tensor) -> torch.Tensor:
    """Degrees between normals and the nearest direction of the true frame, either way."""
    return torch.rad2deg(torch.arccos((normals @ FRAME.mT).abs().amax(dim=1).clamp(max=1)))


def terms(normals: torch.Tensor, config: ManhattanConfig = CONFIG, step: int = 1) -> LossTerms:
    return manhattan_terms(normals, step, config, torch.Generator().manual_seed(1))


def test_three_directions_cost_what_their_angles_say():
    assert orthogonality(torch.eye(3)) == 0
    # cos 60 = 0.5 between the first two, the third is at right angles with both: (0.5 + 0 + 0) / 3.
    tilted = torch.tensor([[1.0, 0, 0], [0.5, math.sqrt(0.75), 0], [0, 0, -1]])
    torch.testing.assert_close(orthogonality(tilted), torch.tensor(1 / 6))


def test_normals_off_their_axis_cost_what_they_are_off():
    # Axis x holds (0.8, 0.6, 0), whose cosine is 0.8 and L1 distance 0.2 + 0.6; and its opposite, turned around.
    # Axis y holds its own direction, and z nothing: (0.2 + 0 + 0) / 3 and (0.8 + 0 + 0) / 3.
    normals = torch.tensor([[0.8, 0.6, 0], [-0.8, -0.6, 0], [0, 1, 0], [0, 0, 1]])
    axes = ManhattanAxes(torch.tensor([0, 0, 1, -1]), torch.tensor([1.0, -1, 1, 1]))
    torch.testing.assert_close(centroid_cosine(normals, torch.eye(3), axes), torch.tensor(0.2 / 3))
    torch.testing.assert_close(centroid_l1(normals, torch.eye(3), axes), torch.tensor(0.8 / 3))
    expected = torch.tensor([[0.8, 0.6, 0], [0, 1, 0], [0, 0, 0]])
    torch.testing.assert_close(axis_directions(normals, axes), expected)


def test_a_room_in_any_frame_is_free_and_all_of_it_counts():
    found = terms(room())
    for value in found.terms.values():
        torch.testing.assert_close(value, torch.zeros((), dtype=torch.float64), atol=1e-7, rtol=0)
    assert found.observed["manhattan_share"] == 1


def test_turning_the_room_changes_nothing():
    normals = room(noise=0.05)
    turn = rotation_of(torch.tensor([-1.1, 0.3, 0.2], dtype=torch.float64))
    here, there = terms(normals), terms(normals @ turn.mT)
    # The L1 distance is the one term that depends on the frame, by definition.
    for name in ("manhattan_orthogonality", "manhattan_cosine"):
        torch.testing.assert_close(here.terms[name], there.terms[name], atol=1e-9, rtol=1e-6)
    assert here.observed == there.observed


def test_opposite_walls_belong_to_one_axis():
    normals = room()
    axes = find_axes(normals, CONFIG, torch.Generator().manual_seed(0))
    turned = axes.sign[:, None] * normals
    for k in range(3):
        own = turned[axes.member == k]
        assert (own @ own.mT > 1 - 1e-9).all()
    assert sorted(torch.bincount(axes.member).tolist()) == sorted(
        torch.bincount((normals @ FRAME.mT).abs().argmax(dim=1)).tolist()
    )


def test_what_lies_aside_does_not_count_unless_all_shall():
    # Of each cluster along an axis the normals beyond 8 degrees of it are left out.
    normals = room(600, noise=0.08)
    strict = find_axes(normals, CONFIG, torch.Generator().manual_seed(2))
    lax = find_axes(normals, ManhattanConfig(outliers=None), torch.Generator().manual_seed(2))
    left_out = (lax.member >= 0) & (strict.member < 0)
    assert left_out.any() and (strict.member[strict.member >= 0] == lax.member[strict.member >= 0]).all()
    assert off_frame(normals[left_out]).mean() > off_frame(normals[strict.member >= 0]).mean()


def test_weights_grow_after_the_start_and_nothing_is_asked_before():
    config = ManhattanConfig(start=500, ramp=2500, cosine=4e-3)
    assert [config.growth(step) for step in (0, 500, 1750, 3000, 9000)] == [0, 0, 0.5, 1, 1]
    assert terms(room(), config, step=500).terms == {}
    assert terms(room(), config, step=1750).weights["manhattan_cosine"] == pytest.approx(2e-3)


def test_normals_that_are_missing_are_left_out_and_too_few_say_nothing():
    normals = room(60)
    gaps = torch.cat([normals, torch.zeros(5, 3, dtype=torch.float64), torch.full((5, 3), torch.nan).double()])
    assert terms(gaps).observed["manhattan_share"] == 1
    assert terms(normals[:19]).terms == {} and terms(normals[:0]).terms == {}


def test_the_gradient_is_that_of_the_terms():
    normals = room(40, noise=0.04)
    axes = find_axes(normals, ManhattanConfig(clusters=8), torch.Generator().manual_seed(0))

    def total(free: torch.Tensor) -> torch.Tensor:
        unit = torch.nn.functional.normalize(free, dim=1)
        centres = axis_directions(unit, axes)
        return orthogonality(centres) + centroid_cosine(unit, centres, axes) + centroid_l1(unit, centres, axes)

    assert torch.autograd.gradcheck(total, (normals.clone().requires_grad_(),))


@pytest.mark.slow
def test_noisy_normals_of_a_room_are_straightened():
    free = room(400, noise=0.08, seed=5).clone().requires_grad_()
    before = off_frame(free.detach()).mean()
    optimiser = torch.optim.Adam([free], lr=2e-3)
    config = ManhattanConfig(orthogonality=1, cosine=1, l1=1, start=0, ramp=1)
    for step in range(150):
        optimiser.zero_grad()
        unit = torch.nn.functional.normalize(free, dim=1)
        manhattan_terms(unit, step + 1, config, torch.Generator().manual_seed(step)).total().backward()
        optimiser.step()
    after = off_frame(torch.nn.functional.normalize(free.detach(), dim=1)).mean()
    assert after < 0.5 * before


def test_every_normal_belongs_to_the_nearest_axis_of_a_frame():
    normals = torch.nn.functional.normalize(torch.tensor([[3.0, 1, 0], [0, -2, 1], [1, 1, 1.1], [0, 0, -1]]), dim=1)
    axes = nearest_axes(normals, torch.eye(3), None)
    assert axes.member.tolist() == [0, 1, 2, 2] and axes.sign.tolist() == [1, -1, 1, -1]
    # Cosines are 0.949, 0.894, 0.614 and 1.
    assert nearest_axes(normals, torch.eye(3), 0.2).member.tolist() == [0, 1, -1, 2]


def test_axes_that_are_known_draw_normals_to_themselves():
    # Turned by 20 degrees about the third axis: clusters would make the room square in its own wrong frame.
    turn = rotation_of(torch.tensor([0.0, 0.0, math.radians(20)], dtype=torch.float64))
    normals = room(noise=0.02) @ (FRAME.mT @ turn @ FRAME).mT
    config = ManhattanConfig(start=0, ramp=1, outliers=None)
    assert float(terms(normals, config).terms["manhattan_cosine"]) < 2e-3
    found = manhattan_terms(normals, 1, config, known=FRAME.flip(0).float())
    assert found.terms.keys() == found.weights.keys() == {"manhattan_cosine", "manhattan_l1"}
    assert found.observed["manhattan_share"] == 1
    # Two of three axes are off by 20 degrees.
    assert float(found.terms["manhattan_cosine"]) == pytest.approx(2 / 3 * (1 - math.cos(math.radians(20))), rel=0.1)
    assert manhattan_terms(normals[:1], 1, config, known=FRAME).terms and not terms(normals[:1], config).terms
    assert manhattan_terms(normals, 1, CONFIG, known=FRAME).observed["manhattan_share"] < 0.6
