from __future__ import annotations

import torch

from scene3d.fusion.visibility import Silhouette, cameras_that_see
from scene3d.structures.solids import Mesh


def square(z: float, half: float, x: float = 0.0) -> Mesh:
    corners = torch.tensor([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]]) * half
    vertices = corners + torch.tensor([x, 0.0, z])
    return Mesh(vertices=vertices, faces=torch.tensor([[0, 1, 2], [0, 2, 3]]))


def both(one: Mesh, other: Mesh) -> Mesh:
    faces = torch.cat([one.faces, other.faces + len(one.vertices)])
    return Mesh(vertices=torch.cat([one.vertices, other.vertices]), faces=faces)


def camera(x: float = 0.0, z: float = 0.0, *, back: bool = False) -> Silhouette:
    """40 x 40 pixels, looks along z, or against it; sees x from -z to z at depth z."""
    K = torch.tensor([[20.0, 0, 20], [0, 20, 20], [0, 0, 1]])
    placed = torch.eye(4)
    if back:
        placed = torch.diag(torch.tensor([-1.0, 1, -1, 1]))
    placed[0, 3], placed[2, 3] = x, z
    return Silhouette(torch.zeros(40, 40, dtype=torch.bool), K, placed)


def test_what_lies_behind_a_wall_is_seen_from_the_other_side_alone():
    # From z = 0 the wall at 4 hides the square at 6; from z = 10 the square hides none of the larger wall's corners.
    mesh = both(square(4.0, 2.0), square(6.0, 1.0))
    assert cameras_that_see(mesh, [camera()]).tolist() == [1] * 4 + [0] * 4
    assert cameras_that_see(mesh, [camera(z=10.0, back=True)]).tolist() == [1] * 8
    assert cameras_that_see(mesh, [camera(), camera(z=10.0, back=True)]).tolist() == [2] * 4 + [1] * 4


def test_a_wall_hides_although_its_vertices_are_far_apart():
    # Its two triangles cover the image; its corners are beyond it and are not seen themselves.
    mesh = both(square(4.0, 40.0), square(6.0, 1.0))
    assert cameras_that_see(mesh, [camera()]).tolist() == [0] * 8


def test_what_is_beside_the_image_or_behind_the_camera_is_not_seen():
    assert cameras_that_see(square(4.0, 1.0, x=10.0), [camera()]).tolist() == [0] * 4
    assert cameras_that_see(square(-4.0, 1.0), [camera()]).tolist() == [0] * 4
    assert cameras_that_see(square(4.0, 1.0), []).tolist() == [0] * 4


def test_a_slanted_wall_does_not_hide_itself():
    # 45 degrees against the axis: a pixel at depth 4 is 0.2 wide, and the wall as deep in it.
    wall = square(0.0, 1.0).vertices
    turned = torch.stack([wall[:, 0], wall[:, 1], 4 + wall[:, 0]], dim=1)
    assert cameras_that_see(Mesh(vertices=turned, faces=square(0.0, 1.0).faces), [camera()]).tolist() == [1] * 4
