"""Our structures as those of Open3D, trimesh and PyTorch3D, and back; each is imported only when asked for."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.errors import MissingExtraError
from scene3d.geometry.camera import Camera
from scene3d.structures.solids import Mesh, PointCloud

_EXTRAS = {
    "open3d": 'pip install "scene3d[open3d]" and apt-get install libusb-1.0-0 libgl1 libegl1 libx11-6',
    "pytorch3d": 'pip install "scene3d[pytorch3d]"',
    "trimesh": "pip install trimesh",
}


def mesh_to_trimesh(mesh: Mesh) -> Any:
    """A `trimesh.Trimesh` with the same vertices in the same order."""
    colours = None if mesh.colours is None else mesh.colours.cpu().numpy()
    vertices, faces = mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy()
    return _library("trimesh").Trimesh(vertices, faces, vertex_colors=colours, process=False)


def mesh_from_trimesh(mesh: Any) -> Mesh:
    """A `trimesh.Trimesh`; its colours are taken where it has them a vertex."""
    coloured = mesh.visual.kind == "vertex"
    return Mesh(
        vertices=torch.from_numpy(np.array(mesh.vertices, dtype=np.float32)),
        faces=torch.from_numpy(np.array(mesh.faces, dtype=np.int64)),
        colours=torch.from_numpy(np.array(mesh.visual.vertex_colors[:, :3])) if coloured else None,
    )


def mesh_to_open3d(mesh: Mesh) -> Any:
    """An `open3d.geometry.TriangleMesh` with triangle normals."""
    o3d = _library("open3d")
    made = o3d.geometry.TriangleMesh(
        o3d.utility.Vector3dVector(mesh.vertices.cpu().double().numpy()),
        o3d.utility.Vector3iVector(mesh.faces.cpu().int().numpy()),
    )
    if mesh.colours is not None:
        made.vertex_colors = o3d.utility.Vector3dVector(mesh.colours.cpu().double().numpy() / 255)
    made.compute_triangle_normals()
    return made


def mesh_from_open3d(mesh: Any) -> Mesh:
    """An `open3d.geometry.TriangleMesh`, colours included."""
    colours = np.asarray(mesh.vertex_colors) if mesh.has_vertex_colors() else None
    return Mesh(
        vertices=torch.from_numpy(np.asarray(mesh.vertices).astype(np.float32)),
        faces=torch.from_numpy(np.asarray(mesh.triangles).astype(np.int64)),
        colours=_bytes(colours),
    )


def points_to_open3d(cloud: PointCloud) -> Any:
    """An `open3d.geometry.PointCloud`; labels are left behind."""
    o3d = _library("open3d")
    made = o3d.geometry.PointCloud(o3d.utility.Vector3dVector(cloud.points.cpu().double().numpy()))
    if cloud.colours is not None:
        made.colors = o3d.utility.Vector3dVector(cloud.colours.cpu().double().numpy() / 255)
    return made


def points_from_open3d(cloud: Any) -> PointCloud:
    """An `open3d.geometry.PointCloud`, colours included."""
    colours = np.asarray(cloud.colors) if cloud.has_colors() else None
    points = torch.from_numpy(np.asarray(cloud.points).astype(np.float32))
    return PointCloud(points=points, colours=_bytes(colours))


def mesh_to_pytorch3d(mesh: Mesh) -> Any:
    """A `pytorch3d.structures.Meshes` of one mesh, on the same device, with vertex colours as texture."""
    structures = _library("pytorch3d.structures")
    textures = None
    if mesh.colours is not None:
        textures = _library("pytorch3d.renderer").TexturesVertex([mesh.colours.float() / 255])
    return structures.Meshes([mesh.vertices], [mesh.faces], textures)


def mesh_from_pytorch3d(meshes: Any, index: int = 0) -> Mesh:
    """One mesh of a `pytorch3d.structures.Meshes`; its colours are taken where it has them a vertex."""
    colours = None
    if hasattr(meshes.textures, "verts_features_list"):
        features = meshes.textures.verts_features_list()[index]
        colours = (features.clamp(0, 1) * 255).round().to(torch.uint8)
    return Mesh(vertices=meshes.verts_list()[index], faces=meshes.faces_list()[index].long(), colours=colours)


def points_to_pytorch3d(cloud: PointCloud) -> Any:
    """A `pytorch3d.structures.Pointclouds` of one cloud."""
    features = None if cloud.colours is None else [cloud.colours.float() / 255]
    return _library("pytorch3d.structures").Pointclouds([cloud.points], features=features)


def camera_to_pytorch3d(camera: Camera, world_to_cam: Float[Tensor, "4 4"]) -> Any:
    """A `pytorch3d.renderer.PerspectiveCameras` that sees the same pixels.

    PyTorch3D's camera looks along +z with x to the LEFT and y UP, and multiplies row vectors: its own
    converter from OpenCV turns both.
    """
    convert = _library("pytorch3d.utils").cameras_from_opencv_projection
    size = torch.tensor([[camera.height, camera.width]])
    return convert(world_to_cam[None, :3, :3], world_to_cam[None, :3, 3], camera.K[None], size)


def _bytes(colours: np.ndarray | None) -> Tensor | None:
    return None if colours is None else torch.from_numpy((colours * 255).round().astype(np.uint8))


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except (ImportError, OSError) as error:
        package = name.split(".")[0]
        raise MissingExtraError(f"{package} cannot be imported: {error}", hint=_EXTRAS[package]) from error
