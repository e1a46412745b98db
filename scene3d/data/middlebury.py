"""Middlebury's multi-view stereo: temple and dino, with one line of camera an image.

FOLDER/<name>_par.txt     the number of images, then lines of: file, K (9 numbers), R (9), t (3), world to camera
FOLDER/<name>0001.png ...
FOLDER/README.txt         names two corners of a tight box about the object; may be absent
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.images import image_size
from scene3d.data.kitti_files import checked_rigid, read_text
from scene3d.data.scene_folders import SENSOR, Layout, scene_name
from scene3d.errors import wrong_file
from scene3d.geometry.camera import Camera
from scene3d.geometry.se3 import invert, rigid
from scene3d.structures.scene import Scene, Shot

LAYOUT = Layout("<name>_par.txt", ("*_par.txt",))
NUMBERS = 21


def read_middlebury(root: Path | str, names: Sequence[str] | None = None) -> list[Scene]:
    """Scenes of a folder that holds a ``<name>_par.txt``, or whose sub-folders do, in metres.

    Pixel centres of the files lie at integers and are moved to +0.5.

    Args:
        root: the folder.
        names: sub-folders to read, or the name of the folder itself; None reads all.

    Raises:
        DataError: a line is not a camera, or an image is missing.
    """
    return [_read_folder(folder) for folder in LAYOUT.folders(root, names)]


def _read_folder(folder: Path) -> Scene:
    path = LAYOUT.mark(folder)
    assert path is not None
    first, *lines = [line for line in read_text(path).splitlines() if line.strip()] or [""]
    if first.strip() != str(len(lines)):
        raise wrong_file(path, expected="the number of images on line 1, then that many lines", got=first.strip()[:60])
    shots = [_shot(path, line, number) for number, line in enumerate(lines)]
    return Scene(name=scene_name(folder), shots=tuple(shots), bounds=_bounds(folder / "README.txt"))


def _shot(path: Path, line: str, number: int) -> Shot:
    name, *words = line.split()
    try:
        values = torch.tensor([float(word) for word in words], dtype=torch.float64)
    except ValueError:
        values = torch.empty(0)
    if len(values) != NUMBERS or not torch.isfinite(values).all():
        expected = f"a file and {NUMBERS} finite numbers on line {number + 2}"
        raise wrong_file(path, expected=expected, got=line.strip()[:60])
    K, rotation, translation = values[:9].reshape(3, 3).clone(), values[9:18].reshape(3, 3), values[18:]
    if K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
        raise wrong_file(path, expected=f"a camera matrix K on line {number + 2}", got=str(K.tolist()))
    world_to_cam = checked_rigid(rigid(rotation, translation), path, f"line {number + 2}")
    K[:2, 2] += 0.5
    image = path.parent / name
    return Shot(
        image=image,
        frame=number,
        sensor=SENSOR,
        camera=Camera(K, *image_size(image)),
        cam_to_world=invert(world_to_cam),
    )


def _bounds(path: Path) -> Float[Tensor, "2 3"] | None:
    """The two corners in brackets that stand below each other in the text; None where there are none."""
    if not path.is_file():
        return None
    number = r"\s*([-+]?\d+\.?\d*(?:[eE][-+]?\d+)?)\s*"
    corner = rf"\({number},?{number},?{number}\)"
    match = re.search(rf"{corner}\s*{corner}", read_text(path))
    if match is None:
        return None
    corners = torch.tensor([float(value) for value in match.groups()], dtype=torch.float64).reshape(2, 3)
    size = (corners[1] - corners[0]).tolist()
    if min(size) <= 0 or not all(map(math.isfinite, size)):
        raise wrong_file(path, expected="the lower corner of the box, then the upper one", got=str(corners.tolist()))
    return corners
