"""Point clouds and meshes on disk, each file whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from scene3d.data.images import write_bytes
from scene3d.structures.solids import Mesh, PointCloud

_GRID_TO_GLTF = np.array([[0, -1, 0], [0, 0, 1], [-1, 0, 0]])
"""From x forward, y left, z up to glTF's axes: x right, y up, z towards the viewer."""


def write_points(path: Path | str, cloud: PointCloud) -> None:
    """A point cloud as binary PLY, in its own axes, metres."""
    import trimesh

    colours = None if cloud.colours is None else cloud.colours.cpu().numpy()
    made = trimesh.PointCloud(cloud.points.cpu().numpy(), colors=colours)
    write_bytes(path, _bytes(made.export(file_type="ply")))


def write_mesh(path: Path | str, mesh: Mesh) -> None:
    """A mesh as binary PLY (its own axes) or, by its suffix, as GLB (glTF's axes and linear colours).

    glTF reads vertex colours as linear light, PLY as they are shown: without that change a GLB looks pale.
    """
    import trimesh

    path = Path(path)
    vertices = mesh.vertices.cpu().numpy()
    colours = None if mesh.colours is None else mesh.colours.cpu().numpy()
    if path.suffix == ".glb":
        vertices = vertices @ _GRID_TO_GLTF.T
        colours = None if colours is None else _linear(colours)
    made = trimesh.Trimesh(vertices, mesh.faces.cpu().numpy(), vertex_colors=colours, process=False)
    write_bytes(path, _bytes(made.export(file_type=path.suffix[1:])))


def _linear(colours: np.ndarray) -> np.ndarray:
    """Bytes of sRGB as bytes of linear light (IEC 61966-2-1)."""
    share = colours / 255
    light = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return (light * 255).round().astype(np.uint8)


def _bytes(content: Any) -> bytes:
    return content.encode() if isinstance(content, str) else bytes(content)
