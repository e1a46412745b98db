"""What the ground looks like: asphalt with its marks, kerbs, slabs, gravel and grass."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from scene3d.data.street.categories import Category
from scene3d.data.street.ground import KERB_WIDTH, Ground, Place
from scene3d.data.street.materials import band, mix
from scene3d.data.street.textures import Texture, sample

Array = np.ndarray

_MARK = (0.62, 0.62, 0.58)


def ground_colour(
    ground: Ground, place: Place, x: Array, y: Array, category: Array, footprint: Array, tint: Float[Array, "4 3"]
) -> Float[Array, "N 3"]:
    """Colour of points on the ground before light, linear RGB.

    Args:
        ground: the height field that the points lie on.
        place: their coordinates on the street.
        x: (N,) metres in the world.
        y: (N,) metres in the world.
        category: (N,) from `Ground.category`.
        footprint: (N,) size of a pixel on the ground, metres.
        tint: colours of asphalt, slabs, grass and gravel of this street.
    """
    albedo = np.zeros((len(x), 3), dtype=np.float32)
    broad = sample(Texture.CLOUDS, x, y, 17.0, footprint)
    for wanted, paint in (
        ((Category.ROAD,), _asphalt),
        ((Category.PARKING,), _parking),
        ((Category.SIDEWALK,), _slabs),
        ((Category.TERRAIN,), _grass),
        ((Category.OTHER_GROUND,), _gravel),
    ):
        mine = np.flatnonzero(np.isin(category, wanted))
        if len(mine):
            there = Place(*(getattr(place, name)[mine] for name in ("s", "l", "d", "row", "side", "smooth")))
            albedo[mine] = paint(ground, there, x[mine], y[mine], footprint[mine], broad[mine], tint)
    return np.clip(albedo, 0.01, 1)


def _asphalt(ground: Ground, p: Place, x: Array, y: Array, pixel: Array, broad: Array, tint: Array) -> Array:
    fine = sample(Texture.GRAIN, x, y, 3.1, pixel)
    # Tyres polish two tracks a lane; repairs leave darker patches.
    tracks = np.cos(np.abs(p.l) * 3.6) * 0.05
    patch = np.clip(sample(Texture.CLOUDS, x + 7, y * 0.6, 29.0, pixel) * 3 - 1.4, 0, 1)
    albedo = tint[0] * (1 + 0.42 * fine + 0.26 * broad + tracks - 0.25 * patch)[:, None]
    dirt = np.exp(np.minimum(p.d, 0) / 0.35)
    albedo = mix(albedo, (0.16, 0.15, 0.12), 0.4 * dirt)
    worn = np.clip(0.85 + 0.5 * fine + 0.4 * broad, 0.25, 1)
    return mix(albedo, _MARK, _marks(ground, p, pixel) * worn)


def _marks(ground: Ground, p: Place, pixel: Array) -> Array:
    """Weight of white paint: centre line, edge lines and zebra crossings."""
    profile = ground.profile
    style, zebra = profile.markings[p.row], profile.zebra[p.row]
    crossing = profile.crossing[p.side, p.row]
    open_road = (crossing > 1.5) & (np.abs(zebra) > 3.2)
    dash = np.where(style == 2, 1, band((p.s % 6.0) - 1.5, 1.5, pixel))
    centre = band(p.l, 0.06, pixel) * dash * (style > 0)
    edge = band(np.abs(p.l) - (profile.lane[p.side, p.row] - 0.25), 0.06, pixel) * (style == 3)
    stripes = band((p.l % 1.0) - 0.5, 0.25, pixel) * band(zebra, 2.0, pixel) * (p.d < -0.3)
    stop = band(zebra + 3.0, 0.2, pixel) * (p.l < 0) * (p.d < -0.2)
    return np.where(open_road, np.maximum(centre, edge), np.maximum(stripes, stop * (np.abs(zebra) < 4)))


def _parking(ground: Ground, p: Place, x: Array, y: Array, pixel: Array, broad: Array, tint: Array) -> Array:
    stones = sample(Texture.COBBLES, p.s, p.l, 2.0, pixel)
    albedo = tint[0] * np.array([1.18, 1.12, 1.05]) * (1 + 0.38 * stones + 0.25 * broad)[:, None]
    line = band((p.s % 6.0) - 3.0, 0.05, pixel)
    return mix(albedo, _MARK, 0.8 * line)


def _slabs(ground: Ground, p: Place, x: Array, y: Array, pixel: Array, broad: Array, tint: Array) -> Array:
    slabs = sample(Texture.SLABS, p.s, p.d, 2.0, pixel)
    fine = sample(Texture.GRAIN, x, y, 2.3, pixel)
    albedo = tint[1] * (1 + 0.26 * slabs + 0.24 * fine + 0.18 * broad)[:, None]
    kerb = (p.d < KERB_WIDTH) & (ground.profile.rise[p.side, p.row] > 0)
    joint = band((p.s % 1.0) - 0.5, 0.012, pixel)
    stone = np.array([0.42, 0.41, 0.39]) * (1 + 0.22 * fine + 0.15 * broad - 0.5 * joint)[:, None]
    return np.where(kerb[:, None], stone, albedo)


def _grass(ground: Ground, p: Place, x: Array, y: Array, pixel: Array, broad: Array, tint: Array) -> Array:
    blades = sample(Texture.GRASS, x, y, 2.7, pixel)
    tufts = sample(Texture.LEAVES, y, x, 8.3, pixel)
    albedo = tint[2] * (1 + 0.46 * blades + 0.34 * tufts + 0.15 * broad)[:, None]
    bare = np.clip(broad * 2.2 - 0.9 + 0.4 * tufts, 0, 1) * 0.75
    return mix(albedo, tint[3] * 0.75, bare)


def _gravel(ground: Ground, p: Place, x: Array, y: Array, pixel: Array, broad: Array, tint: Array) -> Array:
    stones = sample(Texture.COBBLES, x, y, 1.6, pixel)
    fine = sample(Texture.GRAIN, y, x, 2.9, pixel)
    return tint[3] * (1 + 0.28 * stones + 0.32 * fine + 0.25 * broad)[:, None]
