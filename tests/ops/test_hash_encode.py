from __future__ import annotations

import pytest
import torch

from scene3d.ops import hash_encode as module
from scene3d.ops.hash_encode import hash_encode, hash_encode_with_jacobian, level_starts

RESOLUTIONS = [2, 5, 9]
STARTS = level_starts(RESOLUTIONS, 256)  # 27 and 216 corners have rows of their own; 1000 are hashed into 256


def case(points: int = 12, channels: int = 2) -> tuple[torch.Tensor, torch.Tensor, list[int], list[int]]:
    """Points away from the faces of cells, where the derivative jumps."""
    cell = torch.randint(0, 90, (points, 3))
    place = (cell + 0.2 + 0.6 * torch.rand(points, 3)) / 90  # 90 is a multiple of every resolution
    return place.double(), torch.randn(STARTS[-1], channels).double(), RESOLUTIONS, STARTS


def test_a_point_worked_by_hand():
    # One cell, eight corners; the row of corner (x, y, z) is 4 x + 2 y + z.
    table = torch.arange(8.0)[:, None]
    features, jacobian = hash_encode_with_jacobian(torch.tensor([[0.25, 0.5, 0.75]]), table, [1], [0, 8])
    # Trilinear in a table that is linear in the corner: 4 * 0.25 + 2 * 0.5 + 0.75.
    torch.testing.assert_close(features, torch.tensor([[2.75]]))
    torch.testing.assert_close(jacobian, torch.tensor([[[4.0, 2.0, 1.0]]]))


def test_a_level_without_a_row_for_every_corner_is_hashed():
    resolutions, starts = [3], [0, 16]
    table = torch.zeros(16, 1)
    # Corner (1, 2, 3) of 64: 1 ^ 2 * 2654435761 ^ 3 * 805459861, modulo 2^32 and then 16.
    row = (1 ^ (2 * 2654435761) % 2**32 ^ (3 * 805459861) % 2**32) % 16
    table[row] = 5.0
    found = hash_encode(torch.tensor([[1 / 3 + 1e-6, 2 / 3 + 1e-6, 1.0]]), table, resolutions, starts)
    assert found.item() == pytest.approx(5.0, abs=1e-3)


def test_the_jacobian_is_the_derivative():
    points, table, *levels = case()
    _, jacobian = hash_encode_with_jacobian(points, table, *levels)
    expected = torch.autograd.functional.jacobian(
        lambda x: module.reference(x, table, *levels, False)[0].sum(dim=0), points
    )
    torch.testing.assert_close(jacobian, expected.permute(1, 0, 2))


def test_points_outside_are_moved_to_the_face():
    _, table, *levels = case()
    outside = torch.tensor([[1.5, 0.3, -2.0], [float("nan"), 0.3, 0.0]]).double()
    features, jacobian = hash_encode_with_jacobian(outside, table, *levels)
    face = hash_encode(torch.tensor([[1.0, 0.3, 0.0], [0.0, 0.3, 0.0]]).double(), table, *levels)
    torch.testing.assert_close(features, face)
    assert (jacobian[0, :, [0, 2]] == 0).all()
    assert (jacobian[0, :, 1] != 0).any()


@pytest.mark.parametrize("points", [0, 1, 5])
@pytest.mark.parametrize("jacobian", [False, True])
def test_the_operator_obeys_its_contract(points: int, jacobian: bool):
    place, table, *levels = case(points)
    inputs = place.requires_grad_(), table.requires_grad_()
    torch.library.opcheck(torch.ops.scene3d.hash_encode, (*inputs, *levels, jacobian))
    if points:
        way = hash_encode_with_jacobian if jacobian else hash_encode
        assert torch.autograd.gradcheck(lambda p, t: way(p, t, *levels), inputs, eps=1e-7, atol=1e-4)


def test_the_jacobian_alone_has_a_gradient():
    points, table, *levels = case()
    slope = hash_encode_with_jacobian(points, table.requires_grad_(), *levels)[1]
    (found,) = torch.autograd.grad(slope[:, 0, 0].sum(), table)
    reference = module.reference(points, table, *levels, True)[1]
    torch.testing.assert_close(found, torch.autograd.grad(reference[:, 0, 0].sum(), table)[0])


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("jacobian", [False, True])
def test_the_kernel_is_the_reference(compiled: None, channels: int, jacobian: bool):
    inputs = case(200, channels)
    expected = module.reference(*inputs, jacobian)
    for one, other in zip(torch.ops.scene3d.hash_encode(*inputs, jacobian), expected, strict=True):
        torch.testing.assert_close(one, other)
    grad, slopes = (torch.randn_like(each) for each in module.reference(*inputs, True))
    for grads in ((grad, slopes), (grad, None), (None, slopes)):
        for wanted in ((True, True), (False, True), (True, False)):
            found = torch.ops.scene3d.hash_encode_backward(*grads, *inputs, *wanted)
            for one, other in zip(found, module.reference_backward(*grads, *inputs, *wanted), strict=True):
                torch.testing.assert_close(one, other)


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    points, table, resolutions, _ = case()
    with pytest.raises(RuntimeError, match="starts: expected one more than resolutions, from 0 to the rows"):
        torch.ops.scene3d.hash_encode(points, table, resolutions, [0, 27, 243], True)
    with pytest.raises(RuntimeError, match="a row for every corner or a power of two of them, got 100 for level 0"):
        torch.ops.scene3d.hash_encode(points, table[:100], [9], [0, 100], True)
