"""The solids that a street is made of: boxes, ellipsoids, upright rounds and tapered boxes, many at once.

Each solid is the affine image of a unit one: ``local = world_to_local @ (point - centre)``. A ray keeps its
parameter under an affine map, so distances found in local coordinates are distances in the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import IntEnum

import numpy as np
from jaxtyping import Bool, Float, Int

from scene3d.data.street.categories import Category

Array = np.ndarray
Triple = tuple[float | int, float | int, float | int]


class Kind(IntEnum):
    """Which unit solid: the cube, the ball, x^2 + y^2 <= r(z)^2, or the cube whose sides lean inwards.

    Rounds and tapered boxes have side faces at 1 - taper * (z + 1) / 2.
    """

    BOX = 0
    BALL = 1
    ROUND = 2
    TAPERED = 3


@dataclass(frozen=True, kw_only=True)
class Part:
    """One solid of an object, in the object's axes: x forward, y left, z up.

    Attributes:
        kind: which unit solid.
        centre: of the solid, metres.
        half: half its size along its own axes, metres.
        category: what it is.
        material: index of its material, see `materials`.
        colour: RGB in [0, 1].
        taper: how much of the half size along x and y is gone at the top, in [0, 1]; rounds use the first.
        turn: (3, 3) rotation of its axes in the object; None is none.
    """

    kind: Kind
    centre: Triple
    half: Triple
    category: Category
    material: int
    colour: Triple
    taper: tuple[float | int, float | int] = (0.0, 0.0)
    turn: Array | None = None


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """N solids, as arrays."""

    kind: Int[Array, "N"]  # noqa: UP037
    centre: Float[Array, "N 3"]
    world_to_local: Float[Array, "N 3 3"]
    half: Float[Array, "N 3"]
    taper: Float[Array, "N 2"]
    category: Int[Array, "N"]  # noqa: UP037
    material: Int[Array, "N"]  # noqa: UP037
    colour: Float[Array, "N 3"]
    seed: Float[Array, "N"]  # noqa: UP037

    def __len__(self) -> int:
        return len(self.kind)

    @property
    def radius(self) -> Float[Array, "N"]:  # noqa: UP037
        """Radius of a ball around each solid, metres."""
        full = np.linalg.norm(self.half, axis=1)
        return np.where(self.kind == Kind.BALL, self.half.max(axis=1, initial=0), full)

    def take(self, index: Int[Array, M] | Bool[Array, N]) -> Shapes:
        """The solids at these positions."""
        return Shapes(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def placed(self, position: Float[Array, "3"], turn: Float[Array, "3 3"]) -> Shapes:  # noqa: UP037
        """The solids turned about the origin, then moved."""
        return replace(
            self,
            centre=self.centre @ turn.T + position,
            world_to_local=self.world_to_local @ turn.T,
        )


def assemble(parts: Sequence[Part], rng: np.random.Generator) -> Shapes:
    """Solids of an object's parts; ``rng`` gives each its own piece of texture."""
    half = np.array([part.half for part in parts], dtype=np.float64).reshape(-1, 3)
    turn = np.array([np.eye(3) if part.turn is None else part.turn for part in parts]).reshape(-1, 3, 3)
    return Shapes(
        kind=np.array([part.kind for part in parts], dtype=np.int32),
        centre=np.array([part.centre for part in parts], dtype=np.float64).reshape(-1, 3),
        world_to_local=turn.transpose(0, 2, 1) / half[:, :, None],
        half=half,
        taper=np.array([part.taper for part in parts], dtype=np.float64).reshape(-1, 2),
        category=np.array([part.category for part in parts], dtype=np.int32),
        material=np.array([part.material for part in parts], dtype=np.int32),
        colour=np.array([part.colour for part in parts], dtype=np.float64).reshape(-1, 3),
        seed=rng.uniform(0, 100, len(parts)),
    )


def join(many: Sequence[Shapes]) -> Shapes:
    """All solids of several groups, in order."""
    return Shapes(**{field.name: np.concatenate([getattr(s, field.name) for s in many]) for field in fields(Shapes)})


def about_z(angle: float) -> Float[Array, "3 3"]:
    """Rotation by ``angle`` radians, anticlockwise seen from above."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def about_y(angle: float) -> Float[Array, "3 3"]:
    """Rotation by ``angle`` radians about y: a positive one turns z towards x."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def about_x(angle: float) -> Float[Array, "3 3"]:
    """Rotation by ``angle`` radians about x: a positive one turns y towards z."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def enter(kind: Kind, origin: Sequence[Array], direction: Sequence[Array], taper: Array) -> Float[Array, ...]:
    """Ray parameter at which rays enter unit solids of one kind; inf where they miss or start inside.

    Args:
        kind: which unit solid.
        origin: x, y, z of the ray origins in local coordinates; the arrays broadcast together.
        direction: x, y, z of the ray directions in local coordinates.
        taper: (..., 2) of each solid, for the kinds that have one.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        if kind == Kind.BALL:
            near, far = _ball(origin, direction)
        elif kind == Kind.BOX:
            near, far = _slab(origin[2], direction[2])
            for axis in (0, 1):
                low, high = _slab(origin[axis], direction[axis])
                near, far = np.maximum(near, low), np.minimum(far, high)
        else:
            near, far = _slab(origin[2], direction[2])
            sides = _cone if kind == Kind.ROUND else _leaning_sides
            low, high = sides(origin, direction, taper)
            near, far = np.maximum(near, low), np.minimum(far, high)
        hit = (near < far) & (near > 1e-3)
    return np.where(hit, near, np.float32(np.inf))


