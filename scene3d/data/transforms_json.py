"""``transforms.json`` of Instant-NGP and nerfstudio: photographs with one camera, or one each, and their transforms.

Its transforms are ``cam_to_world`` of cameras with x right, y UP and z BACKWARD (OpenGL); they are turned to ours. The
world is left as it is. Pixel centres lie at +0.5 there as here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, image_size
from scene3d.data.json_files import read_json
from scene3d.data.lens import view_through
from scene3d.data.scene_folders import SENSOR, Layout, scene_name
from scene3d.errors import wrong_file
from scene3d.geometry.se3 import is_rigid
from scene3d.structures.scene import Scene, Shot

LAYOUT = Layout("transforms.json", ("transforms.json",))
LENSES = ("OPENCV", "PINHOLE", "SIMPLE_PINHOLE")
MILLIMETRES = 1000.0


class _Lens(BaseModel):
    """Intrinsics of all images, or of one; what is not said here is not looked at."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    camera_model: str = "OPENCV"
    camera_angle_x: float | None = Field(default=None, gt=0, lt=math.pi)
    fl_x: float | None = Field(default=None, gt=0)
    fl_y: float | None = Field(default=None, gt=0)
    cx: float | None = None
    cy: float | None = None
    w: float | None = None
    h: float | None = None
    k1: float = 0.0
    k2: float = 0.0
    k3: float = 0.0
    k4: float = 0.0
    p1: float = 0.0
    p2: float = 0.0


class _Frame(_Lens):
    file_path: str
    transform_matrix: tuple[tuple[float, float, float, float], ...] = Field(min_length=4, max_length=4)
    mask_path: str | None = None
    depth_file_path: str | None = None


class _Transforms(_Lens):
    frames: tuple[_Frame, ...] = Field(min_length=1)


def read_transforms_json(
    root: Path | str, names: Sequence[str] | None = None, *, skip_missing: bool = False
) -> list[Scene]:
    """Scenes of a folder that holds a ``transforms.json``, or whose sub-folders do.

    Images with k1, k2, p1, p2 are undistorted to a pinhole of the same K as they are read. Depth is in millimetres.

    Args:
        root: the folder.
        names: sub-folders to read, or the name of the folder itself; None reads all.
        skip_missing: pass over frames whose image is not there, as Instant-NGP does, instead of refusing them.

    Raises:
        DataError: the JSON is not what it should be, an image is missing or of another size than it says, a
            transform is not rigid, or the lens is none that is known (a fisheye, k3, k4).
    """
    return [_read_folder(folder, skip_missing) for folder in LAYOUT.folders(root, names)]


def _read_folder(folder: Path, skip_missing: bool) -> Scene:
    path = folder / "transforms.json"
    said, content = read_json(path, _Transforms)
    shots = []
    for number, (frame, own) in enumerate(zip(said.frames, content["frames"], strict=True)):
        image = _image(folder, frame.file_path)
        if not image.is_file() and skip_missing:
            continue
        shots.append(_shot(path, image, number, frame, _Lens.model_validate({**content, **own})))
    if not shots:
        raise wrong_file(path, expected="a frame whose image is there", got="none")
    return Scene(name=scene_name(folder), shots=tuple(shots))


def _image(folder: Path, said: str) -> Path:
    """The file of a frame; Blender's exporter leaves the suffix away."""
    path = folder / said
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return path
    return next((p for suffix in IMAGE_SUFFIXES if (p := path.with_name(path.name + suffix)).is_file()), path)


def _shot(path: Path, image: Path, number: int, frame: _Frame, lens: _Lens) -> Shot:
    if not image.is_file():
        raise wrong_file(
            image,
            expected="an image that transforms.json names",
            got="no such file",
            hint="skip_missing passes over it",
        )
    height, width = image_size(image)
    if (lens.camera_model not in LENSES) or lens.k3 or lens.k4:
        got = f"{lens.camera_model} with k3 = {lens.k3:g}, k4 = {lens.k4:g}"
        raise wrong_file(path, expected=f"one of {', '.join(LENSES)} with k1, k2, p1, p2", got=got)
    for side, stated, actual in (("w", lens.w, width), ("h", lens.h, height)):
        if stated is not None and round(stated) != actual:
            raise wrong_file(image, expected=f"{side} = {stated:g}, which its camera is for", got=str(actual))
    bends = (lens.k1, lens.k2, lens.p1, lens.p2) if lens.camera_model == "OPENCV" else (0.0, 0.0, 0.0, 0.0)
    camera, virtual = view_through(_matrix(path, lens, height, width), height, width, bends)
    return Shot(
        image=image,
        frame=number,
        sensor=SENSOR,
        camera=camera,
        virtual=virtual,
        cam_to_world=_cam_to_world(path, frame),
        mask=None if frame.mask_path is None else path.parent / frame.mask_path,
        depth=None if frame.depth_file_path is None else path.parent / frame.depth_file_path,
        depth_steps=MILLIMETRES,
    )


def _matrix(path: Path, lens: _Lens, height: int, width: int) -> Float[Tensor, "3 3"]:
    fx = lens.fl_x
    if fx is None:
        if lens.camera_angle_x is None:
            raise wrong_file(path, expected="fl_x, or camera_angle_x", got="neither")
        fx = width / 2 / math.tan(lens.camera_angle_x / 2)
    fy = fx if lens.fl_y is None else lens.fl_y
    cx = width / 2 if lens.cx is None else lens.cx
    cy = height / 2 if lens.cy is None else lens.cy
    if not all(map(math.isfinite, (fx, fy, cx, cy))):
        raise wrong_file(path, expected="finite fl_x, fl_y, cx, cy", got=f"{fx}, {fy}, {cx}, {cy}")
    return torch.tensor([[fx, 0, cx], [0, fy, cy], [0, 0, 1]], dtype=torch.float64)


def _cam_to_world(path: Path, frame: _Frame) -> Float[Tensor, "4 4"]:
    rows: Any = frame.transform_matrix
    matrix = torch.tensor(rows, dtype=torch.float64)
    if not is_rigid(matrix):
        raise wrong_file(path, expected=f"a rigid transform_matrix for {frame.file_path}", got=str(rows)[:60])
    # Our camera's y and z axes are the opposite of theirs; the world's axes stay.
    return matrix * matrix.new_tensor([1.0, -1.0, -1.0, 1.0])
