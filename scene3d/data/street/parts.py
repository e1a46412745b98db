"""The palette and the few ways of saying a part: box between corners, rod between points, wheel."""

from __future__ import annotations

import numpy as np

from scene3d.data.street.categories import Category
from scene3d.data.street.materials import Material
from scene3d.data.street.shapes import Kind, Part, Triple, about_x

Rng = np.random.Generator
Colour = tuple[float, float, float]

PAINTS: tuple[Colour, ...] = (
    (0.55, 0.55, 0.55),
    (0.06, 0.06, 0.07),
    (0.30, 0.31, 0.33),
    (0.70, 0.70, 0.68),
    (0.35, 0.04, 0.03),
    (0.04, 0.08, 0.28),
    (0.08, 0.16, 0.12),
    (0.45, 0.38, 0.24),
    (0.16, 0.28, 0.45),
)
WALLS: tuple[Colour, ...] = (
    (0.62, 0.57, 0.47),
    (0.55, 0.50, 0.42),
    (0.66, 0.64, 0.60),
    (0.58, 0.42, 0.27),
    (0.50, 0.30, 0.22),
    (0.42, 0.46, 0.44),
    (0.64, 0.52, 0.38),
    (0.38, 0.38, 0.40),
)
CLOTHES: tuple[Colour, ...] = (
    (0.1, 0.12, 0.3),
    (0.4, 0.06, 0.06),
    (0.5, 0.48, 0.42),
    (0.06, 0.06, 0.06),
    (0.1, 0.3, 0.2),
)
RUBBER: Colour = (0.035, 0.035, 0.04)
STEEL: Colour = (0.30, 0.31, 0.32)
SKIN: Colour = (0.55, 0.36, 0.26)


def pick(rng: Rng, choices: tuple[Colour, ...]) -> Colour:
    """One of these colours, a little changed."""
    base = np.array(choices[rng.integers(len(choices))])
    r, g, b = np.clip(base * rng.uniform(0.8, 1.2) * rng.uniform(0.95, 1.05, 3), 0.02, 0.85)
    return float(r), float(g), float(b)


def wheel(x: float, y: float, radius: float, width: float, category: Category) -> Part:
    """A wheel that rolls along x."""
    half = (radius, radius, width / 2)
    return Part(
        kind=Kind.ROUND,
        centre=(x, y, radius),
        half=half,
        category=category,
        material=Material.RUBBER,
        colour=RUBBER,
        turn=about_x(np.pi / 2),
    )


def rod(
    start: Triple,
    end: Triple,
    radius: float,
    category: Category,
    colour: Colour = STEEL,
    material: Material = Material.METAL,
    taper: float = 0.0,
) -> Part:
    """A round from one point to another."""
    a, b = np.array(start), np.array(end)
    along = (b - a) / np.linalg.norm(b - a)
    side = np.cross(along, [0.0, 1.0, 0.0] if abs(along[1]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    middle = (a + b) / 2
    return Part(
        kind=Kind.ROUND,
        centre=(float(middle[0]), float(middle[1]), float(middle[2])),
        half=(radius, radius, float(np.linalg.norm(b - a)) / 2),
        category=category,
        material=material,
        colour=colour,
        taper=(taper, taper),
        turn=np.stack([side, np.cross(along, side), along], axis=1),
    )


def box(
    low: Triple,
    high: Triple,
    category: Category,
    material: Material,
    colour: Colour,
    taper: tuple[float | int, float | int] = (0.0, 0.0),
) -> Part:
    """An upright box between two corners."""
    return Part(
        kind=Kind.TAPERED if max(taper) > 0 else Kind.BOX,
        centre=tuple((a + b) / 2 for a, b in zip(low, high, strict=True)),  # type: ignore[arg-type]
        half=tuple((b - a) / 2 for a, b in zip(low, high, strict=True)),  # type: ignore[arg-type]
        category=category,
        material=material,
        colour=colour,
        taper=taper,
    )
