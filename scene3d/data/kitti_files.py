"""Parsers of the KITTI family's files: text and bytes in, float64 tensors out.

KITTI puts pixel centres at integers, we put them at +0.5: `projection_camera` adds the half pixel, here and
nowhere else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.errors import DataError, wrong_file
from scene3d.geometry.camera import Camera
from scene3d.geometry.se3 import is_rigid, rigid

EARTH_RADIUS = 6378137.0
"""Metres; the equatorial radius that KITTI's Mercator projection uses."""

OXTS_VALUES = 30
Record = Float[Tensor, "30"]  # noqa: UP037
"""Numbers of one OXTS record: latitude, longitude, altitude, roll, pitch, yaw, then 24 we do not use."""


@dataclass(frozen=True)
class Calibration:
    """The ``key: values`` lines of one file; what is not numbers (dates) is left out.

    Attributes:
        path: the file, for messages.
        values: numbers of each key, in the order of the file.
    """

    path: Path
    values: Mapping[str, tuple[float, ...]]

    def matrix(self, key: str, *shape: int) -> Tensor:
        """The numbers of a key in row-major order, float64 of `shape`.

        Raises:
            DataError: the key is missing, or has another number of values, or one that is not finite.
        """
        if key not in self.values:
            known = ", ".join(self.values) or "no key with numbers"
            raise wrong_file(self.path, expected=f"a line '{key}: ...'", got=known)
        values = torch.tensor(self.values[key], dtype=torch.float64)
        if values.numel() != math.prod(shape):
            raise wrong_file(self.path, expected=f"{math.prod(shape)} numbers for {key}", got=str(values.numel()))
        if not torch.isfinite(values).all():
            raise wrong_file(self.path, expected=f"finite numbers for {key}", got=str(self.values[key]))
        return values.reshape(shape)

    def rigid(self, rotation: str, translation: str) -> Float[Tensor, "4 4"]:
        """A transform from a 9-number rotation key and a 3-number translation key."""
        matrix = rigid(self.matrix(rotation, 3, 3), self.matrix(translation, 3))
        return checked_rigid(matrix, self.path, f"{rotation} and {translation}")

    def rotation(self, key: str) -> Float[Tensor, "4 4"]:
        """A transform without translation from a 9-number key."""
        return checked_rigid(rigid(self.matrix(key, 3, 3), torch.zeros(3, dtype=torch.float64)), self.path, key)

    def transform(self, key: str) -> Float[Tensor, "4 4"]:
        """A transform from a 12-number key, 3 rows of 4."""
        return checked_rigid(as_transform(self.matrix(key, 3, 4)), self.path, key)


def read_text(path: Path) -> str:
    """A small text file, or a DataError that names it.

    Raises:
        DataError: the file is missing, cannot be read, or is not text.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise wrong_file(path, expected="a text file", got="no such file") from None
    except UnicodeDecodeError:
        raise wrong_file(path, expected="a text file", got="bytes that are not text") from None
    except OSError as error:
        raise wrong_file(path, expected="a text file", got=error.strerror or "an error of the system") from None


def read_calibration(path: Path) -> Calibration:
    """Every ``key: numbers`` line of a calibration file; lines of text, such as dates, are passed over.

    Raises:
        DataError: the file is missing or has no such line at all.
    """
    values: dict[str, tuple[float, ...]] = {}
    for line in read_text(path).splitlines():
        key, colon, rest = line.partition(":")
        try:
            numbers = tuple(float(word) for word in rest.split())
        except ValueError:
            continue
        if colon and numbers:
            values[key.strip()] = numbers
    if not values:
        raise wrong_file(path, expected="lines of 'key: numbers'", got="none")
    return Calibration(path, values)


def read_rows(path: Path, columns: int, *, comment: str | None = None) -> Float[Tensor, "N columns"]:
    """A text table of numbers; blank lines are passed over, and so are lines that start with `comment`.

    Raises:
        DataError: a line has another number of values, or one that is not a finite number.
    """
    rows = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words or (comment and words[0].startswith(comment)):
            continue
        try:
            row = [float(word) for word in words]
        except ValueError:
            raise wrong_file(path, expected=f"{columns} numbers on line {number}", got=line.strip()[:60]) from None
        if len(row) != columns:
            raise wrong_file(path, expected=f"{columns} numbers on line {number}", got=f"{len(row)}")
        if not all(math.isfinite(value) for value in row):
            raise wrong_file(path, expected=f"finite numbers on line {number}", got=line.strip()[:60])
        rows.append(row)
    return torch.tensor(rows, dtype=torch.float64).reshape(-1, columns)


def read_poses(path: Path) -> Float[Tensor, "N 4 4"]:
    """Transforms of 12 numbers a line; line i, from 0, is frame i.

    Raises:
        DataError: a line is not 12 finite numbers, or its rotation is not one.
    """
    matrices = as_transform(read_rows(path, 12).reshape(-1, 3, 4))
    return checked_rigid(matrices, path, "line")


def as_transform(rows: Float[Tensor, "*batch 3 4"]) -> Float[Tensor, "*batch 4 4"]:
    """Three rows with the fourth, (0, 0, 0, 1), put under them."""
    last = rows.new_tensor([0.0, 0.0, 0.0, 1.0]).expand(*rows.shape[:-2], 1, 4)
    return torch.cat([rows, last], dim=-2)


def checked_rigid(matrix: Float[Tensor, "*batch 4 4"], path: Path, what: str) -> Float[Tensor, "*batch 4 4"]:
    """The same transforms, or a DataError that names the file and the first one that is not rigid."""
    good = is_rigid(matrix)
    if good.all():
        return matrix
    where = what if good.ndim == 0 else f"{what} {int((~good).nonzero()[0, 0]) + 1}"
    raise wrong_file(path, expected=f"an orthonormal rotation in {where}", got="a matrix that is not rigid")


def projection_camera(projection: Float[Tensor, "3 4"], height: int, width: int) -> Camera:
    """The camera of a rectified image from KITTI's 3x4 projection, with pixel centres moved to +0.5."""
    K = projection[:, :3].clone()
    K[:2, 2] += 0.5
    return Camera(K, height, width)


