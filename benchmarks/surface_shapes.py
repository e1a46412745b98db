"""Exact shapes and their photographs: shaded, textured, from all around, before a sky."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scene3d.fusion.meshing import MeshingConfig, zero_set
from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import rigid
from scene3d.structures.solids import Mesh
from scene3d.visualise.files import read_surface, write_mesh
from scene3d.visualise.pictures import write_picture
from scene3d.volume.numerical_normals import numerical_gradient

VIEWS, HEIGHT, WIDTH, FOCAL = 32, 150, 200, 260.0
AWAY = 4.0
HIGHEST = 0.95
"""Sine of the angle up to which cameras look down, and from below up."""


def torus(points: Tensor) -> Tensor:
    """Signed distance to a torus of radii 0.55 and 0.22."""
    ring = points[:, :2].norm(dim=1) - 0.55
    return torch.stack([ring, points[:, 2]], dim=1).norm(dim=1) - 0.22


def spheres_and_box(points: Tensor) -> Tensor:
    """Signed distance to two spheres on a box."""
    beyond = (points - points.new_tensor([0.0, 0.0, -0.35])).abs() - points.new_tensor([0.6, 0.4, 0.15])
    box = beyond.clamp(min=0).norm(dim=1) + beyond.amax(dim=1).clamp(max=0)
    one = (points - points.new_tensor([-0.3, 0.0, 0.05])).norm(dim=1) - 0.28
    other = (points - points.new_tensor([0.32, 0.1, 0.0])).norm(dim=1) - 0.22
    return torch.minimum(torch.minimum(one, other), box)


SHAPES: dict[str, Callable[[Tensor], Tensor]] = {"torus": torus, "spheres_and_box": spheres_and_box}
"""Those that are given by a distance."""


def write_shape(name: str, folder: Path, bunny: Path) -> Path:
    """The photographs of a shape as posed images, its true surface beside them; the mesh of the bunny is read."""
    folder.mkdir(parents=True)
    if name in SHAPES:
        vertices, faces = zero_set(SHAPES[name], MeshingConfig(cells=256))
        mesh = Mesh(vertices=vertices, faces=faces)

        def meet(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
            return _trace(SHAPES[name], origins, directions)
    else:
        mesh = _in_units(read_surface(bunny))

        def meet(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
            return _cast(mesh, origins, directions)

    write_mesh(folder / "true.ply", mesh)
    camera, entries = pinhole(FOCAL, HEIGHT, WIDTH), []
    pixels = pixel_centres(HEIGHT, WIDTH).reshape(-1, 2)
    for number, cam_to_world in enumerate(_around()):
        origins, directions = pixel_rays(pixels, camera.K, cam_to_world.float())
        distance, normals = meet(origins, directions)
        colour = _shaded(origins + distance.nan_to_num(0, 0, 0)[:, None] * directions, normals)
        colour = torch.where(distance.isfinite()[:, None], colour, _sky(directions))
        picture = (colour * 255).round().to(torch.uint8).reshape(HEIGHT, WIDTH, 3)
        write_picture(folder / f"{number:03d}.png", picture)
        entries.append({"file": f"{number:03d}.png", "K": camera.K.tolist(), "cam_to_world": cam_to_world.tolist()})
    bounds = torch.stack([mesh.vertices.amin(dim=0) - 0.05, mesh.vertices.amax(dim=0) + 0.05])
    (folder / "scene.json").write_text(json.dumps({"images": entries, "bounds": bounds.tolist()}))
    return folder


def _around() -> Tensor:
    """Places of the cameras: evenly over a sphere, but for its poles, along a spiral of golden angles; z is up."""
    number = torch.arange(VIEWS, dtype=torch.float64) + 0.5
    height, angle = HIGHEST * (1 - 2 * number / VIEWS), math.pi * (3 - math.sqrt(5)) * number
    flat = (1 - height.square()).sqrt()[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1)
    outward = torch.cat([flat, height[:, None]], dim=1)
    right = torch.stack([-angle.sin(), angle.cos(), torch.zeros_like(angle)], dim=1)
    axes = torch.stack([right, torch.linalg.cross(-outward, right), -outward], dim=2)
    return rigid(axes, AWAY * outward)


def _shaded(points: Tensor, normals: Tensor) -> Tensor:
    """Waves of colour in three sizes, lit from above one side."""
    waves = points.new_tensor([[9.0, 4, 1], [-3, 11, 5], [6, -2, 13]])
    texture = 0.55 + 0.2 * torch.sin(points @ waves.T) + 0.15 * torch.sin(2.7 * points @ waves.flip(0).T)
    light = torch.nn.functional.normalize(points.new_tensor([1.0, 0.5, 2.0]), dim=0)
    return (texture * (0.55 + 0.45 * (normals @ light).clamp(min=0))[:, None]).clamp(0, 1)


def _sky(directions: Tensor) -> Tensor:
    """Soft clouds, infinitely far: before one colour, a surface of that colour would do as well as none."""
    waves = directions.new_tensor([[7.0, 3, 2], [-2, 8, 4], [3, -4, 9]])
    return 0.6 + 0.15 * torch.sin(directions @ waves.T) + 0.15 * torch.sin(2.3 * directions @ waves.flip(0).T)


def _trace(distance: Callable[[Tensor], Tensor], origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays meet a shape, infinite where they do not, and its normals there, by sphere tracing."""
    along = torch.full((len(origins),), AWAY - 1.2)
    for _ in range(160):
        along = along + distance(origins + along[:, None] * directions)
    points = origins + along[:, None] * directions
    hit = (along < AWAY + 1.5) & (distance(points).abs() < 1e-3)
    normals = torch.nn.functional.normalize(numerical_gradient(distance, points, 1e-3), dim=1)
    return torch.where(hit, along, torch.inf), normals


def _cast(mesh: Mesh, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """The same of a mesh, by Open3D."""
    import open3d as o3d

    scene = o3d.t.geometry.RaycastingScene()
    scene.add_triangles(mesh.vertices.numpy(), mesh.faces.numpy().astype(np.uint32))
    found = scene.cast_rays(o3d.core.Tensor(torch.cat([origins, directions], dim=1).float().numpy()))
    distance = torch.from_numpy(found["t_hit"].numpy())
    normals = torch.from_numpy(found["primitive_normals"].numpy())
    towards = (normals * directions).sum(dim=1, keepdim=True) > 0
    return distance, torch.where(towards, -normals, normals)


def _in_units(mesh: Mesh) -> Mesh:
    """About the origin, 1.6 long, z up where the file has y up."""
    low, high = mesh.vertices.amin(dim=0), mesh.vertices.amax(dim=0)
    vertices = (mesh.vertices - (low + high) / 2) * 1.6 / (high - low).amax()
    turned = torch.stack([vertices[:, 0], -vertices[:, 2], vertices[:, 1]], dim=1)
    return Mesh(vertices=turned, faces=mesh.faces)
