"""First hits of many rays with many solids, on numpy arrays.

Rays come in tiles of neighbours. A tile is first tried against every solid's ball, then against its box
made wider by what the tile spans; only the pairs left are tried ray by ray, near ones first, so that
what lies behind a full tile is never looked at.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from scene3d.data.street.shapes import Kind, Shapes, enter

Array = np.ndarray

_WIDE = 0.6  # radians; tiles wider than this skip the test of balls
_BATCHES = (2, 6, 16, 40, 1 << 30)  # ranks of solids, near to far, that are tried together
_CHUNK = 1 << 16  # rays tried at a time: what fits the cache


@dataclass(frozen=True)
class Tiles:
    """T tiles of K rays, relative to ``base``.

    Attributes:
        base: (3,) point of the world near the rays, so that float32 holds the rest.
        origin: (3, T, 1 or K) metres.
        direction: (3, T, 1 or K) unit vectors.
    """

    base: Float[Array, "3"]  # noqa: UP037
    origin: Float[Array, "3 T _"]
    direction: Float[Array, "3 T _"]

    @property
    def shape(self) -> tuple[int, int]:
        """(T, K)."""
        return self.origin.shape[1], max(self.origin.shape[2], self.direction.shape[2])


def first_hits(shapes: Shapes, tiles: Tiles, far: float) -> tuple[Float[Array, "T K"], Int[Array, "T K"]]:
    """Distance of the first solid along every ray, and its index; inf and -1 where there is none within ``far``."""
    t_count, k_count = tiles.shape
    distance = np.full(t_count * k_count, np.inf, dtype=np.float32)
    index = np.full(t_count * k_count, -1, dtype=np.int32)
    if len(shapes) == 0:
        return distance.reshape(t_count, k_count), index.reshape(t_count, k_count)
    tile, solid, near = _pairs(shapes, tiles, far)
    order = np.lexsort((near, tile))
    tile, solid, near = tile[order], solid[order], near[order]
    starts = np.searchsorted(tile, np.arange(t_count))
    rank = np.arange(len(tile)) - starts[tile]
    affine = shapes.world_to_local.astype(np.float32)
    offset = np.einsum("nij,nj->ni", shapes.world_to_local, shapes.centre - tiles.base).astype(np.float32)
    taper = shapes.taper.astype(np.float32)
    first = 0
    for last in _BATCHES:
        farthest = distance.reshape(t_count, k_count).max(axis=1)
        chosen = np.flatnonzero((rank >= first) & (rank < last) & (near < farthest[tile]))
        for kind in Kind:
            here = chosen[shapes.kind[solid[chosen]] == kind]
            for start in range(0, len(here), max(1, _CHUNK // k_count)):
                part = here[start : start + max(1, _CHUNK // k_count)]
                _try(kind, tile[part], solid[part], tiles, (affine, offset, taper), distance, index)
        first = last
    distance[distance > far] = np.inf
    index[np.isinf(distance)] = -1
    return distance.reshape(t_count, k_count), index.reshape(t_count, k_count)


def _try(
    kind: Kind,
    tile: Array,
    solid: Array,
    tiles: Tiles,
    placed: tuple[Array, Array, Array],
    distance: Array,
    index: Array,
) -> None:
    """Lower ``distance`` in place to the entries of these pairs of tile and solid."""
    affine, offset, taper = (values[solid] for values in placed)
    direction, origin = tiles.direction[:, tile], tiles.origin[:, tile]
    local_direction = [sum(affine[:, i, j, None] * direction[j] for j in range(3)) for i in range(3)]
    local_origin = [sum(affine[:, i, j, None] * origin[j] for j in range(3)) - offset[:, i, None] for i in range(3)]
    found = enter(kind, local_origin, local_direction, taper[:, None, :])
    k_count = tiles.shape[1]
    ray = tile[:, None] * k_count + np.arange(k_count)
    better = found < distance[ray]
    ray, found = ray[better], found[better]
    owner = np.broadcast_to(solid[:, None], better.shape)[better].astype(np.int32)
    np.minimum.at(distance, ray, found)
    won = found == distance[ray]
    index[ray[won]] = owner[won]


def _pairs(shapes: Shapes, tiles: Tiles, far: float) -> tuple[Array, Array, Array]:
    """Tiles and solids that may meet, and a distance before which they cannot."""
    axis, spread, origin, reach = _cones(tiles)
    near_enough = _before(shapes, tiles, far)
    centre = (shapes.centre[near_enough] - tiles.base).astype(np.float32)
    radius = shapes.radius[near_enough].astype(np.float32)
    tiles_met, solids_met = [], []
    chunk = max(1, 1_000_000 // max(1, len(radius)))
    for start in range(0, len(axis), chunk):
        rows = slice(start, start + chunk)
        a, o = axis[rows], origin[rows]
        along = a @ centre.T - (a * o).sum(axis=1)[:, None]
        apart = (o * o).sum(axis=1)[:, None] - 2 * o @ centre.T + (centre * centre).sum(axis=1)
        away = np.sqrt(np.maximum(apart, 0))
        slack = radius + reach[rows, None] + (away + radius) * spread[rows, None]
        meets = (apart - along * along <= slack * slack) & (along + slack >= 0) | (spread[rows, None] > _WIDE)
        t, n = np.nonzero(meets & (away - radius < far + reach[rows, None]))
        tiles_met.append(t + start)
        solids_met.append(near_enough[n])
    tile, solid = np.concatenate(tiles_met), np.concatenate(solids_met)
    near, meets = _widened_boxes(shapes, tiles, tile, solid, (axis, spread, origin, reach))
    return tile[meets], solid[meets], near[meets]


def _before(shapes: Shapes, tiles: Tiles, far: float) -> Array:
    """Solids that may lie within the one cone around all rays."""
    whole = Tiles(tiles.base, tiles.origin.reshape(3, 1, -1), tiles.direction.reshape(3, 1, -1))
    axis, chord, origin, reach = (values[0] for values in _cones(whole))
    from_origin = shapes.centre - tiles.base - origin
    away = np.linalg.norm(from_origin, axis=1)
    radius = shapes.radius + reach
    opening = 2 * np.arcsin(min(1.0, chord / 2)) + np.arcsin(np.minimum(1, radius / np.maximum(away, 1e-6)))
    inside = (from_origin @ axis >= away * np.cos(np.minimum(np.pi, opening + 1e-3))) | (away <= radius)
    return np.flatnonzero(inside & (away - radius < far))


def _cones(tiles: Tiles) -> tuple[Array, Array, Array, Array]:
    """Axis (T, 3), chord of the half angle (T,), mean origin (T, 3) and its radius (T,) of every tile."""
    axis = tiles.direction.mean(axis=2)
    axis = axis / np.maximum(np.linalg.norm(axis, axis=0), 1e-6)
    spread = np.linalg.norm(tiles.direction - axis[:, :, None], axis=0).max(axis=1)
    origin = tiles.origin.mean(axis=2)
    reach = np.linalg.norm(tiles.origin - origin[:, :, None], axis=0).max(axis=1)
    return axis.T, spread + np.float32(1e-6), origin.T, reach + np.float32(1e-4)


def _widened_boxes(
    shapes: Shapes, tiles: Tiles, tile: Array, solid: Array, cones: tuple[Array, Array, Array, Array]
) -> tuple[Array, Array]:
    """Where the axis of a tile enters the box of a solid, widened by how far its rays stray from that axis."""
    axis, spread, origin, reach = cones
    affine = shapes.world_to_local.astype(np.float32)[solid]
    centre = (shapes.centre - tiles.base).astype(np.float32)[solid]
    direction = np.einsum("pij,pj->pi", affine, axis[tile])
    from_centre = origin[tile] - centre
    start = np.einsum("pij,pj->pi", affine, from_centre)
    deepest = np.linalg.norm(from_centre, axis=1) + shapes.radius.astype(np.float32)[solid] + reach[tile]
    stray = reach[tile] + deepest * spread[tile]
    size = 1 + stray[:, None] / shapes.half.astype(np.float32)[solid]
    inverse = 1 / np.where(np.abs(direction) < 1e-9, np.float32(1e-9), direction)
    middle, half = -start * inverse, np.abs(inverse) * size
    near, leave = (middle - half).max(axis=1), (middle + half).min(axis=1)
    wide = spread[tile] > _WIDE
    meets = (near <= leave) & (leave > 0) | wide
    # The origins of a tile lie up to `reach` before or behind its mean, and so may their hits.
    return np.where(wide, 0, np.maximum(near - reach[tile], 0)), meets
