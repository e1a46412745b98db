"""What lines the carriageway: parked cars and trucks, lamps, signs, trees, bins, bicycles, people who stand."""

from __future__ import annotations

import numpy as np

from scene3d.data.street import furniture, objects
from scene3d.data.street.shapes import Shapes
from scene3d.data.street.site import Site

Rng = np.random.Generator

_CAR_ROOM = 1.25  # metres that the driving car needs to either side of its middle


def park_cars(rng: Rng, site: Site, wander: float) -> list[Shapes]:
    """Vehicles at the kerbs: in strips beside the lanes, and on wide lanes where the car still gets past.

    Args:
        rng: where chance comes from.
        site: the street.
        wander: how far from the centre line the driving car gets, metres.
    """
    shapes = []
    density = rng.choice([0.0, 0.35, 0.7, 0.9])
    for side in (0, 1):
        s = site.route.start + rng.uniform(2, 8)
        while s < site.route.end - 6:
            heavy = rng.random() < {"works": 0.3, "town": 0.06}.get(site.plan.style, 0.04)
            parts = _vehicle(rng, heavy)
            length = 2 * max(part.half[0] + abs(part.centre[0]) for part in parts)
            half_width = 1.35 if heavy else 1.05
            away = site.kerb(side, s) - half_width - 0.1
            taken = wander + _CAR_ROOM if side == 0 else 1.0
            if rng.random() < density and site.clear(side, s, length / 2 + 3) and away - half_width > taken:
                turn = rng.normal(0, 0.025) + np.pi * (rng.random() < 0.15)
                shapes.append(site.along(rng, parts, side, s, away + rng.normal(0, 0.06), turn=turn))
            s += length + rng.uniform(0.7, 2.5)
    return shapes


def _vehicle(rng: Rng, heavy: bool) -> list:
    if heavy:
        return objects.truck(rng) if rng.random() < 0.75 else objects.bus(rng)
    return objects.car(rng)


def fill_roadside(rng: Rng, site: Site) -> list[Shapes]:
    """Street furniture on both sides, lamps in a row, an avenue of trees where there is one."""
    shapes = []
    lamps, avenue = rng.uniform(20, 38), rng.random(2) < 0.3
    for side in (0, 1):
        offset, gap = rng.uniform(0, 20), rng.uniform(7, 13)
        for s in np.arange(site.route.start + offset, site.route.end, lamps):
            shapes += _put(rng, site, furniture.lamp_post, side, s, 0.45)
        if avenue[side]:
            for s in np.arange(site.route.start + 3, site.route.end, gap):
                shapes += _put(rng, site, lambda r: objects.tree(r, 0.75), side, s + rng.normal(0, 0.4), 0.8)
        shapes += _scatter(rng, site, side)
        shapes += _corners(rng, site, side)
    return shapes


def _put(rng: Rng, site: Site, maker, side: int, s: float, from_kerb: float) -> list[Shapes]:
    if not site.clear(side, s, 0.5):
        return []
    return [site.beside(rng, maker(rng), side, s, site.kerb(side, s, 0.5) + from_kerb)]


def _scatter(rng: Rng, site: Site, side: int) -> list[Shapes]:
    shapes = []
    town = site.plan.style in ("town", "suburb")
    length = site.route.end - site.route.start
    for maker, each in (
        (furniture.trash_bin, 22 if town else 60),
        (furniture.cabinet, 40),
        (objects.bicycle, 28 if town else 120),
        (objects.motorcycle, 55 if town else 160),
        (objects.person, 26 if town else 90),
        (furniture.bus_stop, 130),
        (objects.bush, 45),
    ):
        for _ in range(rng.poisson(length / each)):
            s = rng.uniform(site.route.start + 2, site.route.end - 2)
            walk = site.walk(side, s)
            if site.clear(side, s, 2.0):
                away = site.kerb(side, s, 2.0) + max(0.7, walk - 0.45 if maker is not objects.person else walk / 2)
                if maker is furniture.bus_stop:
                    away = site.kerb(side, s, 2.0) + max(walk - 1.2, 0.7)
                turn = rng.uniform(-0.3, 0.3) + (np.pi / 2 if maker is objects.person else 0)
                shapes.append(site.beside(rng, maker(rng), side, s, away, turn=turn))
    return shapes


def _corners(rng: Rng, site: Site, side: int) -> list[Shapes]:
    """Signs along the way, and lights or signs before each crossing; they face who comes on that side."""
    shapes = []
    places = [rng.uniform(site.route.start, site.route.end) for _ in range(rng.poisson(4))]
    lights = rng.random() < 0.5
    for at, width, *_ in site.plan.crossings:
        places.append(at + (1 if side else -1) * (width + 5.0))
    for s in places:
        maker = furniture.traffic_light if lights and s in places[-len(site.plan.crossings) :] else furniture.sign_post
        if site.clear(side, s, 0.5):
            away = site.kerb(side, s, 0.5) + rng.uniform(0.4, 0.7)
            shapes.append(site.along(rng, maker(rng), side, s, away))
    return shapes
