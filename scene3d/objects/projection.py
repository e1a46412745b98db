"""Points of the world in the pinhole views of the shots of a scene."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.views import view_camera, view_to_world
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera, inside, project
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.scene import Scene, Shot


def view_of(shot: Shot, area: int | None = None) -> Camera:
    """The pinhole camera of a shot, made smaller where it has more than `area` pixels."""
    full = view_camera(shot, shot.camera.height, shot.camera.width)
    scale = 1.0 if area is None else min(1.0, math.sqrt(area / (full.height * full.width)))
    return full.resize(round(full.height * scale), round(full.width * scale))


def pixels_in(
    shot: Shot, camera: Camera, points_world: Float[Tensor, "N 3"]
) -> tuple[Float[Tensor, "N 2"], Float[Tensor, "N"]]:  # noqa: UP037
    """Pixel and depth of points in the view of a shot, double precision.

    Raises:
        DataError: the shot has no transform.
    """
    cam_to_world = view_to_world(shot)
    if cam_to_world is None:
        raise DataError(f"{shot.image}: expected a known camera transform, got none")
    points_cam = transform(invert(cam_to_world.double()), points_world.double())
    return project(points_cam, camera.K.double())


def shares_in_view(scene: Scene, points_world: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
    """In what share of the shots each point falls into the image, whatever hides it there.

    Raises:
        DataError: a shot has no transform.
    """
    seen = []
    for shot in scene.shots:
        camera = view_of(shot)
        pixels, depth = pixels_in(shot, camera, points_world)
        seen.append(inside(pixels, depth, camera.height, camera.width))
    return torch.stack(seen).double().mean(dim=0)
