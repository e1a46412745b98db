"""Buildings and street furniture, each a list of parts in its own axes: x along the road, y away from it, foot at 0."""

from __future__ import annotations

import numpy as np

from scene3d.data.street.categories import Category
from scene3d.data.street.materials import SUNK, Material
from scene3d.data.street.parts import STEEL, WALLS, Colour, Rng, box, pick, rod
from scene3d.data.street.shapes import Kind, Part, about_y

_ROOFS: tuple[Colour, ...] = ((0.34, 0.13, 0.08), (0.22, 0.12, 0.10), (0.13, 0.13, 0.14), (0.28, 0.20, 0.15))
_RED: Colour = (0.5, 0.03, 0.03)
_BLUE: Colour = (0.03, 0.12, 0.45)
_GREEN: Colour = (0.05, 0.25, 0.1)


def house(rng: Rng, wide: float, deep: float) -> list[Part]:
    """A house with a pitched roof, its front at y = 0."""
    tall, rise, kind = (
        rng.choice([3.2, 5.8, 6.2, 8.6]) * rng.uniform(0.95, 1.1),
        rng.uniform(1.5, 3.6),
        Category.BUILDING,
    )
    wall, roof = pick(rng, WALLS), pick(rng, _ROOFS)
    skin = Material.BRICK_FACADE if rng.random() < 0.35 else Material.FACADE
    gable_to_road, over = rng.random() < 0.35, 0.35
    taper = (0.99, 0.0) if gable_to_road else (0.0, 0.99)
    if rng.random() < 0.25:
        taper = (0.55, 0.99)
    parts = [
        box((-wide / 2, 0, -SUNK), (wide / 2, deep, tall), kind, skin, wall),
        box(
            (-wide / 2 - over, -over, tall - 0.05),
            (wide / 2 + over, deep + over, tall + rise),
            kind,
            Material.ROOF,
            roof,
            taper,
        ),
    ]
    x, y = rng.uniform(-0.3, 0.3) * wide, deep * rng.uniform(0.4, 0.6)
    parts.append(
        box((x - 0.3, y - 0.3, tall), (x + 0.3, y + 0.3, tall + rise + 0.6), kind, Material.STONES, (0.35, 0.22, 0.17))
    )
    door = rng.uniform(-0.35, 0.35) * wide
    parts.append(box((door - 0.55, -0.06, -SUNK), (door + 0.55, 0.1, 2.1), kind, Material.WOOD, pick(rng, _ROOFS)))
    if rng.random() < 0.5:
        parts.append(box((door - 0.9, -1.1, 2.25), (door + 0.9, 0.1, 2.45), kind, Material.PLASTER, pick(rng, WALLS)))
    return parts


