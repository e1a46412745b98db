from __future__ import annotations

import pytest
import torch

from scene3d import interop
from scene3d.errors import MissingExtraError
from scene3d.geometry.camera import Camera, project
from scene3d.geometry.se3 import transform
from scene3d.structures.solids import Mesh, PointCloud

MESH = Mesh(
    vertices=torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]),
    faces=torch.tensor([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]),
    colours=torch.tensor([[0, 0, 0], [255, 0, 0], [0, 128, 0], [0, 0, 37]], dtype=torch.uint8),
)
CLOUD = PointCloud(points=MESH.vertices, colours=MESH.colours)


@pytest.mark.parametrize("library", ["trimesh", "open3d", "pytorch3d"])
@pytest.mark.parametrize("coloured", [True, False])
def test_a_mesh_comes_back_as_it_went(library, coloured):
    pytest.importorskip(library, reason=f"{library} is not installed")
    mesh = MESH if coloured else Mesh(vertices=MESH.vertices, faces=MESH.faces)
    there = getattr(interop, f"mesh_to_{library}")(mesh)
    back = getattr(interop, f"mesh_from_{library}")(there)
    assert torch.equal(back.vertices, mesh.vertices) and torch.equal(back.faces, mesh.faces)
    assert (back.colours is None) == (not coloured)
    if coloured:
        assert torch.equal(back.colours, mesh.colours)


def test_points_come_back_from_open3d():
    pytest.importorskip("open3d", reason="Open3D is not installed")
    back = interop.points_from_open3d(interop.points_to_open3d(CLOUD))
    assert torch.equal(back.points, CLOUD.points) and torch.equal(back.colours, CLOUD.colours)


def test_pytorch3d_holds_the_same_points():
    pytest.importorskip("pytorch3d", reason="PyTorch3D is not installed")
    assert torch.equal(interop.points_to_pytorch3d(CLOUD).points_list()[0], CLOUD.points)


def test_convention_the_camera_of_pytorch3d_sees_the_same_pixels():
    pytest.importorskip("pytorch3d", reason="PyTorch3D is not installed")
    camera = Camera(torch.tensor([[30.0, 0, 21], [0, 28.0, 13], [0, 0, 1]]), 30, 40)
    turn = torch.linalg.qr(torch.randn(3, 3)).Q
    world_to_cam = torch.eye(4)
    world_to_cam[:3, :3] = turn * torch.linalg.det(turn)
    world_to_cam[:3, 3] = torch.tensor([0.1, -0.2, 4.0])
    points = torch.rand(6, 3) - 0.5
    ours, _ = project(transform(world_to_cam, points), camera.K)
    theirs = interop.camera_to_pytorch3d(camera, world_to_cam)
    screen = theirs.transform_points_screen(points, image_size=torch.tensor([[30, 40]]))[:, :2]
    torch.testing.assert_close(screen, ours, atol=1e-3, rtol=1e-4)


def test_a_library_that_is_not_there_is_named_with_its_extra(monkeypatch):
    def fails(name):
        raise ImportError(f"No module named {name!r}")

    monkeypatch.setattr(interop, "import_module", fails)
    with pytest.raises(MissingExtraError, match=r"scene3d\[open3d\]"):
        interop.mesh_to_open3d(MESH)
