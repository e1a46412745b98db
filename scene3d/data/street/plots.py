"""The land beside the street: houses, blocks, gardens, woods, yards, squares, and what closes the view."""

from __future__ import annotations

import numpy as np

from scene3d.data.street import furniture, objects
from scene3d.data.street.shapes import Shapes
from scene3d.data.street.site import Site

Rng = np.random.Generator

_CHOICES: dict[str, tuple[tuple[str, float], ...]] = {
    "town": (("block", 0.6), ("house", 0.14), ("yard", 0.1), ("park", 0.1), ("gap", 0.06)),
    "suburb": (("house", 0.62), ("garden", 0.16), ("block", 0.05), ("park", 0.1), ("gap", 0.07)),
    "country": (("meadow", 0.36), ("wood", 0.3), ("house", 0.2), ("garden", 0.14)),
    "works": (("hall", 0.42), ("yard", 0.28), ("block", 0.12), ("wood", 0.1), ("meadow", 0.08)),
}


def fill_plots(rng: Rng, site: Site) -> list[Shapes]:
    """One plot after another on both sides, with side streets left open and squares kept free."""
    shapes: list[Shapes] = []
    names, weights = zip(*_CHOICES[site.plan.style], strict=True)
    for side in (0, 1):
        s = site.route.start + 2
        while s < site.route.end - 12:
            wide = rng.uniform(8, 20)
            middle = s + wide / 2
            if not site.clear(side, middle, wide / 2 + 1):
                s += 2.0
                continue
            square = any(first < middle < last and side == which for first, last, which in site.plan.squares)
            name = "square" if square else str(rng.choice(names, p=weights))
            shapes += _plot(rng, site, name, side, middle, wide)
            s += wide + rng.choice([0.0, 0.3, 1.5, 4.0])
    return shapes


def border(rng: Rng, site: Site) -> list[Shapes]:
    """Second rows of houses and trees behind the plots, and the far ends of the street."""
    shapes = []
    for side in (0, 1):
        for s in np.arange(site.route.start, site.route.end, 13.0):
            if rng.random() < 0.75:
                away = site.edge(side, s) + rng.uniform(24, 48)
                shapes.append(site.beside(rng, _backdrop(rng), side, s + rng.uniform(-5, 5), away))
    for s in (site.route.start, site.route.end):
        forward = s > 0
        for left in np.arange(-54.0, 55.0, 9.0):
            along = s + (1 if forward else -1) * rng.uniform(2, 18)
            shapes.append(
                site.beside(rng, _backdrop(rng), int(left > 0), along, abs(left) + 0.1, turn=rng.uniform(-1, 1))
            )
    return shapes


def _backdrop(rng: Rng) -> list:
    if rng.random() < 0.4:
        return furniture.block(rng, rng.uniform(10, 18), rng.uniform(8, 12))
    return objects.tree(rng, rng.uniform(1.1, 1.6))


def _plot(rng: Rng, site: Site, name: str, side: int, s: float, wide: float) -> list[Shapes]:
    edge = site.edge(side, s, wide / 2) + 0.25
    if name in ("house", "block", "hall"):
        return _built(rng, site, name, side, s, wide, edge)
    if name == "square":
        return _square(rng, site, side, s, wide, edge)
    shapes = []
    if name in ("garden", "yard", "park") and rng.random() < 0.75:
        shapes += _frontage(rng, site, side, s, wide)
    trees = {"garden": 3, "park": 4, "wood": 9, "meadow": 1}.get(name, 0)
    for _ in range(rng.poisson(trees)):
        at, away = s + rng.uniform(-0.5, 0.5) * wide, edge + rng.uniform(1.5, 16 if name != "wood" else 12)
        shapes.append(site.beside(rng, objects.tree(rng, rng.uniform(0.7, 1.2)), side, at, away))
    for _ in range(rng.poisson({"garden": 4, "park": 2, "wood": 5, "meadow": 2}.get(name, 0))):
        at, away = s + rng.uniform(-0.5, 0.5) * wide, edge + rng.uniform(0.9, 9)
        shapes.append(site.beside(rng, objects.bush(rng), side, at, away))
    if name == "yard":
        shapes += _yard(rng, site, side, s, wide, edge)
    return shapes


