"""Things that stand and move on a street, each a list of parts in its own axes: x forward, y left, z up, foot at 0."""

from __future__ import annotations

import numpy as np

from scene3d.data.street.categories import Category
from scene3d.data.street.materials import Material
from scene3d.data.street.parts import CLOTHES, PAINTS, RUBBER, SKIN, WALLS, Rng, box, pick, rod, wheel
from scene3d.data.street.shapes import Kind, Part, about_y, about_z


def car(rng: Rng) -> list[Part]:
    """A hatchback, saloon or van, 3.6-5 m long."""
    length, width = rng.uniform(3.7, 4.9), rng.uniform(1.68, 1.9)
    van = rng.random() < 0.2
    height = rng.uniform(1.75, 2.1) if van else rng.uniform(1.4, 1.62)
    waist, paint = (0.58 if van else 0.6) * height, pick(rng, PAINTS)
    back, front = -length / 2 + rng.uniform(0.05, 0.5) * (not van), length / 2 - rng.uniform(0.7, 1.2)
    half, cabin = length / 2, Category.CAR
    parts = [
        box((-half, -width / 2, 0.22), (half, width / 2, waist * 0.82), cabin, Material.PAINT, paint),
        box(
            (-half + 0.06, -width / 2 + 0.03, waist * 0.8),
            (half - 0.1, width / 2 - 0.03, waist + 0.02),
            cabin,
            Material.METAL,
            paint,
            (0.06, 0.08),
        ),
        box(
            (back, -width / 2 + 0.06, waist - 0.03),
            (front, width / 2 - 0.06, height),
            cabin,
            Material.CABIN,
            paint,
            (0.12 if van else 0.3, 0.17),
        ),
    ]
    radius = rng.uniform(0.3, 0.36)
    for x in (-0.31 * length, 0.32 * length):
        parts += [wheel(x, side * (width / 2 - 0.09), radius, 0.24, cabin) for side in (-1, 1)]
    return parts


def truck(rng: Rng) -> list[Part]:
    """A lorry with a box behind the cab, 6-9 m long."""
    length, height = rng.uniform(6, 9), rng.uniform(2.9, 3.8)
    paint, load = pick(rng, PAINTS), pick(rng, PAINTS[:4] + WALLS)
    kind, half = Category.TRUCK, length / 2
    parts = [
        box((half - 1.9, -1.15, 0.5), (half, 1.15, 2.6), kind, Material.CABIN, paint, (0.12, 0.05)),
        box((half - 1.95, -1.17, 0.45), (half + 0.06, 1.17, 1.45), kind, Material.PAINT, paint),
        box((-half, -1.22, 0.95), (half - 2.05, 1.22, height), kind, Material.CRATE, load),
        box((-half, -0.9, 0.55), (half - 1.0, 0.9, 0.97), kind, Material.METAL, (0.1, 0.1, 0.11)),
    ]
    for x in (-half + 1.2, half - 1.2):
        parts += [wheel(x, side * 1.0, 0.48, 0.3, kind) for side in (-1, 1)]
    return parts


def bus(rng: Rng) -> list[Part]:
    """A city bus, 10-12 m long."""
    half, paint, kind = rng.uniform(5.0, 6.0), pick(rng, PAINTS), Category.BUS
    parts = [
        box((-half, -1.25, 0.35), (half, 1.25, 1.35), kind, Material.PAINT, paint),
        box((-half, -1.25, 1.3), (half, 1.25, 2.95), kind, Material.CABIN, paint, (0.02, 0.06)),
    ]
    for x in (-half + 2.2, half - 2.4):
        parts += [wheel(x, side * 1.1, 0.48, 0.3, kind) for side in (-1, 1)]
    return parts


