"""What both layouts of a street's tree share: options, cameras, pictures on disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8, UInt16
from PIL import Image
from pydantic import Field

from scene3d.config import Config
from scene3d.data.images import DEPTH_SCALE
from scene3d.data.street import rig
from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye

Array = np.ndarray


class TreeOptions(Config):
    """What to write of each street; the fields are arguments of `write_streets`."""

    size: tuple[int, int] = rig.PERSPECTIVE_SIZE
    fisheye: int | None = Field(rig.FISHEYE_SIZE[0], ge=8)
    scans: bool = True
    semantics: bool = True
    depth: bool = True
    voxels_every: int = Field(5, ge=0)
    azimuth_step: float = Field(0.2, gt=0, le=10)

    def cameras(self) -> dict[str, tuple[Camera | Fisheye, Float[Array, "4 4"]]]:
        """Camera and ``cam_to_body`` of every picture to render, by the name of its folder."""
        left, right = rig.perspective(self.size)
        cameras: dict[str, tuple[Camera | Fisheye, Array]] = {
            "image_00": (left, rig.left_rect_to_body),
            "image_01": (right, rig.right_rect_to_body),
        }
        if self.fisheye is not None:
            fisheye_left, fisheye_right = rig.fisheye(self.fisheye)
            cameras["image_02"] = (fisheye_left, rig.fisheye_left_to_body)
            cameras["image_03"] = (fisheye_right, rig.fisheye_right_to_body)
        return cameras


def write_png(path: Path, pixels: UInt8[Array, "H W 3"] | UInt8[Array, "H W"] | UInt16[Array, "H W"]) -> None:
    """A PNG of 8-bit colour, 8-bit gray or 16-bit gray; quick rather than small."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, compress_level=1)


def depth_pixels(depth: Float[Array, "H W"]) -> UInt16[Array, "H W"]:
    """Depth along z as a depth PNG has it: metres x 256, 0 where there is none."""
    return np.round(depth * DEPTH_SCALE).clip(0, 65535).astype(np.uint16)


def write_text(path: Path, lines: str | Iterable[str]) -> None:
    """A text file in a folder that need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lines if isinstance(lines, str) else "".join(lines), encoding="ascii")


def write_scan(path: Path, points: Float[Array, "N 4"]) -> None:
    """A velodyne scan in a folder that need not be there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    points.astype("<f4").tofile(path)


def link(source: Path, target: Path) -> None:
    """A second name of a file; a copy where the file system has no hard links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
