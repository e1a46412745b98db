"""What surfaces look like: colour before light, as a function of the place on the surface alone.

A colour is looked up in coordinates fixed to the object, so every camera sees the same point alike.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from jaxtyping import Float

from scene3d.data.street.textures import Texture, sample

Array = np.ndarray

SUNK = 2.0  # metres that buildings reach below the ground; their floors are counted from there


class Material(IntEnum):
    """What a solid is made of."""

    PLASTER = 0
    FACADE = 1
    BRICK_FACADE = 2
    OFFICE = 3
    ROOF = 4
    CONCRETE = 5
    WOOD = 6
    LEAVES = 7
    HEDGE = 8
    BARK = 9
    METAL = 10
    PAINT = 11
    CABIN = 12
    RUBBER = 13
    CLOTH = 14
    SIGN = 15
    STONES = 16
    CRATE = 17


# texture, its period (m), its contrast, contrast of the broad clouds, their period (m)
_TABLE: dict[Material, tuple[Texture, float, float, float, float]] = {
    Material.PLASTER: (Texture.GRAIN, 2.5, 0.22, 0.20, 7.0),
    Material.FACADE: (Texture.GRAIN, 2.5, 0.22, 0.20, 9.0),
    Material.BRICK_FACADE: (Texture.BRICK, 2.0, 0.30, 0.20, 9.0),
    Material.OFFICE: (Texture.SLABS, 3.0, 0.20, 0.18, 11.0),
    Material.ROOF: (Texture.TILES, 3.0, 0.36, 0.24, 6.0),
    Material.CONCRETE: (Texture.GRAIN, 3.0, 0.24, 0.20, 5.0),
    Material.WOOD: (Texture.PLANKS, 2.0, 0.30, 0.16, 4.0),
    Material.LEAVES: (Texture.LEAVES, 2.6, 0.62, 0.34, 4.5),
    Material.HEDGE: (Texture.LEAVES, 2.0, 0.58, 0.28, 3.5),
    Material.BARK: (Texture.PLANKS, 0.7, 0.30, 0.20, 2.0),
    Material.METAL: (Texture.GRAIN, 1.2, 0.18, 0.20, 2.0),
    Material.PAINT: (Texture.CLOUDS, 1.7, 0.16, 0.14, 3.0),
    Material.CABIN: (Texture.CLOUDS, 1.7, 0.16, 0.14, 3.0),
    Material.RUBBER: (Texture.GRAIN, 0.6, 0.20, 0.20, 1.0),
    Material.CLOTH: (Texture.CLOUDS, 0.6, 0.22, 0.14, 1.1),
    Material.SIGN: (Texture.GRAIN, 0.8, 0.06, 0.06, 1.5),
    Material.STONES: (Texture.COBBLES, 2.2, 0.30, 0.18, 5.0),
    Material.CRATE: (Texture.PLANKS, 1.4, 0.22, 0.20, 2.5),
}


def solid_colour(
    material: Array, metres: Array, half: Array, axis: Array, colour: Array, seed: Array, footprint: Array
) -> Float[Array, "N 3"]:
    """Colour of points on solids before light, linear RGB.

    Args:
        material: (N,) `Material` of each point.
        metres: (N, 3) coordinates in the solid's own axes, from its centre.
        half: (N, 3) half sizes of the solids, metres.
        axis: (N,) the solid's axis that the surface faces.
        colour: (N, 3) colour of the solids.
        seed: (N,) shifts the texture.
        footprint: (N,) size of a pixel on the surface, metres.
    """
    rows = [_TABLE[m] for m in Material]
    texture = np.array([row[0] for row in rows], dtype=np.int32)[material]
    period, fine, broad, cloud = np.array([row[1:] for row in rows], dtype=np.float32)[material].T
    u = np.where(axis == 0, metres[:, 1], metres[:, 0])
    v = np.where(axis == 2, metres[:, 1], metres[:, 2])
    shift = seed.astype(np.float32)
    detail = sample(texture, u + shift, v + shift * 3, period, footprint)
    # The third coordinate moves the clouds, so that opposite faces differ.
    depth = np.take_along_axis(metres, axis[:, None].astype(np.intp), axis=1)[:, 0]
    clouds = sample(Texture.CLOUDS, u + 0.31 * depth + 2 * shift, v + 0.17 * depth + shift, cloud, footprint)
    albedo = colour.astype(np.float32) * (1 + fine * detail + broad * clouds)[:, None]
    leafy = (material == Material.LEAVES) | (material == Material.HEDGE)
    albedo[leafy] *= 1 + clouds[leafy, None] * np.array([0.22, 0.02, -0.1], dtype=np.float32)
    for paint, wanted in (
        (_windows, (Material.FACADE, Material.BRICK_FACADE, Material.OFFICE)),
        (_cabin, (Material.CABIN,)),
        (_bodywork, (Material.PAINT,)),
        (_sign, (Material.SIGN,)),
    ):
        mine = np.flatnonzero(np.isin(material, wanted))
        if len(mine):
            facts = (material[mine], metres[mine], half[mine], axis[mine], u[mine], seed[mine], footprint[mine])
            albedo[mine] = paint(albedo[mine], *facts)
    return np.clip(albedo, 0.01, 1)


def band(x: Array, half_width: Array | float, footprint: Array | float) -> Array:
    """1 where ``|x|`` is below a half width, 0 outside, with an edge as soft as a pixel is wide."""
    return np.clip((half_width - np.abs(x)) / np.maximum(footprint, 1e-3) + 0.5, 0, 1)


def mix(albedo: Array, colour: Array | tuple[float, float, float], weight: Array) -> Array:
    """``albedo`` with ``colour`` laid over it."""
    return albedo + weight[:, None] * (np.asarray(colour, dtype=np.float32) - albedo)


def _hash(*values: Array) -> Array:
    """A fixed number in [0, 1) for each tuple of integers or seeds."""
    mixed = sum(value * factor for value, factor in zip(values, (12.9898, 78.233, 37.719), strict=False))
    scattered = np.sin(mixed) * 43758.5453
    return (scattered - np.floor(scattered)).astype(np.float32)


def _windows(albedo: Array, material: Array, metres: Array, half: Array, axis: Array, u: Array, *rest: Array) -> Array:
    """Rows of windows with frames, some with curtains; a plinth at the foot of the wall."""
    seed, footprint = rest
    office = material == Material.OFFICE
    floor_height = np.where(office, 3.3, 2.75 + 0.4 * _hash(seed))
    pitch = np.where(office, 1.6, 1.9 + 1.3 * _hash(seed, seed * 2))
    height = metres[:, 2] + half[:, 2] - SUNK
    side = np.where(axis == 0, half[:, 1], half[:, 0])
    count = np.maximum(np.floor(2 * side / pitch), 1)
    pitch = 2 * side / count
    column, row = np.floor((u + side) / pitch), np.floor(height / floor_height)
    across = (u + side) - (column + 0.5) * pitch
    up = height - (row + 0.52) * floor_height
    wide = np.where(office, 0.42 * pitch, (0.22 + 0.08 * _hash(seed * 3)) * pitch)
    tall = np.where(office, 0.36, 0.24 + 0.05 * _hash(seed * 5)) * floor_height
    there = ((axis != 2) & (height > 0.3) & (height < 2 * half[:, 2] - SUNK - 0.3)).astype(np.float32)
    there *= office | (_hash(column + 0.5, row * 3 + 0.25, seed) > 0.12)
    frame = band(across, wide + 0.09, footprint) * band(up, tall + 0.09, footprint) * there
    glass = band(across, wide, footprint) * band(up, tall, footprint) * there
    glass = glass * (1 - 0.8 * band(across, 0.035, footprint))
    shade = _hash(column, row, seed)
    pane = np.array([0.05, 0.07, 0.10]) + (0.16 * shade * (0.4 + up / (2 * tall)))[:, None]
    curtain = ((shade > 0.6) & (np.abs(across) > 0.45 * wide))[:, None]
    pane = np.where(curtain, np.array([0.45, 0.43, 0.38]), pane)
    albedo = mix(albedo, (0.62, 0.60, 0.56), frame * (0.35 + 0.6 * (shade > 0.3)))
    albedo = mix(albedo, pane, glass)
    plinth = np.clip((0.55 - height) / np.maximum(footprint, 0.02) + 0.5, 0, 1)
    return albedo * (1 - 0.35 * plinth * (axis != 2))[:, None]


def _cabin(albedo: Array, _: Array, metres: Array, half: Array, axis: Array, *rest: Array) -> Array:
    """Glass all round a car's upper half, between painted pillars."""
    _, _, footprint = rest
    glass = band(metres[:, 2] / half[:, 2], 0.78, footprint / half[:, 2]) * (axis != 2)
    pillar = np.where(axis == 1, band(metres[:, 0] - 0.1 * half[:, 0], 0.05, footprint), 0)
    tint = np.array([0.04, 0.05, 0.06]) + 0.10 * np.clip(metres[:, 2:] / half[:, 2:], -0.5, 1) ** 2
    return mix(albedo, tint, glass * (1 - pillar) * 0.93)


