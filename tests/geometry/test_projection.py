from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.geometry.projection import decompose_projection
from scene3d.geometry.se3 import is_rigid, rigid, rotation_of

K = torch.tensor([[700.0, 0.5, 320.0], [0, 690.0, 250.0], [0, 0, 1]], dtype=torch.float64)
angles = st.floats(-3, 3)


@given(st.tuples(angles, angles, angles), st.tuples(angles, angles, angles), st.sampled_from([1.0, -1.0, 250.0, -0.01]))
def test_composing_and_taking_apart_give_back_what_went_in(turn, move, factor):
    rotation = rotation_of(torch.tensor(turn, dtype=torch.float64))
    world_to_cam = rigid(rotation, torch.tensor(move, dtype=torch.float64))
    found_K, found = decompose_projection(factor * K @ world_to_cam[:3])
    torch.testing.assert_close(found_K, K, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(found, world_to_cam, atol=1e-6, rtol=1e-6)
    assert is_rigid(found)


def test_a_camera_that_looks_along_x_by_hand():
    # x_cam = -y, y_cam = -z, z_cam = x - 2; f = 10 and the axis at (4, 3).
    P = torch.tensor([[4.0, -10, 0, -8], [3, 0, -10, -6], [1, 0, 0, -2]], dtype=torch.float64)
    found_K, world_to_cam = decompose_projection(P)
    torch.testing.assert_close(found_K, torch.tensor([[10.0, 0, 4], [0, 10, 3], [0, 0, 1]], dtype=torch.float64))
    expected = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, -2], [0, 0, 0, 1]], dtype=torch.float64)
    torch.testing.assert_close(world_to_cam, expected)


def test_what_is_no_camera_is_refused():
    flat = torch.zeros(3, 4, dtype=torch.float64)
    with pytest.raises(ValueError, match="singular"):
        decompose_projection(flat)
    with pytest.raises(ValueError, match="not finite"):
        decompose_projection(torch.full((3, 4), float("nan"), dtype=torch.float64))
