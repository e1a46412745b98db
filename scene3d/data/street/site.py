"""The empty street that is being furnished: where its edges lie, and how to put things beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scene3d.data.street.ground import STEP, Ground
from scene3d.data.street.route import Plan, Route
from scene3d.data.street.shapes import Part, Shapes, assemble
from scene3d.data.street.street import stand


@dataclass(frozen=True)
class Site:
    """Route, ground and plan of a street under construction. Side 0 is right, 1 is left."""

    route: Route
    ground: Ground
    plan: Plan

    def _rows(self, s: float, reach: float) -> slice:
        start = self.ground.profile.start
        low, high = (int((s + sign * reach - start) / STEP) for sign in (-1, 1))
        return slice(max(low, 0), max(high, low + 1, 1))

    def kerb(self, side: int, s: float, reach: float = 0.0) -> float:
        """Farthest kerb from the centre line within ``reach`` metres of s."""
        return float(self.ground.profile.kerb[side, self._rows(s, reach)].max())

    def edge(self, side: int, s: float, reach: float = 0.0) -> float:
        """Where the sidewalk ends: distance from the centre line within ``reach`` metres of s."""
        rows = self._rows(s, reach)
        profile = self.ground.profile
        return float((profile.kerb[side, rows] + profile.sidewalk[side, rows]).max())

    def walk(self, side: int, s: float) -> float:
        """Width of the sidewalk at s."""
        return float(self.ground.profile.sidewalk[side, self._rows(s, 0.0)].min())

    def clear(self, side: int, s: float, reach: float = 0.0) -> bool:
        """Whether no side street opens within ``reach`` metres of s on this side."""
        return bool(self.ground.profile.crossing[side, self._rows(s, reach)].min() > 0.8)

    def beside(
        self, rng: np.random.Generator, parts: list[Part], side: int, s: float, away: float, *, turn: float = 0.0
    ) -> Shapes:
        """An object whose y points away from the road, ``away`` metres from the centre line."""
        left = away if side else -away
        return stand(assemble(parts, rng), self.route, self.ground, s, left, not side, turn, tilt=False)

    def along(
        self, rng: np.random.Generator, parts: list[Part], side: int, s: float, away: float, *, turn: float = 0.0
    ) -> Shapes:
        """An object that points the way the traffic on its side goes (right: forwards), tilted with the ground."""
        left = away if side else -away
        return stand(assemble(parts, rng), self.route, self.ground, s, left, bool(side), turn)
