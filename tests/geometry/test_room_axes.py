from __future__ import annotations

import math

import torch

from scene3d.geometry.camera import pinhole
from scene3d.geometry.room_axes import EdgePlanes, edge_planes, room_axes
from scene3d.geometry.se3 import rigid, rotation_of

FRAME = rotation_of(torch.tensor([0.4, -0.9, 0.7]))


def off(found: torch.Tensor) -> float:
    """Largest angle between an axis and the nearest of the true ones, either way, degrees."""
    return float((found @ FRAME.mT).abs().amax(dim=1).clamp(max=1).acos().rad2deg().amax())


def planes(count: int, share: float, noise: float, seed: int = 0) -> EdgePlanes:
    """Planes through edges that run along the axes but for noise, among others in any direction."""
    generator = torch.Generator().manual_seed(seed)
    axis = FRAME[torch.randint(3, (count,), generator=generator)]
    along = torch.nn.functional.normalize(axis + noise * torch.randn(count, 3, generator=generator), dim=1)
    normals = torch.linalg.cross(along, torch.randn(count, 3, generator=generator))
    anything = torch.randn(count, 3, generator=generator)
    kept = torch.rand(count, generator=generator) < share
    normals = torch.nn.functional.normalize(torch.where(kept[:, None], normals, anything), dim=1)
    return EdgePlanes(normals, torch.ones(count))


def test_the_plane_of_an_edge_holds_its_camera_and_the_edge():
    # A step of brightness at x = 40 in an image whose axis goes through x = 32, with a focal length of 50 pixels: the
    # edge is vertical, so that its plane holds y and the ray (8, 0, 50).
    image = torch.zeros(3, 48, 64)
    image[:, :, 40:] = 1
    turned = rotation_of(torch.tensor([0.3, 0.5, -0.2]))
    found = edge_planes(image, pinhole(50.0, 48, 64).K, rigid(turned, torch.tensor([5.0, 6.0, 7.0])))
    near = found.normals[found.strength > 0.2] @ turned  # back in the camera
    assert len(near) > 50
    assert near[:, 1].abs().max() < 1e-5
    ray = torch.nn.functional.normalize(torch.tensor([8.0, 0.0, 50.0]), dim=0)
    # Pixels beside the step lie half a pixel from it.
    assert (near @ ray).abs().max() < 0.6 / 50
    assert found.normals.norm(dim=1).sub(1).abs().max() < 1e-5


def test_the_border_and_what_is_not_valid_have_no_edges():
    image = torch.zeros(3, 48, 64)
    image[:, :, 20:] = 1
    K, place = pinhole(50.0, 48, 64).K, torch.eye(4)
    assert len(edge_planes(image, K, place).normals) > 0
    valid = torch.ones(48, 64, dtype=torch.bool)
    valid[:, 20:] = False
    assert len(edge_planes(image, K, place, valid).normals) == 0
    assert len(edge_planes(torch.full((3, 48, 64), 0.5), K, place).normals) == 0


def test_axes_are_found_exactly_where_all_edges_run_along_them():
    found = room_axes(planes(4000, 1.0, 0.0))
    assert off(found) < 0.3
    torch.testing.assert_close(found @ found.mT, torch.eye(3), atol=1e-4, rtol=0)


def test_axes_are_found_among_as_many_edges_that_run_anywhere():
    for seed in range(3):
        assert off(room_axes(planes(8000, 0.5, 0.05, seed))) < 2


def test_strong_edges_outvote_many_weak_ones():
    walls, texture = planes(1000, 1.0, 0.02), planes(3000, 1.0, 0.02, seed=1)
    askew = rotation_of(torch.tensor([0.0, 0.0, math.pi / 6]))
    both = EdgePlanes(
        torch.cat([walls.normals, texture.normals @ askew.mT]),
        torch.cat([walls.strength, 0.1 * texture.strength]),
    )
    assert off(room_axes(both)) < 1
    assert off(room_axes(both._replace(strength=torch.ones(4000)))) > 10


def test_the_same_edges_give_the_same_axes_whatever_else_is_drawn():
    torch.manual_seed(1)
    first = room_axes(planes(2000, 0.6, 0.05))
    torch.manual_seed(2)
    assert torch.equal(first, room_axes(planes(2000, 0.6, 0.05)))
