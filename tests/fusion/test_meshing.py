from __future__ import annotations

import math

import pytest
import torch

from scene3d.errors import DataError
from scene3d.fusion.meshing import MeshingConfig, surface_mesh, zero_set
from scene3d.volume import SurfaceSample
from scene3d.volume.surface_field import SurfaceField

CENTRE = torch.tensor([0.1, -0.2, 0.05])


def ball(points):
    return (points - CENTRE).norm(dim=1) - 0.4


def volume(vertices, faces) -> float:
    one, two, three = vertices.double()[faces].unbind(dim=1)
    return float((one * torch.linalg.cross(two, three)).sum() / 6)


def test_a_ball_is_closed_of_the_right_size_and_looks_outwards():
    vertices, faces = zero_set(ball, MeshingConfig(cells=64))
    # Between grid values a distance bends by at most h^2 / 8 / r.
    assert ball(vertices).abs().max() < (2 / 64) ** 2 / 8 / 0.4 * 1.5
    assert volume(vertices, faces) == pytest.approx(4 / 3 * math.pi * 0.4**3, rel=0.01)
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    # Of a closed surface every edge is walked once in each direction, over the seams of blocks too.
    there, back = (set(map(tuple, e.tolist())) for e in (edges, edges.flip(1)))
    assert there == back and len(there) == len(edges)


def test_blocks_do_not_matter():
    vertices, faces = zero_set(ball, MeshingConfig(cells=64, chunk=1000))
    other, _ = zero_set(ball, MeshingConfig(cells=64))
    assert torch.equal(vertices, other) and int(faces.max()) == len(vertices) - 1


def test_a_surface_that_leaves_the_region_is_cut_off():
    vertices, faces = zero_set(lambda points: points[:, 2] + 0.21, MeshingConfig(cells=64))
    assert (vertices.norm(dim=1) <= 1).all()
    torch.testing.assert_close(vertices[:, 2], torch.full((len(vertices),), -0.21))
    one, two, three = vertices[faces].unbind(dim=1)
    assert (torch.linalg.cross(two - one, three - one)[:, 2] > 0).all()


def test_a_region_without_a_surface_says_so():
    for value in (1.0, -1.0):
        with pytest.raises(DataError, match="region of interest: expected a surface in it, got none"):
            zero_set(lambda points, value=value: torch.full((len(points),), value), MeshingConfig(cells=32))
    # One that lies beyond the ball, in the corner of the cube, does not count.
    with pytest.raises(DataError, match="expected a surface in it"):
        zero_set(lambda points: (points - 1).norm(dim=1) - 0.2, MeshingConfig(cells=32))
    with pytest.raises(DataError, match="expected finite distances"):
        zero_set(lambda points: points[:, 0] * torch.nan, MeshingConfig(cells=32))


class _Ball:
    def distance(self, points):
        return ball(points)

    def __call__(self, points):
        outwards = torch.nn.functional.normalize(points - CENTRE, dim=1)
        return SurfaceSample(ball(points), outwards, points[:, :0])


def test_a_mesh_is_in_the_world_and_coloured_as_seen_from_above():
    # A field whose colour is the direction that it is seen along.
    field = SurfaceField(_Ball(), lambda points, normals, directions, features: (directions + 1) / 2, torch.tensor(1.0))
    unit_to_world = torch.diag(torch.tensor([3.0, 3.0, 3.0, 1.0], dtype=torch.float64))
    unit_to_world[:3, 3] = torch.tensor([10.0, 20.0, 30.0])
    mesh = surface_mesh(field, unit_to_world, MeshingConfig(cells=32))
    middle = 3 * CENTRE + torch.tensor([10.0, 20.0, 30.0])
    outwards = mesh.vertices - middle
    torch.testing.assert_close(outwards.norm(dim=1), torch.full((len(outwards),), 1.2), atol=0.02, rtol=0)
    seen = mesh.colours.float() / 255 * 2 - 1
    assert (seen + outwards / outwards.norm(dim=1, keepdim=True)).abs().max() < 0.02