def block(rng: Rng, wide: float, deep: float) -> list[Part]:
    """A town house or office with a flat roof, its front at y = 0."""
    tall, kind = rng.uniform(8, 20), Category.BUILDING
    wall = pick(rng, WALLS)
    skin = (Material.FACADE, Material.BRICK_FACADE, Material.OFFICE)[rng.integers(3)]
    parts = [
        box((-wide / 2, 0, -SUNK), (wide / 2, deep, tall), kind, skin, wall),
        box(
            (-wide / 2 - 0.15, -0.25, tall),
            (wide / 2 + 0.15, deep + 0.25, tall + 0.5),
            kind,
            Material.CONCRETE,
            pick(rng, WALLS),
        ),
        box((-wide / 2, -0.12, 3.0), (wide / 2, 0.05, 3.35), kind, Material.CONCRETE, pick(rng, WALLS)),
    ]
    if rng.random() < 0.5:
        for floor in range(1, int(tall // 3)):
            x = rng.uniform(-0.3, 0.3) * wide
            low, high = (x - 1.4, -1.0, 3.0 * floor), (x + 1.4, 0.1, 3.0 * floor + 1.0)
            parts.append(box(low, high, kind, Material.CONCRETE, pick(rng, WALLS)))
    return parts


def shed(rng: Rng, wide: float, deep: float) -> list[Part]:
    """A garage or a hall with a low roof."""
    tall, kind = rng.uniform(2.4, 4.5), Category.BUILDING
    skin = (Material.WOOD, Material.PLASTER, Material.CRATE)[rng.integers(3)]
    return [
        box((-wide / 2, 0, -SUNK), (wide / 2, deep, tall), kind, skin, pick(rng, WALLS)),
        box(
            (-wide / 2 - 0.2, -0.3, tall - 0.02),
            (wide / 2 + 0.2, deep + 0.2, tall + 0.7),
            kind,
            Material.ROOF,
            pick(rng, _ROOFS),
            (0.0, 0.7),
        ),
    ]


def lamp_post(rng: Rng) -> list[Part]:
    """A street lamp whose arm reaches over the road (towards -y)."""
    tall, arm = rng.uniform(5.5, 8.5), rng.uniform(0.6, 1.8)
    return [
        rod((0, 0, -0.5), (0, 0, tall), 0.08, Category.POLE, taper=0.4),
        rod((0, 0, tall - 0.1), (0, -arm, tall + 0.15), 0.05, Category.POLE),
        box((-0.12, -arm - 0.5, tall + 0.08), (0.12, -arm + 0.1, tall + 0.22), Category.POLE, Material.METAL, STEEL),
    ]


def sign_post(rng: Rng) -> list[Part]:
    """A traffic sign that faces along -x."""
    tall, size = rng.uniform(2.1, 2.8), rng.uniform(0.28, 0.42)
    parts = [rod((0, 0, -0.5), (0, 0, tall + size), 0.035, Category.POLE)]
    colour = (_RED, _BLUE, _BLUE, _GREEN)[rng.integers(4)]
    sign = {"category": Category.TRAFFIC_SIGN, "material": Material.SIGN, "colour": colour}
    if rng.random() < 0.55:
        turn = about_y(-np.pi / 2)  # the round's axis along x
        face = Part(kind=Kind.ROUND, centre=(-0.06, 0, tall), half=(size, size, 0.03), turn=turn, **sign)  # type: ignore[arg-type]
        parts.append(face)
        parts.append(
            box(
                (-0.095, -0.6 * size, tall - 0.08),
                (-0.088, 0.6 * size, tall + 0.08),
                Category.TRAFFIC_SIGN,
                Material.PLASTER,
                (0.75, 0.75, 0.73),
            )
        )
    else:
        wide = size * rng.uniform(0.9, 1.6)
        half = (0.03, wide, size)
        parts.append(Part(kind=Kind.BOX, centre=(-0.06, 0, tall), half=half, **sign))  # type: ignore[arg-type]
    return parts


def traffic_light(rng: Rng) -> list[Part]:
    """A signal head on a post that faces along -x."""
    tall, kind = rng.uniform(2.6, 3.4), Category.TRAFFIC_LIGHT
    black: Colour = (0.03, 0.03, 0.03)
    parts = [
        rod((0, 0, -0.5), (0, 0, tall + 0.9), 0.06, Category.POLE),
        box((-0.28, -0.16, tall), (-0.06, 0.16, tall + 0.95), kind, Material.METAL, black),
    ]
    for i, lamp in enumerate(((0.02, 0.6, 0.25), (0.35, 0.25, 0.02), (0.3, 0.02, 0.02))):
        half, centre = (0.06, 0.1, 0.1), (-0.28, 0.0, tall + 0.18 + 0.3 * i)
        parts.append(
            Part(kind=Kind.BALL, centre=centre, half=half, category=kind, material=Material.PLASTER, colour=lamp)
        )
    return parts


def trash_bin(rng: Rng) -> list[Part]:
    """A wheeled bin."""
    colour = ((0.08, 0.09, 0.09), (0.04, 0.10, 0.25), (0.30, 0.24, 0.05), (0.06, 0.16, 0.06))[rng.integers(4)]
    kind, tall = Category.TRASH_BIN, rng.uniform(0.95, 1.2)
    return [
        box((-0.3, -0.35, 0.04), (0.3, 0.35, tall), kind, Material.METAL, colour),
        box((-0.33, -0.38, tall - 0.02), (0.33, 0.38, tall + 0.12), kind, Material.METAL, colour, (0.1, 0.5)),
    ]


def cabinet(rng: Rng) -> list[Part]:
    """A grey box of the power company or the post."""
    wide, tall = rng.uniform(0.5, 1.4), rng.uniform(0.9, 1.5)
    colour = pick(rng, ((0.4, 0.42, 0.38), (0.55, 0.42, 0.05), (0.3, 0.32, 0.3)))
    return [box((-wide / 2, -0.2, -0.2), (wide / 2, 0.2, tall), Category.BOX, Material.CRATE, colour)]


def bus_stop(rng: Rng) -> list[Part]:
    """A shelter: a back wall, a side and a roof."""
    wide, kind = rng.uniform(2.6, 4.0), Category.BUS_STOP
    wall, roof = pick(rng, ((0.25, 0.3, 0.32), (0.45, 0.45, 0.42))), pick(rng, _ROOFS)
    return [
        box((-wide / 2, 1.2, -0.2), (wide / 2, 1.3, 2.3), kind, Material.OFFICE, wall),
        box((-wide / 2, 0.1, -0.2), (-wide / 2 + 0.08, 1.3, 2.3), kind, Material.CRATE, wall),
        box((-wide / 2 - 0.2, -0.1, 2.3), (wide / 2 + 0.2, 1.5, 2.45), kind, Material.CONCRETE, roof),
        box((-wide / 2 + 0.4, 0.85, 0.35), (wide / 2 - 0.4, 1.15, 0.5), kind, Material.WOOD, (0.3, 0.2, 0.12)),
    ]
