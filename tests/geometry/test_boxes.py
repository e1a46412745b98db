from __future__ import annotations

import math

import pytest
import torch

from scene3d.geometry.boxes import OrientedBox, box_about, outline_mask
from scene3d.geometry.se3 import is_rigid, rigid, rotation_of, transform

TURN = rotation_of(torch.tensor([0.3, -0.5, 0.9], dtype=torch.float64))
HALF = torch.tensor([3.0, 2, 0.5], dtype=torch.float64)
BOX = OrientedBox(box_to_world=rigid(TURN, torch.tensor([1.0, -2, 4], dtype=torch.float64)), half=HALF)


def test_a_box_holds_its_middle_and_corners_and_nothing_beyond():
    corners = BOX.corners()
    middle = BOX.box_to_world[:3, 3]
    torch.testing.assert_close(corners.mean(dim=0), middle)
    torch.testing.assert_close((corners - middle).norm(dim=1), HALF.norm().expand(8))
    assert BOX.contains(middle + 0.999 * (corners - middle)).all()
    assert not BOX.contains(middle + 1.001 * (corners - middle)).any()
    assert (BOX.bounds()[0] <= corners).all() and (BOX.bounds()[1] >= corners).all()


def test_the_box_about_the_corners_of_a_box_is_that_box():
    for up in (TURN[:, 2], None):
        points = BOX.corners()
        found = box_about(points, up)
        torch.testing.assert_close(found.half, HALF)
        torch.testing.assert_close(found.box_to_world[:3, 3], BOX.box_to_world[:3, 3])
        assert is_rigid(found.box_to_world)
        # Its axes are those of the box, in either direction.
        across = (found.box_to_world[:3, :3].mT @ TURN).abs()
        torch.testing.assert_close(across, torch.eye(3, dtype=torch.float64), atol=1e-7, rtol=0)


def test_up_is_kept_and_the_ground_plan_is_the_smallest():
    # A rhombus with diagonals 4 and 2. Along a side, of length sqrt(5), its width is its area 4 over that side, and its
    # length 8 / sqrt(5): 6.4 in all, where the rectangle along the diagonals has 8.
    points = torch.tensor([[2.0, 0, 0], [0, 1, 0], [-2, 0, 0], [0, -1, 3]], dtype=torch.float64)
    found = box_about(points, torch.tensor([0.0, 0, 5], dtype=torch.float64))
    torch.testing.assert_close(found.box_to_world[:3, 2], torch.tensor([0.0, 0, 1], dtype=torch.float64))
    expected = torch.tensor([4 / math.sqrt(5), 2 / math.sqrt(5), 1.5], dtype=torch.float64)
    torch.testing.assert_close(found.half, expected)
    assert OrientedBox(box_to_world=found.box_to_world, half=found.half + 1e-9).contains(points).all()


def test_points_on_a_line_have_no_ground_plan():
    line = torch.arange(5.0)[:, None] * torch.tensor([1.0, 2, 0])
    with pytest.raises(ValueError, match="got points on a line"):
        box_about(line, torch.tensor([0.0, 0, 1]))


def test_stray_points_may_be_left_out():
    points = transform(BOX.box_to_world, 2 * torch.rand(1000, 3, dtype=torch.float64) - 1)
    strayed = torch.cat([points, points[:2] + 50])
    assert box_about(strayed, TURN[:, 2]).half.amax() > 10
    assert box_about(strayed, TURN[:, 2], tails=0.01).half.amax() < 2


def test_rays_cross_a_box_between_its_faces():
    # Along the axes, whose half edges are 3, 2 and 0.5, from 10 away; one passes the box, one begins in it.
    middle = BOX.box_to_world[:3, 3]
    axes = TURN.mT
    origins = torch.cat([middle - 10 * axes, middle[None] - 10 * axes[:1] + 2.1 * axes[1:2], middle[None]])
    directions = torch.cat([axes, axes[:1], axes[:1]])
    near, far = BOX.crossed(origins, directions)
    torch.testing.assert_close(near[:3], 10 - HALF)
    torch.testing.assert_close(far[:3], 10 + HALF)
    assert near[3] == far[3]
    assert BOX.hit(origins, directions).tolist() == [True, True, True, False, True]
    torch.testing.assert_close((near[4], far[4]), (torch.tensor(0.0).double(), torch.tensor(3.0).double()))


def test_what_lies_between_the_ends_of_a_ray_is_in_the_box():
    origins = 6 * torch.randn(300, 3, dtype=torch.float64)
    directions = torch.nn.functional.normalize(torch.randn(300, 3, dtype=torch.float64), dim=1)
    near, far = BOX.crossed(origins, directions)
    assert 0 < (far > near).sum() < 300
    share = torch.linspace(-0.5, 1.5, 41, dtype=torch.float64)
    for i in (far > near).nonzero()[:, 0].tolist():
        along = (near[i] + (far[i] - near[i]) * share).clamp(min=0)
        points = origins[i] + along[:, None] * directions[i]
        between = (along > near[i] + 1e-9) & (along < far[i] - 1e-9)
        assert torch.equal(BOX.contains(points)[between], torch.ones_like(between[between]))
        assert not BOX.contains(points[(along < near[i] - 1e-9) | (along > far[i] + 1e-9)]).any()


def test_the_distance_to_a_box_is_below_zero_within_it():
    middle = BOX.box_to_world[:3, 3]
    out = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64) @ TURN.mT
    points = torch.stack([middle, middle + 0.4 * out, middle + 2 * out])
    torch.testing.assert_close(BOX.distance(points), torch.tensor([-0.5, -0.1, 1.5]).double())
    some = middle + 3 * torch.randn(100, 3, dtype=torch.float64)
    assert torch.equal(BOX.distance(some) <= 0, BOX.contains(some))


def test_the_outline_of_points_holds_the_pixels_whose_centres_lie_in_it():
    """A rectangle from (2, 1) to (9, 4), with a point within, on an image that ends at (6, 5); and a triangle."""
    corners = torch.tensor([[2.0, 1], [9, 1], [9, 4], [2, 4], [5, 2]])
    expected = torch.zeros(5, 6, dtype=torch.bool)
    expected[1:4, 2:] = True
    assert torch.equal(outline_mask(corners, 5, 6), expected)
    # The next centres lie half a pixel beyond its sides.
    assert torch.equal(outline_mask(corners, 5, 6, margin=0.4), expected)
    expected[:, 1:] = True
    assert torch.equal(outline_mask(corners, 5, 6, margin=0.6), expected)
    # The centres that a slope runs through are its own.
    triangle = torch.tensor([[0.0, 0], [4, 0], [0, 4]])
    assert outline_mask(triangle, 4, 4).tolist() == [[x + y < 4 for x in range(4)] for y in range(4)]