def person(rng: Rng) -> list[Part]:
    """Someone walking, 1.5-1.9 m tall."""
    tall, step = rng.uniform(1.5, 1.92), rng.uniform(-0.22, 0.22)
    coat, trousers, kind = pick(rng, CLOTHES), pick(rng, CLOTHES), Category.PERSON
    hip, neck = 0.5 * tall, 0.85 * tall
    parts = [
        rod((step, 0.09, 0), (0, 0.08, hip), 0.085, kind, trousers, Material.CLOTH),
        rod((-step, -0.09, 0), (0, -0.08, hip), 0.085, kind, trousers, Material.CLOTH),
        Part(
            kind=Kind.BALL,
            centre=(0, 0, (hip + neck) / 2),
            half=(0.16, 0.23, (neck - hip) / 2 + 0.1),
            category=kind,
            material=Material.CLOTH,
            colour=coat,
        ),
        rod((-step * 0.8, 0.25, hip), (0, 0.21, neck - 0.06), 0.055, kind, coat, Material.CLOTH),
        rod((step * 0.8, -0.25, hip), (0, -0.21, neck - 0.06), 0.055, kind, coat, Material.CLOTH),
        Part(
            kind=Kind.BALL,
            centre=(0.01, 0, tall - 0.12),
            half=(0.105, 0.09, 0.13),
            category=kind,
            material=Material.CLOTH,
            colour=SKIN,
        ),
    ]
    return parts


def _two_wheeler(rng: Rng, kind: Category) -> list[Part]:
    heavy = kind == Category.MOTORCYCLE
    base, radius, thick = (0.68, 0.31, 0.16) if heavy else (0.52, 0.34, 0.05)
    paint = pick(rng, PAINTS)
    parts = [wheel(x, 0.0, radius, thick, kind) for x in (-base, base)]
    tube = 0.09 if heavy else 0.03
    parts += [
        rod((-base, 0, radius), (0.0, 0, 0.55), tube, kind, paint),
        rod((0.0, 0, 0.5), (base - 0.12, 0, 0.85), tube, kind, paint),
        rod((base, 0, radius), (base - 0.16, 0, 1.02), tube * 0.8, kind),
        rod((base - 0.16, -0.3, 1.02), (base - 0.16, 0.3, 1.02), 0.025, kind),
        box((-0.45, -0.12, 0.78), (0.0, 0.12, 0.88), kind, Material.RUBBER, RUBBER),
    ]
    if heavy:
        parts.append(box((-0.3, -0.2, 0.3), (0.35, 0.2, 0.85), kind, Material.METAL, paint, (0.2, 0.3)))
    else:
        parts.append(rod((-0.2, 0, 0.45), (-0.24, 0, 0.8), 0.025, kind, paint))
    return parts


def bicycle(rng: Rng) -> list[Part]:
    """A bicycle on its stand."""
    return _two_wheeler(rng, Category.BICYCLE)


def motorcycle(rng: Rng) -> list[Part]:
    """A motorcycle on its stand."""
    return _two_wheeler(rng, Category.MOTORCYCLE)


def cyclist(rng: Rng) -> list[Part]:
    """A bicycle with its rider."""
    coat, kind = pick(rng, CLOTHES), Category.RIDER
    ball = {"kind": Kind.BALL, "category": kind, "material": Material.CLOTH}
    return [
        *bicycle(rng),
        Part(centre=(0.0, 0, 1.18), half=(0.2, 0.22, 0.38), colour=coat, turn=about_y(0.5), **ball),  # type: ignore[arg-type]
        Part(centre=(0.22, 0, 1.63), half=(0.11, 0.1, 0.14), colour=SKIN, **ball),  # type: ignore[arg-type]
        rod((0.05, 0.12, 0.3), (-0.1, 0.1, 0.95), 0.08, kind, pick(rng, CLOTHES), Material.CLOTH),
        rod((0.05, -0.12, 0.45), (-0.1, -0.1, 0.95), 0.08, kind, pick(rng, CLOTHES), Material.CLOTH),
        rod((0.1, 0.2, 1.4), (0.36, 0.26, 1.03), 0.05, kind, coat, Material.CLOTH),
        rod((0.1, -0.2, 1.4), (0.36, -0.26, 1.03), 0.05, kind, coat, Material.CLOTH),
    ]


