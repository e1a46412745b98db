"""The street as a value: its ground, what stands and moves on it, its light, and where the car goes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float
from pydantic import Field

from scene3d.config import Config
from scene3d.data.street.ground import Ground
from scene3d.data.street.route import Route
from scene3d.data.street.shapes import Shapes, about_y, about_z, join
from scene3d.data.street.sun import SunMap

Array = np.ndarray


class StreetConfig(Config):
    """What a street is like beyond its seed.

    Attributes:
        frames: along the drive, about one metre apart.
        ahead: metres of world beyond the last frame.
        traffic: share of the usual moving cars, cyclists and people; 0 is a still street.
        noise: standard deviation of the camera noise, of 255.
        exposure: largest relative change of brightness between frames.
    """

    frames: int = Field(60, ge=1, le=2000)
    ahead: float = Field(80.0, ge=60.0)
    traffic: float = Field(1.0, ge=0.0, le=4.0)
    noise: float = Field(2.0, ge=0.0)
    exposure: float = Field(0.0, ge=0.0, lt=1.0)


@dataclass(frozen=True)
class Light:
    """The sun and the sky, and the colours of the ground of this street.

    Attributes:
        towards_sun: (3,) unit vector.
        sun: (3,) linear RGB of the sun.
        sky: (3,) linear RGB of the light from above.
        zenith: (3,) colour of the sky overhead.
        horizon: (3,) colour of the sky at the horizon.
        clouds: (3,) shift of the clouds (2) and how many there are.
        ground: (4, 3) colours of asphalt, slabs, grass and gravel.
    """

    towards_sun: Float[Array, "3"]  # noqa: UP037
    sun: Float[Array, "3"]  # noqa: UP037
    sky: Float[Array, "3"]  # noqa: UP037
    zenith: Float[Array, "3"]  # noqa: UP037
    horizon: Float[Array, "3"]  # noqa: UP037
    clouds: Float[Array, "3"]  # noqa: UP037
    ground: Float[Array, "4 3"]


@dataclass(frozen=True)
class Mover:
    """Something that goes along the street at its own speed.

    Attributes:
        shapes: in its own axes, foot at 0.
        s: place along the centre line at frame 0, metres.
        left: of the centre line, metres.
        speed: metres a frame; negative comes towards the car.
    """

    shapes: Shapes
    s: float
    left: float
    speed: float


@dataclass(frozen=True)
class Street:
    """One street: the same seed and configuration give the same one, bit for bit.

    The world is metric, with z up. ``body`` is KITTI-360's pose frame: x forward, y right, z down.
    """

    seed: int
    config: StreetConfig
    route: Route
    ground: Ground
    standing: Shapes
    movers: tuple[Mover, ...]
    light: Light
    shadows: SunMap
    bodies: Float[Array, "F 4 4"]
    _last: dict[int, tuple[Shapes, SunMap]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def frames(self) -> int:
        """Number of frames of the drive."""
        return len(self.bodies)

    def body_to_world(self, frame: int) -> Float[Array, "4 4"]:
        """Where the car is at a frame.

        Raises:
            IndexError: the drive has no such frame.
        """
        if not 0 <= frame < self.frames:
            raise IndexError(f"frame {frame}: the street has frames 0 to {self.frames - 1}")
        return self.bodies[frame].copy()

    def at(self, frame: int) -> tuple[Shapes, SunMap]:
        """Every solid at a frame, and its shadows; the last frame asked for is kept."""
        if frame not in self._last:
            moving = [
                stand(
                    mover.shapes,
                    self.route,
                    self.ground,
                    mover.s + mover.speed * frame,
                    mover.left,
                    bool(mover.speed < 0),
                )
                for mover in self.movers
                if self.route.start + 1 < mover.s + mover.speed * frame < self.route.end - 1
            ]
            shapes = join([self.standing, *moving])
            shadows = self.shadows.under(join(moving)) if moving else self.shadows
            self._last.clear()
            self._last[frame] = (shapes, shadows)
        return self._last[frame]


def stand(
    shapes: Shapes,
    route: Route,
    ground: Ground,
    s: float,
    left: float,
    backwards: bool = False,
    turn: float = 0.0,
    tilt: bool = True,
) -> Shapes:
    """An object put on the ground beside the centre line.

    Args:
        shapes: the object in its own axes.
        route: the centre line.
        ground: what it stands on.
        s: along the line, metres.
        left: of the line, metres.
        backwards: its x points against the line.
        turn: more radians about the vertical.
        tilt: it follows the slope along its own x.
    """
    x, y, heading = route.at(s, left)
    yaw = heading + np.pi * backwards + turn
    rotation = about_z(yaw)
    reach = np.array([0.0, 1.2, -1.2])
    heights = ground.height(x + reach * np.cos(yaw), y + reach * np.sin(yaw))
    level = float(heights[0])
    if tilt:
        rise = float(heights[1] - heights[2]) / 2.4
        rotation = rotation @ about_y(-float(np.arctan(np.clip(rise, -0.15, 0.15))))
        level = float(heights[1] + heights[2]) / 2
    return shapes.placed(np.array([x, y, level]), rotation)
