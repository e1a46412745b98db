"""Where the car goes, who moves along with it, and the light of the day."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from scene3d.data.street import objects
from scene3d.data.street.shapes import assemble
from scene3d.data.street.site import Site
from scene3d.data.street.street import Light, Mover, StreetConfig

Array = np.ndarray
Rng = np.random.Generator

_WHEELBASE = 2.7  # metres


def draw_bodies(rng: Rng, site: Site, stations: Float[Array, "F"]) -> tuple[Array, Array]:  # noqa: UP037
    """Transforms body_to_world (F, 4, 4), and metres to the left of the centre line (F,).

    The car keeps right, sways within its lane, yaws, pitches and rolls a little; its height is its own.
    """
    half = site.plan.half[0]
    mean = -float(np.clip(rng.uniform(0.3, 0.55) * half, 0.3, half - 1.2))
    sway, wave, phase = rng.uniform(0, 0.35), rng.uniform(25, 70), rng.uniform(0, 6.3)
    lefts = np.clip(mean + sway * np.sin(stations / wave * 2 * np.pi + phase), -(half - 1.1), 1.0)
    leaning = sway / wave * 2 * np.pi * np.cos(stations / wave * 2 * np.pi + phase)
    height, yaw_bias = rng.uniform(0.80, 1.12), rng.normal(0, 0.02)
    pitch_bias, roll_bias = rng.normal(0, 0.012), rng.normal(0, 0.012)
    bodies = []
    for s, left, lean in zip(stations, lefts, leaning, strict=True):
        x, y, heading = site.route.at(float(s), float(left))
        yaw = heading + lean + yaw_bias + rng.normal(0, 0.002)
        forward, side = np.array([np.cos(yaw), np.sin(yaw)]), np.array([np.sin(yaw), -np.cos(yaw)])
        around = np.array([[x, y]]) + np.array([1, -1, 0, 0])[:, None] * forward * _WHEELBASE / 2
        around += np.array([0, 0, 1, -1])[:, None] * side * 0.8
        front, rear, right, far_left = site.ground.smooth(around[:, 0], around[:, 1]).astype(np.float64)
        pitch = (front - rear) / _WHEELBASE + pitch_bias + rng.normal(0, 0.002)
        roll = (right - far_left) / 1.6 + roll_bias + rng.normal(0, 0.002)
        bodies.append(_frame(forward, side, pitch, roll, np.array([x, y, (front + rear) / 2 + height])))
    return np.stack(bodies), lefts


def _frame(forward: Array, side: Array, pitch: float, roll: float, position: Array) -> Array:
    ahead = np.array([*forward, pitch])
    ahead /= np.linalg.norm(ahead)
    right = np.array([*side, roll])
    right -= ahead * (right @ ahead)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([ahead, right, np.cross(ahead, right)], axis=1)
    matrix[:3, 3] = position
    return matrix


def draw_movers(rng: Rng, site: Site, config: StreetConfig, stations: Array, lefts: Array) -> tuple[Mover, ...]:
    """Cars that come, a car ahead, cyclists at the right edge, people on the sidewalks."""
    movers = []
    pace = float(np.diff(stations).mean()) if len(stations) > 1 else 1.0
    lane = 0.52 * site.plan.half[1]
    s = rng.uniform(15, 60)
    while s < 2.5 * site.route.end:
        if rng.random() < 0.6 * config.traffic:
            parts = objects.truck(rng) if rng.random() < 0.12 else objects.car(rng)
            movers.append(Mover(assemble(parts, rng), s, max(lane, 1.25), -0.9 * pace))
        s += rng.uniform(16, 70)
    if rng.random() < 0.35 * config.traffic:
        movers.append(Mover(assemble(objects.car(rng), rng), rng.uniform(14, 35), float(lefts.mean()), 1.03 * pace))
    if rng.random() < 0.3 * config.traffic:
        edge = -(site.plan.half[0] - 0.45)
        movers.append(Mover(assemble(objects.cyclist(rng), rng), rng.uniform(12, 60), edge, 0.75 * pace))
    for _ in range(rng.poisson(6 * config.traffic)):
        side, s = int(rng.integers(2)), rng.uniform(-10, site.route.end - 10)
        away = site.kerb(side, s, 8.0) + max(0.6, site.walk(side, s) * rng.uniform(0.3, 0.8))
        speed = rng.uniform(0.10, 0.2) * rng.choice([-1, 1])
        movers.append(Mover(assemble(objects.person(rng), rng), s, away if side else -away, speed))
    return tuple(movers)


def draw_light(rng: Rng) -> Light:
    """A sunny or hazy day, the sun 22 to 55 degrees high."""
    high, around, haze = np.radians(rng.uniform(22, 55)), rng.uniform(-np.pi, np.pi), rng.uniform(0, 1)
    sun = np.array([np.cos(high) * np.cos(around), np.cos(high) * np.sin(around), np.sin(high)])
    ground = np.array([[0.13, 0.13, 0.135], [0.31, 0.29, 0.265], [0.13, 0.19, 0.055], [0.34, 0.29, 0.22]])
    ground = ground * rng.uniform(0.75, 1.35, (4, 1)) * rng.uniform(0.95, 1.05, (4, 3))
    return Light(
        towards_sun=sun,
        sun=np.array([1.0, 0.93, 0.82]) * (2.3 - 1.2 * haze),
        sky=np.array([0.62, 0.72, 0.9]) * (0.62 + 0.35 * haze),
        zenith=np.array([0.16, 0.32, 0.68]) * (1 - 0.2 * haze) + 0.25 * haze,
        horizon=np.array([0.72, 0.80, 0.88]),
        clouds=np.array([*rng.uniform(0, 9, 2), rng.uniform(-0.5, 0.6)]),
        ground=ground,
    )
