"""What stands where: from a seed to a street."""

from __future__ import annotations

import numpy as np

from scene3d.data.street.drive import draw_bodies, draw_light, draw_movers
from scene3d.data.street.ground import STEP
from scene3d.data.street.plots import border, fill_plots
from scene3d.data.street.roadside import fill_roadside, park_cars
from scene3d.data.street.route import draw_plan, draw_profile, draw_route, make_ground
from scene3d.data.street.shapes import join
from scene3d.data.street.site import Site
from scene3d.data.street.street import Street, StreetConfig
from scene3d.data.street.sun import empty_map

_BEHIND = 45.0  # metres of street behind the first frame
_SUNNY = 26.0  # metres beside the line that know shadows


def make_street(seed: int, config: StreetConfig | None = None) -> Street:
    """The street of a seed: bends, slopes, crossings, squares, and all that stands and moves on it.

    Args:
        seed: any whole number from 0; the same seed and config give the same street, bit for bit.
        config: its length and traffic; None is the default.
    """
    config = StreetConfig() if config is None else config
    rng = np.random.default_rng(seed)
    steps = rng.uniform(0.8, 1.2) * rng.uniform(0.85, 1.15, config.frames)
    stations = np.cumsum(steps) - steps[0]
    start, end = -_BEHIND, float(stations[-1]) + config.ahead + 30
    route = draw_route(rng, start, end)
    plan = draw_plan(rng, start, end)
    profile = draw_profile(rng, plan, start - 40, end + 60)
    site = Site(route, make_ground(rng, route, profile), plan)
    bodies, wanders = draw_bodies(rng, site, stations)
    groups = [
        fill_plots(rng, site),
        border(rng, site),
        park_cars(rng, site, float(np.abs(wanders).max())),
        fill_roadside(rng, site),
    ]
    standing = join([shapes for group in groups for shapes in group])
    movers = draw_movers(rng, site, config, stations, wanders)
    light = draw_light(rng)
    line = np.arange(-12.0, min(end, float(stations[-1]) + 70), 4 * STEP + 1)
    region = np.array([[*route.at(s, left)[:2], 0.0] for s in line for left in (-_SUNNY, 0.0, _SUNNY)])
    region[:, 2] = site.ground.smooth(region[:, 0], region[:, 1])
    shadows = empty_map(light.towards_sun, region).under(standing)
    return Street(seed, config, route, site.ground, standing, movers, light, shadows, bodies)