def _slab(origin: Array, direction: Array) -> tuple[Array, Array]:
    inverse = 1 / np.where(np.abs(direction) < 1e-9, np.float32(1e-9), direction)
    middle, reach = -origin * inverse, np.abs(inverse)
    return middle - reach, middle + reach


def _ball(origin: Sequence[Array], direction: Sequence[Array]) -> tuple[Array, Array]:
    """Through the point nearest to the centre: the usual discriminant loses its digits far away."""
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    squared = dx * dx + dy * dy + dz * dz
    middle = -(ox * dx + oy * dy + oz * dz) / squared
    px, py, pz = ox + middle * dx, oy + middle * dy, oz + middle * dz
    reach = np.sqrt((1 - (px * px + py * py + pz * pz)) / squared)  # nan where it misses, and nan < nan is False
    return middle - reach, middle + reach


def _cone(origin: Sequence[Array], direction: Sequence[Array], taper: Array) -> tuple[Array, Array]:
    (ox, oy, oz), (dx, dy, dz) = origin, direction
    slope = -taper[..., 0] / 2  # r(z) = 1 + slope * (z + 1)
    flat = np.maximum(dx * dx + dy * dy, np.float32(1e-12))
    middle = -(ox * dx + oy * dy) / flat
    px, py = ox + middle * dx, oy + middle * dy
    radius, growth = 1 + slope * (oz + middle * dz + 1), slope * dz
    a = np.maximum(flat - growth * growth, np.float32(1e-9))
    b, c = -radius * growth, px * px + py * py - radius * radius
    reach = np.sqrt(b * b - a * c)
    return middle + (-b - reach) / a, middle + (-b + reach) / a


def _leaning_sides(origin: Sequence[Array], direction: Sequence[Array], taper: Array) -> tuple[Array, Array]:
    near, far = np.float32(-np.inf), np.float32(np.inf)
    for axis in (0, 1):
        lean = taper[..., axis] / 2
        room, slide = 1 - lean * (origin[2] + 1), lean * direction[2]
        for sign in (1, -1):
            closing = sign * direction[axis] + slide
            at = (room - sign * origin[axis]) / np.where(closing == 0, np.float32(1e-9), closing)
            near = np.maximum(near, np.where(closing < 0, at, np.float32(-np.inf)))
            far = np.minimum(far, np.where(closing < 0, np.float32(np.inf), at))
    return near, far


def faces(kind: Array, local: Array, taper: Array) -> tuple[Array, Array]:
    """Outward normal in local coordinates at points on unit solids, and the axis (0..2) it leans to most.

    Args:
        kind: (N,) which unit solid each point lies on.
        local: (N, 3) the points.
        taper: (N, 2) of their solids.
    """
    lean = taper / 2
    room = 1 - lean * (local[:, 2:] + 1)
    round_ = (kind == Kind.ROUND)[:, None]
    across = np.where(round_, np.linalg.norm(local[:, :2], axis=1, keepdims=True), np.abs(local[:, :2]))
    beyond = np.concatenate([across - room, np.abs(local[:, 2:]) - 1], axis=1)
    axis = beyond.argmax(axis=1)
    side = np.where(round_, local[:, :2], np.sign(local[:, :2]) * (np.arange(2) == axis[:, None]))
    leaning = np.where(round_[:, 0], lean[:, 0], np.take_along_axis(lean, np.minimum(axis, 1)[:, None], 1)[:, 0])
    upright = np.concatenate([side, leaning[:, None]], axis=1)
    cap = np.sign(local[:, 2:]) * np.array([0, 0, 1], dtype=local.dtype)
    normal = np.where((axis == 2)[:, None], cap, upright)
    return np.where((kind == Kind.BALL)[:, None], local, normal), axis


def within(kind: int, local: Sequence[Array], taper: Array, grown: Array) -> Bool[Array, ...]:
    """Whether points lie in one unit solid grown by ``grown`` (3,) in local units.

    Args:
        kind: which unit solid.
        local: x, y, z of the points; the arrays broadcast together.
        taper: (2,) of the solid.
        grown: how far the solid reaches beyond its unit size along each axis.
    """
    x, y, z = local
    if kind == Kind.BALL:
        return (x / (1 + grown[0])) ** 2 + (y / (1 + grown[1])) ** 2 + (z / (1 + grown[2])) ** 2 <= 1
    gone = (np.clip(z, -1, 1) + 1) / 2
    upright = np.abs(z) <= 1 + grown[2]
    if kind == Kind.ROUND:
        room = 1 - taper[0] * gone
        return upright & ((x / (room + grown[0])) ** 2 + (y / (room + grown[1])) ** 2 <= 1)
    along = np.abs(x) <= 1 - taper[0] * gone + grown[0]
    return upright & along & (np.abs(y) <= 1 - taper[1] * gone + grown[1])