def tree(rng: Rng, size: float = 1.0) -> list[Part]:
    """A broad-leaved tree or a conifer, 4-12 m tall."""
    green = np.array([0.13, 0.22, 0.06]) * rng.uniform(0.7, 1.35) * rng.uniform(0.85, 1.15, 3)
    bark = (0.16, 0.12, 0.09)
    leaf = {"category": Category.VEGETATION, "material": Material.LEAVES}
    tall = size * rng.uniform(5, 11)
    if rng.random() < 0.22:
        wide = tall * rng.uniform(0.17, 0.26)
        parts = [rod((0, 0, -0.5), (0, 0, 0.3 * tall), 0.03 * tall, Category.VEGETATION, bark, Material.BARK)]
        for i in range(4):
            low, radius = tall * (0.1 + 0.2 * i), wide * (1 - 0.22 * i)
            centre, half = (0, 0, low + 0.17 * tall), (radius, radius, 0.17 * tall)
            colour = tuple(float(c) for c in green * (0.7 + 0.08 * i))
            parts.append(Part(kind=Kind.ROUND, centre=centre, half=half, colour=colour, taper=(0.92, 0.92), **leaf))  # type: ignore[arg-type]
        return parts
    trunk, crown = tall * rng.uniform(0.25, 0.42), tall * rng.uniform(0.2, 0.3)
    lean = rng.uniform(-0.05, 0.05, 2) * tall
    top = (float(lean[0]), float(lean[1]), trunk + 0.5 * crown)
    parts = [
        rod((0, 0, -0.5), top, 0.025 * tall + 0.06, Category.VEGETATION, bark, Material.BARK, 0.4),
    ]
    for i in range(rng.integers(6, 10)):
        around, out = rng.uniform(0, 2 * np.pi), crown * (0.75 if i else 0) * rng.uniform(0.6, 1.1)
        up = rng.uniform(0.1, 1.9) * crown
        centre = (lean[0] + out * np.cos(around), lean[1] + out * np.sin(around), trunk + up)
        radius = crown * (rng.uniform(0.45, 0.75) if i else 1.0)
        half = (radius, radius * rng.uniform(0.85, 1.1), radius * rng.uniform(0.7, 0.95))
        colour = tuple(float(c) for c in np.clip(green * rng.uniform(0.8, 1.2), 0.02, 0.6))
        parts.append(
            Part(kind=Kind.BALL, centre=centre, half=half, colour=colour, turn=about_z(around), **leaf)  # type: ignore[arg-type]
        )
    return parts


def bush(rng: Rng) -> list[Part]:
    """A bush of a few rounded clumps, 0.6-2 m tall."""
    green = np.array([0.14, 0.21, 0.07]) * rng.uniform(0.7, 1.4) * rng.uniform(0.85, 1.15, 3)
    size, parts = rng.uniform(0.4, 1.0), []
    for _ in range(rng.integers(2, 5)):
        x, y = rng.uniform(-0.9, 0.9, 2) * size
        half = tuple(float(h) for h in size * rng.uniform(0.6, 1.1, 3))
        colour = tuple(float(c) for c in green * rng.uniform(0.8, 1.2))
        parts.append(
            Part(
                kind=Kind.BALL,
                centre=(float(x), float(y), half[2] * 0.7),
                half=half,  # type: ignore[arg-type]
                category=Category.VEGETATION,
                material=Material.LEAVES,
                colour=colour,  # type: ignore[arg-type]
            )
        )
    return parts


def hedge(rng: Rng, length: float) -> list[Part]:
    """A clipped hedge along x."""
    tall, wide = rng.uniform(0.8, 2.0), rng.uniform(0.3, 0.55)
    green = tuple(float(c) for c in np.array([0.11, 0.18, 0.05]) * rng.uniform(0.8, 1.4))
    return [
        box((-length / 2, -wide, -0.5), (length / 2, wide, tall), Category.VEGETATION, Material.HEDGE, green)  # type: ignore[arg-type]
    ]


def fence(rng: Rng, length: float) -> list[Part]:
    """Planks or a low wall of stone along x, with posts."""
    tall = rng.uniform(0.8, 1.8)
    if rng.random() < 0.3:
        low = rng.uniform(0.5, 1.6)
        stone = pick(rng, WALLS)
        return [box((-length / 2, -0.14, -0.6), (length / 2, 0.14, low), Category.WALL, Material.STONES, stone)]
    wood = pick(rng, ((0.36, 0.24, 0.14), (0.5, 0.46, 0.4), (0.2, 0.24, 0.2)))
    parts = [box((-length / 2, -0.03, 0.05), (length / 2, 0.03, tall), Category.FENCE, Material.WOOD, wood)]
    for x in np.linspace(-length / 2, length / 2, max(2, round(length / 2.5) + 1)):
        foot, top = (float(x) - 0.05, -0.06, -0.5), (float(x) + 0.05, 0.06, tall + 0.1)
        parts.append(box(foot, top, Category.FENCE, Material.BARK, wood))
    return parts
