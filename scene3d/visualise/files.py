"""Point clouds and meshes on disk, each file whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from scene3d.data.images import write_bytes
from scene3d.errors import wrong_file
from scene3d.structures.solids import Mesh, PointCloud
from scene3d.visualise.solid_bytes import glb_bytes, ply_bytes

_GRID_TO_GLTF = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])
"""From x forward, y left, z up to glTF's axes: x right, y up, z towards the viewer."""


def write_points(path: Path | str, cloud: PointCloud) -> None:
    """A point cloud as binary PLY, in its own axes, metres; classes of its points are their property `label`."""
    colours = None if cloud.colours is None else cloud.colours.cpu().numpy()
    labels = None if cloud.labels is None else cloud.labels.cpu().numpy()
    write_bytes(path, ply_bytes(cloud.points.cpu().numpy(), colours, labels=labels))


def write_mesh(path: Path | str, mesh: Mesh) -> None:
    """A mesh as binary PLY (its own axes) or, by its suffix, as GLB (glTF's axes and linear colours).

    glTF reads vertex colours as linear light, PLY as they are shown: without that change a GLB looks pale.
    """
    path = Path(path)
    vertices, faces = mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy()
    colours = None if mesh.colours is None else mesh.colours.cpu().numpy()
    if path.suffix == ".glb":
        linear = None if colours is None else _linear(colours)
        write_bytes(path, glb_bytes(vertices @ _GRID_TO_GLTF.T, faces, linear))
    else:
        write_bytes(path, ply_bytes(vertices, colours, faces))


def read_surface(path: Path | str) -> Mesh | PointCloud:
    """A mesh or a point cloud from a file that trimesh reads (PLY, OBJ, GLB, STL), in its own axes.

    Raises:
        DataError: the file is missing, damaged, or holds neither.
    """
    import trimesh

    try:
        found = trimesh.load(Path(path), process=False)
        found = found.to_geometry() if isinstance(found, trimesh.Scene) else found
    except Exception as error:  # trimesh raises many kinds; each means that it is not to be read
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise wrong_file(path, expected="a mesh or a point cloud", got=reason) from None
    vertices = torch.from_numpy(np.array(getattr(found, "vertices", np.empty((0, 3))), dtype=np.float64)).float()
    if len(vertices) == 0:
        raise wrong_file(path, expected="a mesh or a point cloud", got="nothing in it")
    faces = getattr(found, "faces", None)
    if faces is None or len(faces) == 0:
        return PointCloud(points=vertices)
    return Mesh(vertices=vertices, faces=torch.from_numpy(np.array(faces, dtype=np.int64)))


def _linear(colours: np.ndarray) -> np.ndarray:
    """Bytes of sRGB as bytes of linear light (IEC 61966-2-1)."""
    share = np.arange(256) / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return (light * 255).round().astype(np.uint8)[colours]
