"""A scene of photographs with known cameras, written as a folder that `read_posed_images` reads."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from scene3d.data.images import write_bytes
from scene3d.data.posed_images import FILE
from scene3d.data.sparse_files import write_sparse
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera
from scene3d.structures.scene import Scene, Shot

SPARSE = "sparse.npz"


def write_posed_images(scene: Scene, folder: Path) -> None:
    """Copy the images of a scene into a new folder, with what is known of them: cameras, lenses, masks, points, bounds.

    Depth and labels are left behind.

    Args:
        scene: of pinhole images, or of images through a lens of `view_through`.
        folder: must be there; ``scene.json`` is written last.

    Raises:
        DataError: an image cannot be copied, or a file cannot be written.
    """
    try:
        (folder / "images").mkdir()
        if any(shot.mask is not None for shot in scene.shots):
            (folder / "masks").mkdir()
        for shot in scene.shots:
            shutil.copyfile(shot.image, folder / "images" / shot.image.name)
            if shot.mask is not None:
                shutil.copyfile(shot.mask, folder / _mask_name(shot, shot.mask))
    except OSError as error:
        raise DataError(f"{folder}: cannot be written: {error.strerror or error}") from error
    said: dict[str, Any] = {"images": [_entry(shot) for shot in scene.shots]}
    if scene.bounds is not None:
        said["bounds"] = scene.bounds.tolist()
    if scene.sparse is not None:
        write_sparse(folder / SPARSE, scene.sparse)
        said["sparse"] = SPARSE
    write_bytes(folder / FILE, json.dumps(said, indent=1).encode())


def _entry(shot: Shot) -> dict[str, Any]:
    lens = shot.camera
    camera = lens if isinstance(lens, Camera) else shot.virtual.camera if shot.virtual is not None else None
    if camera is None:
        raise DataError(f"{shot.image}: expected a pinhole camera or a lens with its view, got a fisheye")
    entry: dict[str, Any] = {
        "file": f"images/{shot.image.name}",
        "K": camera.K.tolist(),
        "width": lens.width,
        "height": lens.height,
        "frame": shot.frame,
        "sensor": shot.sensor,
    }
    if not isinstance(lens, Camera):
        entry["distortion"] = [lens.k1, lens.k2, lens.p1, lens.p2]
    if shot.cam_to_world is not None:
        entry["cam_to_world"] = shot.cam_to_world.tolist()
    if shot.time is not None:
        entry["time"] = shot.time
    if shot.mask is not None:
        entry["mask"] = _mask_name(shot, shot.mask)
    return entry


def _mask_name(shot: Shot, mask: Path) -> str:
    """Masks of different folders may share a name; images do not, so they give it."""
    return f"masks/{shot.image.stem}{mask.suffix}"