def projection_offset(projection: Float[Tensor, "3 4"]) -> Float[Tensor, "4 4"]:
    """``cam0_to_cam`` of a rectified camera: a shift by inv(K) P[:, 3], with its small y and z."""
    K, shift = projection[:, :3], projection[:, 3]
    return rigid(torch.eye(3, dtype=projection.dtype), torch.linalg.solve(K, shift))


def read_oxts(path: Path) -> Record:
    """One record of the GPS/IMU: degrees, metres and radians in the order of KITTI's dataformat.txt.

    Raises:
        DataError: the file is not one line of 30 finite numbers.
    """
    rows = read_rows(path, OXTS_VALUES)
    if len(rows) != 1:
        raise wrong_file(path, expected="one line", got=f"{len(rows)} lines")
    return rows[0]


def oxts_to_world(records: Mapping[int, Record]) -> dict[int, Float[Tensor, "4 4"]]:
    """``imu_to_world`` of every frame: Mercator at the first frame's latitude, origin at its position.

    The world's axes are east, north and up; rotations are not relative to the first frame.

    Source: Geiger et al., "Vision meets robotics: the KITTI dataset", IJRR 2013, and its development kit.
    """
    if not records:
        return {}
    first = records[min(records)]
    scale = math.cos(math.radians(float(first[0])))
    origin = _mercator(first, scale)
    return {frame: rigid(_rotation(r), _mercator(r, scale) - origin) for frame, r in records.items()}


def _mercator(record: Record, scale: float) -> Float[Tensor, "3"]:  # noqa: UP037
    latitude, longitude, altitude = (float(value) for value in record[:3])
    x = scale * EARTH_RADIUS * math.radians(longitude)
    y = scale * EARTH_RADIUS * math.log(math.tan(math.radians(90 + latitude) / 2))
    return torch.tensor([x, y, altitude], dtype=torch.float64)


def _rotation(record: Record) -> Float[Tensor, "3 3"]:
    (sr, cr), (sp, cp), (sy, cy) = ((math.sin(float(a)), math.cos(float(a))) for a in record[3:6])
    about_x = torch.tensor([[1, 0, 0], [0, cr, -sr], [0, sr, cr]], dtype=torch.float64)
    about_y = torch.tensor([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]], dtype=torch.float64)
    about_z = torch.tensor([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]], dtype=torch.float64)
    return about_z @ about_y @ about_x


def read_timestamps(path: Path) -> dict[int, int]:
    """Nanoseconds since 1970 of every line, by line number from 0; a blank line is a frame that is missing.

    Raises:
        DataError: a line is not ``YYYY-MM-DD HH:MM:SS.nnnnnnnnn``.
    """
    times = {}
    for number, line in enumerate(read_text(path).splitlines()):
        if not line.strip():
            continue
        seconds, _, fraction = line.strip().partition(".")
        try:
            whole = datetime.strptime(seconds, "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc)
            # Digits are read as they stand: a float holds neither nanoseconds nor a missing trailing zero.
            nanoseconds = int(fraction[:9].ljust(9, "0"))
        except ValueError:
            raise wrong_file(
                path, expected=f"YYYY-MM-DD HH:MM:SS.nnnnnnnnn on line {number + 1}", got=line.strip()[:60]
            ) from None
        times[number] = int(whole.timestamp()) * 1_000_000_000 + nanoseconds
    return times


def read_scan(path: Path) -> Float[Tensor, "N 4"]:
    """A velodyne scan, float32: x forward, y left, z up in metres, and reflectance in [0, 1].

    Raises:
        DataError: the size is not a multiple of 16 bytes, or a value is not finite.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise wrong_file(path, expected="a velodyne scan", got=error.strerror or "an error of the system") from None
    if not data or len(data) % 16:
        raise wrong_file(path, expected="points of 16 bytes (4 float32)", got=f"{len(data)} bytes")
    points = torch.from_numpy(np.frombuffer(data, dtype="<f4").astype(np.float32)).reshape(-1, 4)
    if not torch.isfinite(points).all():
        bad = int((~torch.isfinite(points).all(dim=1)).nonzero()[0, 0])
        raise wrong_file(path, expected="finite numbers", got=f"point {bad} is {points[bad].tolist()}")
    return points


def numbered_files(folder: Path, suffixes: tuple[str, ...]) -> dict[int, Path]:
    """Files of a folder whose name is a number, by that number; an absent folder has none.

    Raises:
        DataError: two files carry one number (a png beside a jpg, or 7.png beside 07.png).
    """
    files: dict[int, Path] = {}
    if not folder.is_dir():
        return files
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in suffixes and path.stem.isdecimal():
            other = files.setdefault(int(path.stem), path)
            if other is not path:
                raise DataError(f"{path}: frame {int(path.stem)} is there twice, also as {other.name}")
    return files
