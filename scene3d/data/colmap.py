"""A COLMAP model beside its photographs -> Scene, with its points and their tracks; read through pycolmap.

FOLDER/sparse/0/{cameras,images,points3D}.bin or .txt      also in sparse/ itself
FOLDER/images/...
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scene3d.data.images import image_size
from scene3d.data.kitti_files import as_transform, checked_rigid
from scene3d.data.lens import Distortion, view_through
from scene3d.data.scene_folders import SENSOR, Layout, scene_name
from scene3d.errors import MissingExtraError, wrong_file
from scene3d.geometry.se3 import invert
from scene3d.structures.scene import Scene, Shot
from scene3d.structures.sparse import SparsePoints

LAYOUT = Layout(
    "sparse/0/cameras.bin", tuple(f"{at}/cameras.{end}" for at in ("sparse/0", "sparse") for end in ("bin", "txt"))
)

BENDS = {
    "SIMPLE_PINHOLE": (),
    "PINHOLE": (),
    "SIMPLE_RADIAL": (0,),
    "RADIAL": (0, 1),
    "OPENCV": (0, 1, 2, 3),
}
"""Lenses that are read: which of k1, k2, p1, p2 their parameters end with."""


def read_colmap(root: Path | str, names: Sequence[str] | None = None) -> list[Scene]:
    """Scenes of a folder with a COLMAP model, or whose sub-folders have one, up to scale unless the model is metric.

    Lenses with distortion are undistorted to a pinhole of the same K as their images are read. Pixel centres lie at
    +0.5 there as here. Shots come by name of their image.

    Args:
        root: the folder.
        names: sub-folders to read, or the name of the folder itself; None reads all.

    Raises:
        DataError: the model cannot be read, has no image, has a lens that is not known, or an image is missing.
        MissingExtraError: pycolmap is not installed.
    """
    return [_read_folder(folder) for folder in LAYOUT.folders(root, names)]


def pycolmap() -> Any:
    """The library, imported where it is used.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        return import_module("pycolmap")
    except ImportError as error:
        raise MissingExtraError(f"pycolmap cannot be imported: {error}", hint='pip install "scene3d[sfm]"') from error


def scene_of_model(model: Any, folder: Path, path: Path, name: str) -> Scene:
    """The scene of a `pycolmap.Reconstruction`.

    Args:
        model: with registered images and points.
        folder: of the images.
        path: of the model, for messages.
        name: of the scene.

    Raises:
        DataError: as for `read_colmap`.
    """
    images = sorted((image for image in model.images.values() if image.has_pose), key=lambda image: image.name)
    if not images:
        raise wrong_file(path, expected="a model with registered images", got="none")
    shots = [_shot(folder, path, image, number) for number, image in enumerate(images)]
    places = {image.image_id: number for number, image in enumerate(images)}
    return Scene(name=name, shots=tuple(shots), sparse=sparse_of_model(model, places))


def sparse_of_model(model: Any, places: Mapping[int, int]) -> SparsePoints | None:
    """The points of a `pycolmap.Reconstruction` by their number, and what observed them; None where it has none.

    Args:
        model: with points.
        places: which of the scene's shots an image of the model is, by its number there.
    """
    points = [point for _, point in sorted(model.points3D.items())]
    if not points:
        return None
    tracks = [[e for e in point.track.elements if e.image_id in places] for point in points]
    seen = [element for track in tracks for element in track]
    pixels = [model.images[e.image_id].points2D[e.point2D_idx].xy for e in seen]
    return SparsePoints(
        points=torch.from_numpy(np.array([point.xyz for point in points], dtype=np.float64)),
        colours=torch.from_numpy(np.array([point.color for point in points], dtype=np.uint8)),
        errors=torch.tensor([float(point.error) for point in points], dtype=torch.float64),
        track_start=torch.tensor([0, *accumulate(len(track) for track in tracks)]),
        track_shot=torch.tensor([places[e.image_id] for e in seen], dtype=torch.int64),
        track_pixel=torch.from_numpy(np.array(pixels, dtype=np.float64).reshape(-1, 2)),
    )


def _read_folder(folder: Path) -> Scene:
    mark = LAYOUT.mark(folder)
    assert mark is not None
    library = pycolmap()
    for name in ("images", "points3D"):
        path = mark.with_stem(name)
        if not path.exists():
            raise wrong_file(path, expected="the rest of a COLMAP model", got="no such file")
    try:
        model = library.Reconstruction(mark.parent)
    except (RuntimeError, ValueError, OSError, IndexError, KeyError) as error:
        raise wrong_file(mark.parent, expected="a COLMAP model", got=_reason(error)) from None
    return scene_of_model(model, folder / "images", mark.parent, scene_name(folder))


def _reason(error: Exception) -> str:
    """What pycolmap says, without the place in its source; a check that failed is told in C++ and names no cause."""
    said = re.sub(r"^\[.*?\] ", "", (str(error).splitlines() or ["an error of pycolmap"])[0])
    return "lines or bytes that are none of its own" if said.startswith("Check failed") else said


def _shot(folder: Path, path: Path, image: Any, number: int) -> Shot:
    file, camera = folder / image.name, image.camera
    size = image_size(file)
    if size != (camera.height, camera.width):
        expected = f"{camera.width} x {camera.height} pixels, the size its camera is for"
        raise wrong_file(file, expected=expected, got=f"{size[1]} x {size[0]}")
    if camera.model.name not in BENDS:
        hint = "colmap image_undistorter makes pinholes of it"
        raise wrong_file(path, expected=f"a lens of {', '.join(BENDS)}", got=camera.model.name, hint=hint)
    bends = [0.0, 0.0, 0.0, 0.0]
    ends = BENDS[camera.model.name]
    for place, value in zip(ends, camera.params[len(camera.params) - len(ends) :], strict=True):
        bends[place] = float(value)
    K = torch.from_numpy(np.array(camera.calibration_matrix(), dtype=np.float64))
    k1, k2, p1, p2 = bends
    distortion: Distortion = (k1, k2, p1, p2)
    lens, virtual = view_through(K, *size, distortion)
    rows = torch.from_numpy(np.array(image.cam_from_world().matrix(), dtype=np.float64))
    world_to_cam = checked_rigid(as_transform(rows), path, f"image {image.name}")
    return Shot(
        image=file, frame=number, sensor=SENSOR, camera=lens, virtual=virtual, cam_to_world=invert(world_to_cam)
    )