def _built(rng: Rng, site: Site, name: str, side: int, s: float, wide: float, edge: float) -> list[Shapes]:
    back = {"house": rng.uniform(0.3, 8), "block": rng.choice([0.1, 0.1, 0.6, 5.0]), "hall": rng.uniform(1, 12)}[name]
    deep = rng.uniform(7, 12)
    makers = {"house": furniture.house, "block": furniture.block, "hall": furniture.shed}
    front = wide * (rng.uniform(0.65, 0.95) if name == "house" else 0.99)
    shapes = [site.beside(rng, makers[name](rng, front, deep), side, s, edge + back + 0.5)]
    if back > 2.5:
        if rng.random() < 0.75:
            shapes += _frontage(rng, site, side, s, wide)
        for _ in range(rng.poisson(1.3)):
            at, away = s + rng.uniform(-0.5, 0.5) * wide, edge + rng.uniform(0.9, back - 0.8)
            parts = objects.bush(rng) if rng.random() < 0.6 else objects.tree(rng, rng.uniform(0.5, 0.8))
            shapes.append(site.beside(rng, parts, side, at, away))
        if back > 6 and rng.random() < 0.5:
            shapes.append(site.beside(rng, objects.car(rng), side, s + 0.3 * wide, edge + 3.2, turn=np.pi / 2))
    if rng.random() < 0.25:
        parts = furniture.shed(rng, 3.2, 6.0)
        shapes.append(site.beside(rng, parts, side, s + 0.5 * wide, edge + back + rng.uniform(1, 5)))
    return shapes


def _frontage(rng: Rng, site: Site, side: int, s: float, wide: float) -> list[Shapes]:
    """A hedge or a fence along the sidewalk, in pieces that follow the bend, with a gate left open."""
    state, gate = rng.integers(1 << 31), rng.integers(-1, 5)
    maker = objects.hedge if rng.random() < 0.45 else objects.fence
    pieces = max(1, round(wide / 3.0))
    shapes = []
    for i in range(pieces):
        if i == gate:
            continue
        at = s + (i + 0.5 - pieces / 2) * wide / pieces
        same = np.random.default_rng(state)  # every piece of one fence is alike
        away = site.edge(side, at, 1.5) + 0.6
        shapes.append(site.along(rng, maker(same, wide / pieces + 0.05), side, at, away))
    return shapes


def _yard(rng: Rng, site: Site, side: int, s: float, wide: float, edge: float) -> list[Shapes]:
    shapes, at = [], s - wide / 2 + 1.5
    while at < s + wide / 2 - 1:
        if rng.random() < 0.6:
            parts = objects.truck(rng) if rng.random() < 0.2 else objects.car(rng)
            away = edge + 6.5 + rng.uniform(-0.4, 0.4)
            shapes.append(site.beside(rng, parts, side, at, away, turn=np.pi / 2 * rng.choice([-1, 1])))
        at += 3.0
    back = edge + rng.uniform(13, 20)
    return [*shapes, site.beside(rng, furniture.shed(rng, wide * 0.9, 8.0), side, s, back)]


def _square(rng: Rng, site: Site, side: int, s: float, wide: float, edge: float) -> list[Shapes]:
    shapes = []
    for maker, mean in (
        (objects.tree, 1.0),
        (objects.person, 1.2),
        (furniture.trash_bin, 0.6),
        (furniture.cabinet, 0.4),
        (objects.bicycle, 1.2),
        (objects.motorcycle, 0.5),
        (furniture.lamp_post, 0.6),
    ):
        for _ in range(rng.poisson(mean)):
            at, away = s + rng.uniform(-0.5, 0.5) * wide, edge + rng.uniform(1.5, 14)
            shapes.append(site.beside(rng, maker(rng), side, at, away, turn=rng.uniform(-3, 3)))
    far = edge + rng.uniform(16, 24)
    return [*shapes, site.beside(rng, furniture.block(rng, wide, 10.0), side, s, far)]
