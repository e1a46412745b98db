"""Drives as KITTI's GPS/IMU would have written them: OXTS records and time stamps."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from jaxtyping import Float

from scene3d.data.kitti_files import EARTH_RADIUS
from scene3d.data.street.calibration import BODY_TO_IMU

Array = np.ndarray

START = (49.015003823272, 8.4342971002335, 116.43032836914)
"""Latitude and longitude (degrees) and altitude (metres) of every drive's first frame: in Karlsruhe."""

RATE = 10.0
"""Frames a second."""

FIELDS = (
    *("lat", "lon", "alt", "roll", "pitch", "yaw", "vn", "ve", "vf", "vl", "vu"),
    *("ax", "ay", "az", "af", "al", "au", "wx", "wy", "wz", "wf", "wl", "wu"),
    *("pos_accuracy", "vel_accuracy", "navstat", "numsats", "posmode", "velmode", "orimode"),
)
"""Names of the 30 numbers of a record, in KITTI's order."""


def oxts_lines(bodies_to_world: Float[Array, "N 4 4"]) -> list[str]:
    """One record a frame: 25 numbers and 5 integers.

    Position and attitude are those of the body, exactly; velocities are differences between frames;
    accelerations and turn rates, which no reader here uses, are 0.
    """
    imus = bodies_to_world @ np.linalg.inv(BODY_TO_IMU)
    velocities = np.gradient(imus[:, :3, 3], axis=0) * RATE if len(imus) > 1 else np.zeros((1, 3))
    lines = []
    for imu, velocity in zip(imus, velocities, strict=True):
        roll, pitch, yaw = _angles(imu[:3, :3])
        forward = velocity[0] * np.cos(yaw) + velocity[1] * np.sin(yaw)
        leftward = velocity[1] * np.cos(yaw) - velocity[0] * np.sin(yaw)
        speeds = (velocity[1], velocity[0], forward, leftward, velocity[2])
        numbers = (
            *_geographic(imu[:3, 3] - imus[0, :3, 3]),
            roll,
            pitch,
            yaw,
            *speeds,
            *([0.0] * 12),
            0.02,
            0.01,
        )
        lines.append(" ".join(f"{value:.14g}" for value in numbers) + " 4 11 6 6 6\n")
    return lines


def time_stamps(frames: int, day: str = "2011-09-26") -> str:
    """One line a frame, a tenth of a second apart, in KITTI's nine decimals."""
    first = datetime.fromisoformat(f"{day} 13:02:25")
    stamps = (first + timedelta(seconds=frame / RATE) for frame in range(frames))
    return "".join(f"{stamp:%Y-%m-%d %H:%M:%S.%f}000\n" for stamp in stamps)


def _angles(rotation: Float[Array, "3 3"]) -> tuple[float, float, float]:
    """Roll, pitch and yaw of ``Rz(yaw) Ry(pitch) Rx(roll)``."""
    roll = np.arctan2(rotation[2, 1], rotation[2, 2])
    pitch = np.arctan2(-rotation[2, 0], np.hypot(rotation[2, 1], rotation[2, 2]))
    yaw = np.arctan2(rotation[1, 0], rotation[0, 0])
    return float(roll), float(pitch), float(yaw)


def _geographic(offset: Float[Array, "3"]) -> tuple[float, float, float]:  # noqa: UP037
    """Latitude, longitude and altitude of a place east, north and up of `START`, by KITTI's Mercator."""
    latitude, longitude, altitude = START
    scale = np.cos(np.radians(latitude)) * EARTH_RADIUS
    north = np.log(np.tan(np.radians(90 + latitude) / 2)) + offset[1] / scale
    return (
        float(np.degrees(2 * np.arctan(np.exp(north))) - 90),
        float(longitude + np.degrees(offset[0] / scale)),
        float(altitude + offset[2]),
    )
