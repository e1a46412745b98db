"""Draws 3D files into a PNG with Open3D; a program of its own.

Open3D's renderer ends the whole process where EGL or Vulkan is missing, so `scene3d.visualise.viewer`
runs this file in a child and reads what became of it. It imports nothing of scene3d but errors.

Usage: python offscreen.py < JOB.json, with {"files": [...], "picture": PNG, "eye": [x, y, z] or null,
"target": [x, y, z] or null, "width": pixels, "height": pixels}.
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

import numpy as np


def draw(o3d: Any, job: dict[str, Any]) -> None:
    """Draw the meshes and points of some files as seen from the eye; z is up."""
    rendering = o3d.visualization.rendering
    renderer = rendering.OffscreenRenderer(job["width"], job["height"])
    scene = renderer.scene
    scene.set_background([0.965, 0.969, 0.976, 1.0])
    low, high = np.full(3, np.inf), np.full(3, -np.inf)
    for i, file in enumerate(job["files"]):
        geometry = _read(o3d, file)
        material = rendering.MaterialRecord()
        material.shader = "defaultUnlit" if isinstance(geometry, o3d.geometry.PointCloud) else "defaultLit"
        material.point_size = 3.0
        scene.add_geometry(str(i), geometry, material)
        box = geometry.get_axis_aligned_bounding_box()
        low, high = np.minimum(low, box.min_bound), np.maximum(high, box.max_bound)
    middle, size = (low + high) / 2, float(np.linalg.norm(high - low))
    target = middle if job["target"] is None else np.array(job["target"])
    # So far off that a ball about all of it fits into 50 degrees.
    away = np.array([-0.92, -0.38, 0.69])
    eye = middle + size * away if job["eye"] is None else np.array(job["eye"])
    scene.scene.set_sun_light([0.5, 0.35, -1.0], [1.0, 0.98, 0.94], 62_000)
    scene.scene.enable_sun_light(True)
    renderer.setup_camera(50.0, target.tolist(), eye.tolist(), [0.0, 0.0, 1.0])
    image = np.asarray(renderer.render_to_image())
    # An empty world is drawn evenly; a picture of nothing is worse than none.
    if image.min() == image.max():
        raise RuntimeError("the renderer drew an empty picture")
    if not o3d.io.write_image(job["picture"], o3d.geometry.Image(image)):
        raise RuntimeError(f"{job['picture']}: could not be written")


def _read(o3d: Any, file: str) -> Any:
    mesh = o3d.io.read_triangle_mesh(file)
    if len(mesh.triangles):
        mesh.compute_triangle_normals()
        return mesh
    return o3d.io.read_point_cloud(file)


if __name__ == "__main__":
    # Loaded before the job is there, which may be a while to come.
    library = import_module("open3d")
    if said := sys.stdin.read():
        draw(library, json.loads(said))
