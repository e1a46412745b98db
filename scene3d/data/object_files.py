"""A found object on disk: its box and plane as JSON, its points as a PLY that any viewer opens.

FOLDER/object.json     box_to_world, half, and the plane's normal and offset; null where there is no plane
FOLDER/object.ply      x y z red green blue and `foreground`, 1 for the object's own points
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from scene3d.config import Config
from scene3d.data.images import write_bytes
from scene3d.data.json_files import read_json
from scene3d.errors import wrong_file
from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.planes import Plane
from scene3d.geometry.se3 import is_rigid
from scene3d.structures.object_region import ObjectRegion

FILE, POINTS = "object.json", "object.ply"

Row3 = tuple[float, float, float]
Row4 = tuple[float, float, float, float]

_ROW = np.dtype([("xyz", "<f8", 3), ("rgb", "u1", 3), ("foreground", "u1")])
_HEADER = """ply
format binary_little_endian 1.0
element vertex {number}
property double x
property double y
property double z
property uchar red
property uchar green
property uchar blue
property uchar foreground
end_header
"""


class _PlaneEntry(Config):
    normal: Row3
    offset: float


class _RegionEntry(Config):
    box_to_world: tuple[Row4, Row4, Row4, Row4]
    half: Row3
    plane: _PlaneEntry | None
    points: int = Field(ge=0)


def write_object(folder: Path | str, region: ObjectRegion) -> None:
    """Write an object into a folder that is there; the JSON comes last.

    Raises:
        DataError: a file cannot be written.
    """
    folder = Path(folder)
    rows = np.empty(len(region.points), dtype=_ROW)
    rows["xyz"], rows["rgb"] = region.points.cpu().numpy(), region.colours.cpu().numpy()
    rows["foreground"] = region.foreground.cpu().numpy()
    write_bytes(folder / POINTS, _HEADER.format(number=len(rows)).encode() + rows.tobytes())
    plane = region.plane
    said = {
        "box_to_world": region.box.box_to_world.tolist(),
        "half": region.box.half.tolist(),
        "plane": None if plane is None else {"normal": plane.normal.tolist(), "offset": plane.offset.item()},
        "points": len(rows),
    }
    write_bytes(folder / FILE, json.dumps(said, indent=1).encode())


def read_object(folder: Path | str) -> ObjectRegion:
    """An object that `write_object` wrote, double precision.

    Raises:
        DataError: a file is missing, or is none of ours.
    """
    folder = Path(folder)
    path, points = folder / FILE, folder / POINTS
    said, _ = read_json(path, _RegionEntry)
    try:
        content = points.read_bytes()
    except OSError as error:
        raise wrong_file(points, expected="the points of an object", got=error.strerror or "an error") from None
    header = _HEADER.format(number=said.points).encode()
    size = len(header) + said.points * _ROW.itemsize
    if not content.startswith(header) or len(content) != size:
        expected = f"{said.points} points of an object in {size} bytes"
        raise wrong_file(points, expected=expected, got=f"{len(content)} bytes")
    rows = np.frombuffer(content, dtype=_ROW, offset=len(header))
    if not np.isfinite(rows["xyz"]).all():
        raise wrong_file(points, expected="finite points", got="some that are not")
    box_to_world = torch.tensor(said.box_to_world, dtype=torch.float64)
    if not is_rigid(box_to_world):
        raise wrong_file(path, expected="a rigid box_to_world", got=str(said.box_to_world))
    plane = None
    if said.plane is not None:
        normal = torch.tensor(said.plane.normal, dtype=torch.float64)
        plane = Plane(normal=normal, offset=torch.tensor(said.plane.offset, dtype=torch.float64))
    return ObjectRegion(
        points=torch.from_numpy(rows["xyz"].copy()),
        colours=torch.from_numpy(rows["rgb"].copy()),
        foreground=torch.from_numpy(rows["foreground"] > 0),
        box=OrientedBox(box_to_world=box_to_world, half=torch.tensor(said.half, dtype=torch.float64)),
        plane=plane,
    )