def _bodywork(albedo: Array, _: Array, metres: Array, half: Array, axis: Array, *rest: Array) -> Array:
    """Lights at both ends, a dark sill, doors and a bumper."""
    _, _, footprint = rest
    x, y, z = (metres / half).T
    low = np.clip((-0.72 - z) * half[:, 2] / np.maximum(footprint, 0.01) + 0.5, 0, 1) * (axis != 2)
    albedo = mix(albedo, (0.03, 0.03, 0.035), 0.85 * low)
    lamp = (
        (axis == 0) * band(np.abs(y) - 0.74, 0.2, footprint / half[:, 1]) * band(z - 0.25, 0.28, footprint / half[:, 2])
    )
    albedo = mix(albedo, np.where(x[:, None] > 0, (0.75, 0.75, 0.7), (0.5, 0.03, 0.03)), lamp)
    plate = (axis == 0) * band(y, 0.3, footprint / half[:, 1]) * band(z + 0.25, 0.13, footprint / half[:, 2])
    albedo = mix(albedo, (0.7, 0.7, 0.66), plate)
    gap = (axis == 1) * np.maximum(band(x - 0.33, 0.006, 0.02), band(x + 0.22, 0.006, 0.02))
    return albedo * (1 - 0.5 * gap)[:, None].astype(np.float32)


def _sign(albedo: Array, _: Array, metres: Array, half: Array, axis: Array, *rest: Array) -> Array:
    """A rim, and a white field or a bar within."""
    _, seed, footprint = rest
    across = np.maximum(np.abs(metres[:, 1]) / half[:, 1], np.abs(metres[:, 2]) / half[:, 2])
    field = band(across, 0.72, footprint / half[:, 1])
    bar = band(metres[:, 2] / half[:, 2], 0.18, footprint / half[:, 2]) * band(metres[:, 1] / half[:, 1], 0.55, 0.05)
    white = np.array([0.8, 0.8, 0.78])
    face = mix(albedo, white, field * (_hash(seed) > 0.4))
    return np.where((axis == 0)[:, None], mix(face, np.where(_hash(seed)[:, None] > 0.4, 0.05, 0.8), bar), 0.35)
