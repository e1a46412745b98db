"""Photographs with masks in the layout of NeuS (IDR before it): DTU and BlendedMVS as they are handed around.

CASE/image/000.png ...       also .jpg; image i is the i-th by name
CASE/mask/000.png ...        bright where the object is; may be absent
CASE/cameras_sphere.npz      world_mat_i: K [R | t], world to pixels; scale_mat_i: unit ball to world
CASE/cameras_large.npz       the same with a larger ball, where there is no cameras_sphere.npz
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, image_size
from scene3d.data.scene_folders import SENSOR, Layout, scene_name
from scene3d.errors import wrong_file
from scene3d.geometry.camera import Camera
from scene3d.geometry.projection import decompose_projection
from scene3d.geometry.se3 import invert
from scene3d.structures.scene import Scene, Shot

LAYOUT = Layout("image/ and cameras_sphere.npz", ("cameras_sphere.npz", "cameras_large.npz"))


def read_neus(root: Path | str, names: Sequence[str] | None = None) -> list[Scene]:
    """Scenes of a case folder, or of the case folders in it, in the unit of their files (millimetres for DTU).

    Pixel centres of the files lie at integers and are moved to +0.5. `Scene.bounds` is the box about the ball that
    `scale_mat` names, so `similarity_of_box` of it gives the unit ball of the published code.

    Args:
        root: the case folder, or the folder of several.
        names: case folders to read; None reads all.

    Raises:
        DataError: a case is missing, or a file of it is not what it should be.
    """
    return [_read_case(folder) for folder in LAYOUT.folders(root, names)]


def _read_case(folder: Path) -> Scene:
    path = LAYOUT.mark(folder)
    assert path is not None
    matrices = _read_matrices(path)
    images, masks = _sorted_images(folder / "image"), _sorted_images(folder / "mask")
    cameras = sum(name.startswith("world_mat_") and name[10:].isdecimal() for name in matrices)
    if not images or cameras != len(images):
        got = f"{len(images)} images" if images else "no image"
        raise wrong_file(folder / "image", expected=f"{cameras} images, the cameras of {path.name}", got=got)
    if masks and len(masks) != len(images):
        raise wrong_file(folder / "mask", expected=f"{len(images)} masks, one an image, or none", got=str(len(masks)))
    shots = []
    for i, image in enumerate(images):
        camera, cam_to_world = _camera(path, matrices, i, image)
        mask = masks[i] if masks else None
        shots.append(Shot(image=image, frame=i, sensor=SENSOR, camera=camera, cam_to_world=cam_to_world, mask=mask))
    return Scene(name=scene_name(folder), shots=tuple(shots), bounds=_bounds(path, matrices, len(images)))


def _read_matrices(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise wrong_file(path, expected="an npz file of matrices", got=str(error).splitlines()[0]) from None


def _sorted_images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)


def _matrix(path: Path, matrices: Mapping[str, np.ndarray], name: str) -> Float[Tensor, "4 4"]:
    if name not in matrices:
        raise wrong_file(path, expected=f"a matrix {name}", got="none")
    matrix = matrices[name]
    if matrix.shape != (4, 4) or matrix.dtype.kind not in "fiu" or not np.isfinite(matrix).all():
        what = f"{matrix.dtype} {matrix.shape}" if matrix.shape != (4, 4) else "other values"
        raise wrong_file(path, expected=f"4 x 4 finite numbers in {name}", got=what)
    return torch.from_numpy(matrix.astype(np.float64))


def _camera(
    path: Path, matrices: Mapping[str, np.ndarray], index: int, image: Path
) -> tuple[Camera, Float[Tensor, "4 4"]]:
    """The camera of an image and its ``cam_to_world``."""
    name = f"world_mat_{index}"
    try:
        K, world_to_cam = decompose_projection(_matrix(path, matrices, name)[:3])
    except ValueError as error:
        raise wrong_file(path, expected=f"a projection K [R | t] in {name}", got=str(error)) from None
    K = K.clone()
    K[:2, 2] += 0.5
    return Camera(K, *image_size(image)), invert(world_to_cam)


def _bounds(path: Path, matrices: Mapping[str, np.ndarray], images: int) -> Float[Tensor, "2 3"]:
    """The box about the ball that every `scale_mat` maps the unit ball to."""
    first = _matrix(path, matrices, "scale_mat_0")
    radius, centre = first[0, 0], first[:3, 3]
    expected = torch.eye(4, dtype=torch.float64) * radius
    expected[:3, 3], expected[3, 3] = centre, 1
    for i in range(images):
        matrix = _matrix(path, matrices, f"scale_mat_{i}")
        if radius <= 0 or not torch.allclose(matrix, expected, rtol=1e-5, atol=1e-5 * float(radius)):
            what = "one radius on the diagonal and the centre of a ball, the same in all"
            raise wrong_file(path, expected=f"in scale_mat_{i} {what}", got=str(matrix.tolist())[:60])
    return torch.stack([centre - radius, centre + radius])
