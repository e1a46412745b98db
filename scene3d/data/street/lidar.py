"""A velodyne HDL-64 on the street's car: 64 rings of rays, their hits, and the scan as KITTI stores it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Integer

from scene3d.data.street import rig
from scene3d.data.street.render import cast
from scene3d.data.street.street import Street

Array = np.ndarray

RINGS = 64
HIGHEST, LOWEST = 2.0, -24.8
"""Elevation of the first and the last ring, degrees."""

FAR = 80.0
"""Metres; what is farther gives no return."""

RANGE_NOISE = 0.015
"""Standard deviation of a measured range, metres."""


@dataclass(frozen=True)
class Panorama:
    """What one turn of the laser met.

    Attributes:
        directions: (RINGS, A, 3) unit, velodyne axes; columns go counter-clockwise from straight ahead.
        distance: (RINGS, A) metres, exact; inf where nothing was met.
        ids: (RINGS, A) KITTI-360 ids of what was met.
    """

    directions: Float[Array, "R A 3"]
    distance: Float[Array, "R A"]
    ids: Integer[Array, "R A"]


def turn_once(street: Street, frame: int, azimuth_step: float) -> Panorama:
    """Cast all rays of one turn, at one instant.

    Args:
        street: what to look at.
        frame: when; the laser moves with the car's body.
        azimuth_step: degrees between columns; the real laser's is 0.17 at 10 turns a second.
    """
    columns = max(1, round(360 / azimuth_step))
    elevation = np.radians(np.linspace(HIGHEST, LOWEST, RINGS))[:, None]
    azimuth = (np.arange(columns) * (2 * np.pi / columns))[None, :]
    directions = np.stack(
        [
            np.cos(elevation) * np.cos(azimuth),
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation) + 0 * azimuth,
        ],
        axis=-1,
    )
    velo_to_world = street.body_to_world(frame) @ rig.velo_to_body
    rays = directions.reshape(-1, 3) @ velo_to_world[:3, :3].T
    origins = np.broadcast_to(velo_to_world[:3, 3], rays.shape)
    distance, ids = cast(street, frame, origins, rays, FAR)
    shape = directions.shape[:2]
    return Panorama(directions, np.asarray(distance).reshape(shape), np.asarray(ids).reshape(shape))


def scan_of(panorama: Panorama, noise_seed: tuple[int, ...]) -> Float[Array, "N 4"]:
    """The returns of a turn, float32: x, y, z in velodyne axes with noisy range, and reflectance."""
    random = np.random.default_rng(noise_seed)
    met = np.isfinite(panorama.distance)
    distance = panorama.distance[met] + RANGE_NOISE * random.standard_normal(int(met.sum()))
    # A fixed reflectance a class: enough for pictures, and no claim about materials.
    reflectance = (panorama.ids[met].astype(np.int64) * 37 % 64) / 100 + 0.04 * random.random(len(distance))
    points = panorama.directions[met] * distance[:, None]
    return np.concatenate([points, reflectance[:, None]], axis=1).astype("<f4")
