"""The procedural street: endless seeded streets with exact depth, normals, semantics and occupancy."""

from __future__ import annotations

from scene3d.data.street.layout import make_street
from scene3d.data.street.occupancy import Occupancy, occupancy
from scene3d.data.street.render import View, cast, render
from scene3d.data.street.street import Street, StreetConfig

__all__ = ["Occupancy", "Street", "StreetConfig", "View", "cast", "make_street", "occupancy", "render"]
