"""The ground: road, kerbs, sidewalks and terrain along a bending street, as one height field.

Far from the kerbs the ground is smooth and read from a raster of one metre; the step of the kerb is added
from tables along the road, where it stays sharp.

    l (left +) ^        plot
               |  ----- sidewalk -----
               |  ===== kerb =========        d > 0: metres outside of the carriageway
               |        road                  d < 0
               +------------------------> s   along the centre line, metres
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from scene3d.data.street.categories import Category

Array = np.ndarray

KERB_WIDTH = 0.15  # metres
_KERB_RAMP = 0.05  # metres over which the kerb rises
_CORNER = 4.0  # radius of the corners at crossings, metres
_CELL = 1.0  # of the raster, metres
STEP = 0.05  # of the tables along s, metres


@dataclass(frozen=True, kw_only=True)
class Profile:
    """What lies across the road at every ``STEP`` along it; side 0 is right, 1 is left.

    Attributes:
        start: s of the first row, metres.
        kerb: (2, S) distance from the centre line to the kerb.
        lane: (2, S) distance from the centre line to the edge of the driving lanes; parking lies beyond it.
        crossing: (2, S) distance to the edge of the nearest side street, negative on it.
        rise: (2, S) height of the kerb; 0 is no kerb.
        sidewalk: (2, S) width of the sidewalk; 0 is none.
        plot: (2, S) `Category` of the ground beyond the sidewalk.
        markings: (S,) style of the lane marks: 0 none, 1 dashed centre, 2 solid centre, 3 with edge lines.
        zebra: (S,) distance along s to the middle of the nearest zebra crossing.
    """

    start: float
    kerb: Float[Array, "2 S"]
    lane: Float[Array, "2 S"]
    crossing: Float[Array, "2 S"]
    rise: Float[Array, "2 S"]
    sidewalk: Float[Array, "2 S"]
    plot: Int[Array, "2 S"]
    markings: Int[Array, "S"]  # noqa: UP037
    zebra: Float[Array, "S"]  # noqa: UP037


@dataclass(frozen=True)
class Place:
    """Where points lie on the street, each (N,): along and across the road, and beyond its edge.

    Attributes:
        s: along the centre line, metres.
        l: to the left of it, metres.
        d: outside of the carriageway (positive) or inside, metres.
        row: row of the profile's tables.
        side: 0 right, 1 left.
        smooth: height without the kerb, metres.
    """

    s: Array
    l: Array  # noqa: E741
    d: Array
    row: Array
    side: Array
    smooth: Array


class Ground:
    """A height field over the plane, with the street's coordinates at every point.

    Args:
        corner: (2,) x and y of the raster's first node.
        raster: (Y, X, 3) s, l and smooth height at its nodes.
        profile: what lies across the road.
    """

    def __init__(self, corner: Float[Array, "2"], raster: Float[Array, "Y X 3"], profile: Profile) -> None:  # noqa: UP037
        self.corner = corner
        self.profile = profile
        self._shape = raster.shape[:2]
        height = np.ascontiguousarray(raster[..., 2])
        slope_y, slope_x = np.gradient(height, _CELL)
        left_y, left_x = np.gradient(raster[..., 1], _CELL)
        self._height = height.astype(np.float32).reshape(-1)
        self._place = raster.astype(np.float32).reshape(-1, 3)
        self._slopes = np.stack([slope_x, slope_y, left_x, left_y], axis=-1).astype(np.float32).reshape(-1, 4)
        slopes = [np.diff(table, axis=1, append=table[:, -1:]) for table in (profile.kerb, profile.crossing)]
        edge = np.stack([profile.kerb, profile.crossing, *slopes], axis=-1)
        self._edge = edge.astype(np.float32).reshape(-1, 4)
        self._rise = profile.rise.astype(np.float32).reshape(-1)
        self._rows = profile.kerb.shape[1]

    def smooth(self, x: Float[Array, "N"], y: Float[Array, "N"]) -> Float[Array, "N"]:  # noqa: UP037
        """Height without the kerbs."""
        return self._read(self._height, x, y)

    def place(self, x: Float[Array, "N"], y: Float[Array, "N"]) -> Place:  # noqa: UP037
        """Coordinates on the street of points of the plane."""
        s, left, smooth = self._read(self._place, x, y).T
        side = (left > 0).astype(np.int32)
        along_rows = np.clip((s - np.float32(self.profile.start)) / np.float32(STEP), 0, self._rows - 1)
        row = along_rows.astype(np.int32)
        edge = self._edge.take(side * self._rows + row, axis=0)
        edge[:, :2] += (along_rows - row)[:, None] * edge[:, 2:]
        beyond, along = np.abs(left) - edge[:, 0], edge[:, 1]
        inner, other = np.maximum(_CORNER - beyond, 0), np.maximum(_CORNER - along, 0)
        corner = _CORNER - np.hypot(inner, other)
        d = np.where((inner > 0) & (other > 0), corner, np.minimum(beyond, along))
        return Place(s, left, d, row, side, smooth)

    def height(self, x: Float[Array, "N"], y: Float[Array, "N"]) -> Float[Array, "N"]:  # noqa: UP037
        """Height of the ground, kerbs included, metres."""
        place = self.place(x, y)
        return place.smooth + self.step(place)

    def step(self, place: Place) -> Float[Array, "N"]:  # noqa: UP037
        """Height that the kerb adds."""
        rise = self._rise.take(place.side * self._rows + place.row)
        return rise * np.clip(place.d / _KERB_RAMP, 0, 1)

    def normal(self, x: Float[Array, "N"], y: Float[Array, "N"], place: Place) -> Float[Array, "N 3"]:  # noqa: UP037
        """Unit normal, upwards; on the face of a kerb it leans towards the road."""
        slopes = self._read(self._slopes, x, y)
        rise = self._rise.take(place.side * self._rows + place.row)
        on_face = (place.d > 0) & (place.d < _KERB_RAMP)
        lean = np.where(on_face, rise / _KERB_RAMP, 0) * np.sign(place.l)
        normal = np.stack(
            [-slopes[:, 0] - lean * slopes[:, 2], -slopes[:, 1] - lean * slopes[:, 3], np.ones_like(lean)], axis=1
        )
        return normal / np.linalg.norm(normal, axis=1, keepdims=True)

    def category(self, place: Place) -> Int[Array, "N"]:  # noqa: UP037
        """`Category` of the ground at each place."""
        p, at = self.profile, (place.side, place.row)
        walk = (place.d < p.sidewalk[at]) | (place.d < KERB_WIDTH) & (p.rise[at] > 0)
        outside = np.where(walk, int(Category.SIDEWALK), p.plot[at])
        parked = (np.abs(place.l) > p.lane[at] + 0.1) & (p.crossing[at] > 0)
        inside = np.where(parked, int(Category.PARKING), int(Category.ROAD))
        return np.where(place.d > 0, outside, inside)

    def _read(self, values: Array, x: Array, y: Array) -> Array:
        """Bilinear reading of a raster; beyond its border it goes on as at the border."""
        rows, columns = self._shape
        gx = np.clip((x - np.float32(self.corner[0])) / np.float32(_CELL), 0, np.float32(columns - 1.001))
        gy = np.clip((y - np.float32(self.corner[1])) / np.float32(_CELL), 0, np.float32(rows - 1.001))
        ix, iy = gx.astype(np.int32), gy.astype(np.int32)
        fx, fy = gx - ix, gy - iy
        if values.ndim == 2:
            fx, fy = fx[:, None], fy[:, None]
        at = iy * columns + ix
        near = values.take(at, axis=0)
        near += fx * (values.take(at + 1, axis=0) - near)
        far = values.take(at + columns, axis=0)
        far += fx * (values.take(at + columns + 1, axis=0) - far)
        return near + fy * (far - near)


def first_ground(
    ground: Ground, origin: Float[Array, "N 3"], direction: Float[Array, "N 3"], low: Array, high: Array
) -> Float[Array, "N"]:  # noqa: UP037
    """Distance at which rays meet the ground between ``low`` and ``high`` metres along them, else inf.

    Height above the ground divided by distance is linear in inverse distance over a plane, so a secant
    in inverse distance needs few steps; the Illinois rule keeps the bracket shrinking at the kerbs.
    """
    x, y, z = (np.ascontiguousarray(origin[:, i], dtype=np.float32) for i in range(3))
    dx, dy, dz = (np.ascontiguousarray(direction[:, i], dtype=np.float32) for i in range(3))

    def above(near: Array, rows: Array) -> Array:
        t = 1 / near
        return (z[rows] + t * dz[rows] - ground.height(x[rows] + t * dx[rows], y[rows] + t * dy[rows])) * near

    a, b = (1 / np.asarray(low, np.float32)), (1 / np.asarray(high, np.float32))
    rows = np.arange(len(x))
    fa, fb = above(a, rows), above(b, rows)
    found = np.full(len(x), np.inf, dtype=np.float32)
    keep = (fa > 0) & (fb <= 0)
    rows, a, b, fa, fb = rows[keep], a[keep], b[keep], fa[keep], fb[keep]
    last = np.zeros(len(rows), dtype=np.int8)
    for step in range(14):
        if len(rows) == 0:
            break
        middle = b - fb * (a - b) / (fa - fb) if step % 5 != 4 else (a + b) / 2
        value = above(middle, rows)
        done = np.abs(value) < 0.0005 * middle
        found[rows[done]] = 1 / middle[done]
        upper = value > 0
        fb = np.where(upper & (last == 1), fb * 0.5, fb)
        fa = np.where(~upper & (last == -1), fa * 0.5, fa)
        a, fa = np.where(upper, middle, a), np.where(upper, value, fa)
        b, fb = np.where(upper, b, middle), np.where(upper, fb, value)
        last = np.where(upper, 1, -1).astype(np.int8)
        left = ~done
        rows, a, b, fa, fb, last = rows[left], a[left], b[left], fa[left], fb[left], last[left]
    found[rows] = 2 / (a + b)
    return found


def march(
    ground: Ground, origin: Float[Array, "N 3"], direction: Float[Array, "N 3"], far: float, growth: float = 1.18
) -> tuple[Float[Array, "N"], Float[Array, "N"]]:  # noqa: UP037
    """Distances between which rays go under the smooth ground: (far, far) where they stay above it."""
    low = np.full(len(origin), far, dtype=np.float32)
    high = np.full(len(origin), far, dtype=np.float32)
    # A ray that climbs faster than any slope of the street meets no ground.
    rows = np.flatnonzero(direction[:, 2] < 0.25)
    start, direction = origin[rows], direction[rows]
    before, now = np.float32(0.3), np.float32(0.8)
    while now < far and len(rows):
        points = start + now * direction
        room = points[:, 2] - ground.smooth(points[:, 0], points[:, 1])
        near = rows[room < 0.3]
        low[near] = np.minimum(low[near], before)
        under = room < 0
        high[rows[under]] = now
        rows, start, direction = rows[~under], start[~under], direction[~under]
        before, now = now, now * np.float32(growth)
    return low, high
