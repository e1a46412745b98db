"""The line a street follows, what lies across it, and the ground made from both."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from scene3d.data.street.categories import Category
from scene3d.data.street.ground import STEP, Ground, Profile
from scene3d.data.street.textures import Texture, sample

Array = np.ndarray

_SPACING = 0.5  # metres between points of the line
_MARGIN = 75.0  # metres of ground around the line
_STRIP = 2.3  # width of a strip of parked cars, metres


@dataclass(frozen=True, kw_only=True)
class Route:
    """A centre line of smooth bends: points every ``_SPACING`` metres.

    Attributes:
        start: s of the first point, metres.
        points: (S, 2) in the world.
        heading: (S,) radians, anticlockwise from x.
    """

    start: float
    points: Float[Array, "S 2"]
    heading: Float[Array, "S"]  # noqa: UP037

    @property
    def end(self) -> float:
        """S of the last point, metres."""
        return self.start + _SPACING * (len(self.points) - 1)

    def at(self, s: float, left: float = 0.0) -> tuple[float, float, float]:
        """World x and y of the point ``left`` metres to the left of the line, and the line's heading there."""
        place = (s - self.start) / _SPACING
        count = np.arange(len(self.points))
        x, y = (float(np.interp(place, count, self.points[:, i])) for i in (0, 1))
        heading = float(np.interp(place, count, self.heading))
        return x - left * np.sin(heading), y + left * np.cos(heading), heading

    def coordinates(self, points: Float[Array, "N 2"]) -> tuple[Array, Array]:
        """S and distance to the left of points of the plane."""
        from scipy.spatial import cKDTree

        _, nearest = cKDTree(self.points).query(points)
        away, heading = points - self.points[nearest], self.heading[nearest]
        cos, sin = np.cos(heading), np.sin(heading)
        s = self.start + _SPACING * nearest + away[:, 0] * cos + away[:, 1] * sin
        return s, away[:, 1] * cos - away[:, 0] * sin


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The choices that make one street unlike another.

    Attributes:
        style: of the plots: "town", "suburb", "country" or "works".
        half: (2,) width of the driving lanes right and left of the centre line, metres.
        crossings: (s, half width, reaches right, reaches left) of every side street.
        squares: (first s, last s, side) of every open place.
        strips: (first s, last s, side) of every strip of parked cars beside the lanes.
    """

    style: str
    half: tuple[float, float]
    crossings: list[tuple[float, float, bool, bool]]
    squares: list[tuple[float, float, int]]
    strips: list[tuple[float, float, int]]


def draw_route(rng: np.random.Generator, start: float, end: float) -> Route:
    """A line with up to four bends, none tighter than 45 m, that never turns back on itself."""
    s = np.arange(start, end + _SPACING, _SPACING)
    curvature = np.zeros_like(s)
    for _ in range(rng.integers(0, 5)):
        middle, width = rng.uniform(start, end), rng.uniform(12, 45)
        curvature += rng.uniform(-1, 1) / 45 * np.exp(-(((s - middle) / width) ** 2))
    heading = np.cumsum(np.clip(curvature, -1 / 45, 1 / 45)) * _SPACING
    heading *= min(1.0, 1.2 / max(np.abs(heading).max(), 1e-6))
    heading += rng.uniform(-np.pi, np.pi)
    steps = np.stack([np.cos(heading), np.sin(heading)], axis=1) * _SPACING
    points = np.cumsum(steps, axis=0)
    return Route(start=start, points=points - points[int(-start / _SPACING)], heading=heading)


def draw_plan(rng: np.random.Generator, start: float, end: float) -> Plan:
    """Width, crossings, squares and parking of a street."""
    style = str(rng.choice(["town", "suburb", "country", "works"], p=[0.32, 0.4, 0.16, 0.12]))
    low, high = {"town": (2.9, 5.6), "suburb": (2.5, 4.4), "country": (2.5, 3.8), "works": (3.4, 6.0)}[style]
    half = rng.uniform(low, high)
    crossings, s = [], start + rng.uniform(10, 70)
    while s < end:
        right, left = rng.random(2) < 0.65
        crossings.append((s, rng.uniform(2.6, 5.0), bool(right), bool(left or not right)))
        s += rng.uniform(35, 110)
    squares = [(s, s + rng.uniform(18, 45), int(rng.integers(2))) for s in rng.uniform(start, end, rng.integers(0, 4))]
    strips = []
    for side in (0, 1):
        s = start + rng.uniform(0, 40)
        while s < end and style != "country":
            length = rng.uniform(12, 50)
            if rng.random() < 0.6:
                strips.append((s, s + length, side))
            s += length + rng.uniform(8, 40)
    return Plan(
        style=style,
        half=(half * rng.uniform(0.9, 1.1), half * rng.uniform(0.9, 1.1)),
        crossings=crossings,
        squares=squares,
        strips=strips,
    )


def draw_profile(rng: np.random.Generator, plan: Plan, start: float, end: float) -> Profile:
    """Tables of what lies across the road along it."""
    s = np.arange(start, end, STEP)
    wave = 0.25 * np.sin(s / rng.uniform(14, 30) + rng.uniform(0, 6))
    lane = np.stack([plan.half[side] + wave for side in (0, 1)])
    kerb = lane.copy()
    for first, last, side in plan.strips:
        kerb[side] += _STRIP * np.clip(np.minimum(s - first, last - s) / 2.0, 0, 1)
    crossing = np.full((2, len(s)), 1e3)
    zebra = np.full(len(s), 1e3)
    for at, width, *sides in plan.crossings:
        for side in (0, 1):
            if sides[side]:
                crossing[side] = np.minimum(crossing[side], np.abs(s - at) - width)
        if rng.random() < 0.5:
            zebra = np.where(np.abs(s - (at - width - 4)) < np.abs(zebra), s - (at - width - 4), zebra)
    rise, walk, plot = np.zeros_like(lane), np.zeros_like(lane), np.zeros(lane.shape, dtype=np.int32)
    for side in (0, 1):
        first = start
        while first < end:
            last = first + rng.uniform(25, 90)
            here = (s >= first) & (s < last)
            paved = rng.random() < {"town": 0.97, "suburb": 0.75, "country": 0.12, "works": 0.7}[plan.style]
            walk[side, here] = rng.uniform(1.2, 3.6) if paved else 0
            rise[side, here] = rng.uniform(0.07, 0.17) if paved else rng.choice([0.0, 0.1])
            grass = rng.random() < {"town": 0.25, "suburb": 0.85, "country": 0.97, "works": 0.45}[plan.style]
            plot[side, here] = Category.TERRAIN if grass else Category.OTHER_GROUND
            first = last
    for first, last, side in plan.squares:
        plot[side, (s >= first) & (s < last)] = Category.OTHER_GROUND
    markings = np.full(len(s), rng.choice([0, 1, 2, 3]), dtype=np.int32)
    return Profile(
        start=start,
        kerb=kerb,
        lane=lane,
        crossing=crossing,
        rise=rise,
        sidewalk=walk,
        plot=plot,
        markings=markings,
        zebra=zebra,
    )


def make_ground(rng: np.random.Generator, route: Route, profile: Profile) -> Ground:
    """The height field: the road goes up and down, its banks rise or fall, open land is bumpy."""
    corner = np.floor(route.points.min(axis=0) - _MARGIN)
    columns, rows = np.ceil(route.points.max(axis=0) + _MARGIN - corner).astype(int) + 1
    x, y = np.meshgrid(corner[0] + np.arange(columns), corner[1] + np.arange(rows))
    s, left = route.coordinates(np.stack([x.reshape(-1), y.reshape(-1)], axis=1))
    height = rng.normal(0, 0.03) * s
    for _ in range(3):
        wave, steep = rng.uniform(50, 180), rng.uniform(0, 0.035)
        height += steep * wave / (2 * np.pi) * np.sin(2 * np.pi * s / wave + rng.uniform(0, 6.3))
    beyond = np.clip(np.abs(left) - 9, 0, 28)
    for side in (0, 1):
        mean, sway, wave = rng.normal(0.02, 0.07), rng.uniform(0, 0.05), rng.uniform(40, 120)
        bank = mean + sway * np.sin(2 * np.pi * s / wave + rng.uniform(0, 6.3))
        height += np.where((left > 0) == bool(side), bank * beyond, 0)
    still = np.zeros_like(s)
    bumps = sample(Texture.CLOUDS, x.reshape(-1), y.reshape(-1), 60.0, still + 2.0)
    height += 0.5 * bumps * np.clip(beyond / 8, 0, 1)
    # The camber lets water run to the kerbs.
    height -= 0.02 * np.minimum(np.abs(left), 6.0)
    raster = np.stack([s, left, height], axis=1).reshape(rows, columns, 3)
    return Ground(corner.astype(np.float64), raster, profile)
