"""Open3D: point clouds, meshes, voxels and cameras in a window, or off-screen into a PNG."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.images import write_bytes
from scene3d.data.posed_images import FILE as SCENE_FILE
from scene3d.data.posed_images import read_posed_images
from scene3d.data.sscbench import read_voxels
from scene3d.errors import MissingExtraError, UsageError, wrong_file
from scene3d.geometry.camera import Camera, unproject
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame
from scene3d.structures.labels import IGNORE, SSCBENCH_TO_SSC, remap
from scene3d.structures.scene import VoxelFile
from scene3d.structures.solids import Mesh
from scene3d.visualise.files import write_mesh
from scene3d.visualise.offscreen_child import APT, Offscreen, check_is_there
from scene3d.visualise.painter import default_view
from scene3d.visualise.quads import class_palette, merged_faces, quad_mesh

MESHES_AND_POINTS = (".ply", ".glb", ".gltf", ".obj", ".stl", ".pcd", ".xyz")
VOXELS = (".label", ".npy")
CAMERAS = (".json",)


def show(
    files: Sequence[Path | str],
    *,
    screenshot: Path | str | None = None,
    width: int = 1280,
    height: int = 800,
) -> Path | None:
    """Show 3D files together: in a window, or in a PNG where one is asked for or there is no display.

    Args:
        files: point clouds and meshes of any kind that Open3D reads, voxels as `.label` or `.npy`, cameras as the
            `scene.json` of posed images.
        screenshot: PNG to draw into; without a display `scene3d.png` beside the first file.
        width: of the window or picture, pixels.
        height: of the window or picture.

    Returns:
        The picture, or None where a window was opened.

    Raises:
        DataError: a file is missing or of an unknown kind.
        MissingExtraError: Open3D is not there, or cannot draw on this machine.
    """
    if not files:
        raise UsageError("files: expected at least one to show, got none")
    with tempfile.TemporaryDirectory() as scratch:
        shown = [_drawable(Path(file), Path(scratch), i) for i, file in enumerate(files)]
        if screenshot is None and has_display():
            _window(shown, width, height)
            return None
        picture = Path(files[0]).parent / "scene3d.png" if screenshot is None else Path(screenshot)
        draw_files(picture, shown, Offscreen(), width=width, height=height)
        return picture


def draw_mesh(
    path: Path | str, mesh: Mesh, frame: VoxelFrame, offscreen: Offscreen, *, width: int = 960, height: int = 600
) -> None:
    """A picture of a mesh that was made of a grid, from behind and above the grid's near edge.

    Raises:
        MissingExtraError: Open3D is not there, or cannot draw on this machine.
    """
    eye, target = default_view(frame)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "mesh.ply"
        write_mesh(file, mesh)
        draw_files(path, [file], offscreen, width=width, height=height, eye=eye, target=target)


def draw_files(
    path: Path | str,
    files: Sequence[Path | str],
    offscreen: Offscreen,
    *,
    width: int,
    height: int,
    eye: tuple[float, float, float] | None = None,
    target: tuple[float, float, float] | None = None,
) -> None:
    """A picture of meshes and points by Open3D in a child process, which may die without harm.

    Raises:
        MissingExtraError: Open3D is not there, or cannot draw on this machine.
    """
    with tempfile.TemporaryDirectory() as scratch:
        picture = Path(scratch) / "picture.png"
        job = {"files": [str(file) for file in files], "picture": str(picture), "eye": eye, "target": target}
        reason = offscreen.draw(job | {"width": width, "height": height})
        if not picture.exists():
            hint = f"pictures without a display need: {APT}"
            raise MissingExtraError(f"Open3D could not draw on this machine: {reason}", hint=hint)
        write_bytes(path, picture.read_bytes())


def import_open3d() -> Any:
    """Open3D, or a MissingExtraError that says what to install.

    Raises:
        MissingExtraError: it is not installed, or a library of the system is missing.
    """
    check_is_there()
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise MissingExtraError(f"Open3D does not start: {error}", hint=APT) from error
    return open3d


def has_display() -> bool:
    """Whether a window can be opened."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def camera_mesh(camera: Camera, cam_to_world: Float[Tensor, "4 4"], *, reach: float = 1.0, bar: float = 0.01) -> Mesh:
    """A camera as a mesh: thin bars from its centre to the corners of its image, and around them.

    Args:
        camera: its image.
        cam_to_world: where it stands.
        reach: depth at which the image is drawn, metres.
        bar: thickness of the bars, as a share of the reach.
    """
    w, h = camera.width, camera.height
    corners = camera.K.new_tensor([[0.0, 0], [w, 0], [w, h], [0, h]])
    ends = torch.cat(
        [torch.zeros_like(corners[:1, :1]).expand(1, 3), unproject(corners, corners.new_full((4,), reach), camera.K)]
    )
    ends = transform(cam_to_world, ends)
    pairs = ((0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (2, 3), (3, 4), (4, 1))
    return _joined([_bar(ends[a], ends[b], bar * reach) for a, b in pairs])


def voxel_mesh(path: Path | str) -> Mesh:
    """The occupied cells of a voxel file as a mesh coloured by class; what is ignored is left out."""
    path = Path(path)
    invalid = path.with_suffix(".invalid")
    classes = read_voxels(VoxelFile(labels=path, invalid=invalid if invalid.exists() else None, frame=0))
    classes = remap(torch.where(classes == IGNORE, 0, classes), SSCBENCH_TO_SSC)
    return quad_mesh(merged_faces(classes), SSCBENCH, class_palette())


def cameras_mesh(path: Path | str) -> Mesh:
    """The cameras of a `scene.json` whose place is known, as one mesh."""
    path = Path(path)
    if path.name != SCENE_FILE:
        raise wrong_file(path, expected=f"cameras in a {SCENE_FILE}", got=path.name)
    (scene,) = read_posed_images(path.parent)
    shots = [(shot.camera, shot.cam_to_world) for shot in scene.shots]
    meshes = [camera_mesh(c, place) for c, place in shots if isinstance(c, Camera) and place is not None]
    if not meshes:
        raise wrong_file(path, expected="cam_to_world of at least one image", got="none")
    return _joined([(mesh.vertices, mesh.faces) for mesh in meshes])


def _joined(parts: Sequence[tuple[Tensor, Tensor]]) -> Mesh:
    """Parts of cameras, vertices and faces each, as one mesh of their colour."""
    starts = accumulate((len(vertices) for vertices, _ in parts), initial=0)
    vertices = torch.cat([vertices for vertices, _ in parts])
    return Mesh(
        vertices=vertices,
        faces=torch.cat([faces + start for (_, faces), start in zip(parts, starts, strict=False)]),
        colours=torch.tensor([232, 74, 39], dtype=torch.uint8).repeat(len(vertices), 1),
    )


def _bar(start: Tensor, end: Tensor, thickness: float) -> tuple[Tensor, Tensor]:
    """A square bar between two points: 8 vertices, 12 triangles."""
    along = torch.nn.functional.normalize(end - start, dim=0)
    away = torch.eye(3, dtype=along.dtype)[along.abs().argmin()]
    side = torch.nn.functional.normalize(torch.linalg.cross(along, away), dim=0) * thickness / 2
    up = torch.linalg.cross(along, side)
    ring = torch.stack([side + up, up - side, -side - up, side - up])
    quads = [(0, 1, 5, 4), (1, 2, 6, 5), (2, 3, 7, 6), (3, 0, 4, 7), (3, 2, 1, 0), (4, 5, 6, 7)]
    faces = [triangle for a, b, c, d in quads for triangle in ((a, b, c), (a, c, d))]
    return torch.cat([start + ring, end + ring]), torch.tensor(faces)


def _drawable(path: Path, scratch: Path, index: int) -> Path:
    """The file itself, or a mesh file made of its voxels or cameras."""
    if not path.is_file():
        raise wrong_file(path, expected="a file to show", got="no such file")
    suffix = path.suffix.lower()
    if suffix in (*VOXELS, *CAMERAS):
        made = scratch / f"mesh_{index}.ply"
        write_mesh(made, voxel_mesh(path) if suffix in VOXELS else cameras_mesh(path))
        return made
    if suffix not in MESHES_AND_POINTS:
        known = ", ".join((*MESHES_AND_POINTS, *VOXELS, *CAMERAS))
        raise wrong_file(path, expected=f"one of {known}", got=suffix or "no suffix")
    return path


def _window(files: Sequence[Path], width: int, height: int) -> None:
    """An Open3D window, until it is closed."""
    o3d = import_open3d()
    geometries = []
    for file in files:
        mesh = o3d.io.read_triangle_mesh(str(file))
        if len(mesh.triangles):
            geometries.append(mesh.compute_triangle_normals())
        else:
            geometries.append(o3d.io.read_point_cloud(str(file)))
    title = ", ".join(file.name for file in files)
    o3d.visualization.draw_geometries(geometries, window_name=title, width=width, height=height)
