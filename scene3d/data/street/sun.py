"""Cast shadows: how far up, towards the sun, the topmost solid lies over a plane across the sun's rays."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from scene3d.data.street.shapes import Shapes
from scene3d.data.street.tracing import Tiles, first_hits

Array = np.ndarray

_CELL = 0.12  # metres
_EDGE = 8  # cells along the side of a tile
_BIAS = 0.10  # metres that a shadow must lie below its solid


@dataclass(frozen=True)
class SunMap:
    """Heights towards the sun on a grid across its rays.

    Attributes:
        axes: (3, 3) rows: two directions across the sun's rays, then the one towards the sun.
        corner: (2,) of the grid along the first two axes, metres.
        top: (V, U) coordinate of the topmost surface along the third axis; -inf where there is none.
    """

    axes: Float[Array, "3 3"]
    corner: Float[Array, "2"]  # noqa: UP037
    top: Float[Array, "V U"]

    def lit(self, points: Float[Array, "N 3"], normals: Float[Array, "N 3"]) -> Float[Array, "N"]:  # noqa: UP037
        """Share of the sun that reaches points on surfaces, in [0, 1]; 1 beyond the map."""
        u, v, w = ((points + 0.06 * normals) @ self.axes.T).astype(np.float32).T
        gu, gv = (u - self.corner[0]) / _CELL - 0.5, (v - self.corner[1]) / _CELL - 0.5
        rows, columns = self.top.shape
        inside = (gu > 0) & (gv > 0) & (gu < columns - 1) & (gv < rows - 1)
        iu, iv = np.clip(gu, 0, columns - 2).astype(np.int32), np.clip(gv, 0, rows - 2).astype(np.int32)
        fu, fv = gu - iu, gv - iv
        at, top, floor = iv * columns + iu, self.top.reshape(-1), w + np.float32(_BIAS)
        taps = [(top.take(at + step) < floor).astype(np.float32) for step in (0, 1, columns, columns + 1)]
        near = taps[0] + fu * (taps[1] - taps[0])
        far = taps[2] + fu * (taps[3] - taps[2])
        return np.where(inside, near + fv * (far - near), 1).astype(np.float32)

    def under(self, shapes: Shapes) -> SunMap:
        """The map with more solids in the way."""
        if len(shapes) == 0:
            return self
        centre = shapes.centre @ self.axes.T
        reach = shapes.radius + 2 * _CELL
        rows, columns = (n // _EDGE for n in self.top.shape)
        wanted = np.zeros((rows, columns), dtype=bool)
        for (u, v, _), r in zip(centre, reach, strict=True):
            low = np.floor((np.array([u, v]) - r - self.corner) / (_CELL * _EDGE)).astype(int).clip(0)
            high = np.ceil((np.array([u, v]) + r - self.corner) / (_CELL * _EDGE)).astype(int).clip(0)
            wanted[low[1] : high[1], low[0] : high[0]] = True
        tile_v, tile_u = np.nonzero(wanted)
        if len(tile_u) == 0:
            return self
        inner = np.stack(np.meshgrid(np.arange(_EDGE), np.arange(_EDGE)), axis=0).reshape(2, 1, -1)
        cells = np.stack([tile_u, tile_v])[:, :, None] * _EDGE + inner
        across = self.corner[:, None, None] + (cells + 0.5) * _CELL
        height = centre[:, 2].max() + reach.max()
        origin = np.tensordot(self.axes[:2].T, across, axes=1) + (height * self.axes[2])[:, None, None]
        base = origin.reshape(3, -1).mean(axis=1)
        direction = np.broadcast_to(-self.axes[2][:, None, None], (3, len(tile_u), 1))
        tiles = Tiles(base, (origin - base[:, None, None]).astype(np.float32), direction.astype(np.float32))
        distance, _ = first_hits(shapes, tiles, 1e4)
        top = self.top.copy()
        spot = (cells[1], cells[0])
        top[spot] = np.maximum(top[spot], (height - distance).astype(np.float32))
        return replace(self, top=top)


def empty_map(towards_sun: Float[Array, "3"], region: Float[Array, "N 3"]) -> SunMap:  # noqa: UP037
    """A map without solids, wide enough for the points of a region."""
    side = np.cross([0.0, 0.0, 1.0], towards_sun)
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(towards_sun, side), towards_sun])
    flat = region @ axes[:2].T
    corner = flat.min(axis=0)
    columns, rows = (np.ceil((flat.max(axis=0) - corner) / (_CELL * _EDGE)).astype(int) + 1) * _EDGE
    return SunMap(axes, corner, np.full((rows, columns), -np.inf, dtype=np.float32))
