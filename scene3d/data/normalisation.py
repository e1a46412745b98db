"""What of a scene is to be reconstructed, brought into the unit ball by what the scene knows."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import PositiveFloat
from torch import Tensor

from scene3d.config import Config
from scene3d.data.object_files import read_object
from scene3d.data.shot_files import shot_depth
from scene3d.data.views import view_camera, view_to_world
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera, inside, pixel_centres, project, unproject
from scene3d.geometry.normalisation import (
    Fit,
    Similarity,
    similarity_of_ball,
    similarity_of_box,
    similarity_of_cameras,
    similarity_of_points,
)
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.scene import Scene, Shot

Source = Literal["auto", "bounds", "cameras", "points", "depth"]
"""From what the ball is made: see `normalise`."""


DEPTH_IMAGES = 16
"""Depth images that are looked at, spread over the scene."""

STRIDE = 8
"""Of their pixels each so manieth is, either way."""

ASIDE = 1.05
"""A ball about cameras is larger than the way to the farthest by this."""


class RegionConfig(Config):
    """What of a scene is to be reconstructed.

    Attributes:
        source: see `normalise`.
        bounds: corners (min, max) in the world, instead of the scene's own.
        object: folder of an object that was found (`scene3d.data.object_files`); the ball then is that about its box,
            whatever else is said, and samples carry the object.
        fit: how the ball lies to a box, see `similarity_of_box`.
        margin: the radius is multiplied by it.
        confined: what of the ball lies outside of the bounds is to be empty (`Frames.bounds`), for surfaces before a
            plain background.
    """

    source: Source = "auto"
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]] | None = None
    object: Path | None = None
    fit: Fit = "within"
    margin: PositiveFloat = 1.0
    confined: bool = False

    def of(self, scene: Scene) -> Similarity:
        """The region of a scene as the unit ball.

        Raises:
            DataError: nothing says where it is, see `normalise`; or the object cannot be read.
        """
        if self.object is not None:
            box = read_object(self.object).box
            return similarity_of_ball(box.box_to_world[:3, 3], self.margin * float(box.half.norm()))
        found = normalise(scene, self.source, bounds=self._given(scene), fit=self.fit)
        return similarity_of_ball(found.unit_to_world[:3, 3], self.margin * found.radius)

    def box(self, scene: Scene) -> Float[Tensor, "2 3"] | None:
        """Corners (min, max) in the world of what a surface of the scene is confined to; None for the ball alone.

        Raises:
            DataError: it is to be confined and there are no bounds.
        """
        if not self.confined:
            return None
        bounds = self._given(scene)
        if bounds is None:
            raise DataError(f"{scene.name}: expected bounds to confine a surface to, got none", hint="confined: false")
        return bounds

    def _given(self, scene: Scene) -> Float[Tensor, "2 3"] | None:
        return scene.bounds if self.bounds is None else torch.tensor(self.bounds, dtype=torch.float64)


def normalise(
    scene: Scene, source: Source = "auto", *, bounds: Float[Tensor, "2 3"] | None = None, fit: Fit = "within"
) -> Similarity:
    """The similarity that brings a scene's region of interest into the unit ball.

    - "bounds": the box of the argument, or of the scene; see `similarity_of_box`.
    - "cameras": what they look at together; see `similarity_of_cameras`.
    - "points": most of the sparse points; see `similarity_of_points`.
    - "depth": most of what depth images show, and all cameras: a room from within.
    - "auto": bounds where there are any; else cameras where they look at one place; else points; else depth.

    Args:
        scene: every shot that is used must have its transform.
        source: from what.
        bounds: corners (min, max) in the world, instead of the scene's own.
        fit: how the ball lies to the box, see `similarity_of_box`.

    Raises:
        DataError: the source is not there or says nothing; of "auto", each of them with its reason. A box that no
            camera sees, or that holds none of the scene's sparse points, says nothing.
    """
    bounds = scene.bounds if bounds is None else bounds
    known: dict[str, Callable[[], Similarity]] = {
        "bounds": lambda: _of_bounds(scene, bounds, fit),
        "cameras": lambda: _of_cameras(scene),
        "points": lambda: _of_points(scene),
        "depth": lambda: _of_depth(scene),
    }
    if source != "auto":
        tried: tuple[str, ...] = (source,)
    else:
        # Bounds that are given are meant: where they are wrong nothing else takes their place.
        tried = ("cameras", "points", "depth") if bounds is None else ("bounds",)
    reasons = []
    for name in tried:
        try:
            return known[name]()
        except DataError as error:
            reasons.append(str(error))
    raise DataError(f"{scene.name}: {'; '.join(reasons)}")


def _of_bounds(scene: Scene, bounds: Float[Tensor, "2 3"] | None, fit: Fit) -> Similarity:
    if bounds is None:
        raise DataError("region of interest: expected bounds, got none")
    similarity = similarity_of_box(bounds, fit)
    centre, corners = bounds.double().mean(dim=0), torch.cartesian_prod(*bounds.double().unbind(dim=1))
    places = torch.cat([centre[None], corners])
    if not any(_sees(camera, cam_to_world, places) for camera, cam_to_world in _cameras(scene)):
        raise DataError(f"region of interest: expected a box that a camera sees, got {bounds.tolist()}")
    if scene.sparse is not None:
        points = scene.sparse.points
        within = ((points >= bounds[0]) & (points <= bounds[1])).all(dim=1)
        if not within.any():
            got = f"none of {len(points)} in {bounds.tolist()}"
            raise DataError(f"region of interest: expected sparse points in it, got {got}")
    return similarity


def _of_cameras(scene: Scene) -> Similarity:
    cameras = _cameras(scene)
    if not cameras:
        raise DataError("cameras: expected transforms of at least 2, got none")
    halves = [
        min(math.atan(camera.width / 2 / float(camera.K[0, 0])), math.atan(camera.height / 2 / float(camera.K[1, 1])))
        for camera, _ in cameras
    ]
    matrices = torch.stack([cam_to_world.double() for _, cam_to_world in cameras])
    return similarity_of_cameras(matrices, torch.tensor(halves, dtype=torch.float64))


def _of_points(scene: Scene) -> Similarity:
    if scene.sparse is None:
        raise DataError("sparse points: expected some, got none")
    return similarity_of_points(scene.sparse.points)


def _of_depth(scene: Scene) -> Similarity:
    known = [shot for shot in scene.shots if shot.depth is not None and view_to_world(shot) is not None]
    if not known:
        raise DataError("depth images: expected some, got none")
    every = max(len(known) // DEPTH_IMAGES, 1)
    ball = similarity_of_points(torch.cat([_depth_points(shot) for shot in known[::every]]))
    centres = torch.stack([cam_to_world[:3, 3].double() for _, cam_to_world in _cameras(scene)])
    middle = ball.unit_to_world[:3, 3]
    farthest = float((centres - middle).norm(dim=1).max())
    return similarity_of_ball(middle, max(ball.radius, farthest * ASIDE))


def _depth_points(shot: Shot) -> Float[Tensor, "N 3"]:
    """Some of the places that a depth image shows, in the world."""
    depth, cam_to_world = shot_depth(shot)[::STRIDE, ::STRIDE].double(), view_to_world(shot)
    assert isinstance(shot.camera, Camera) and cam_to_world is not None
    pixels = pixel_centres(shot.camera.height, shot.camera.width)[::STRIDE, ::STRIDE].double()
    points = unproject(pixels[depth > 0], depth[depth > 0], shot.camera.K.double())
    return transform(cam_to_world.double(), points)


def _cameras(scene: Scene) -> list[tuple[Camera, Float[Tensor, "4 4"]]]:
    """The pinhole camera of each shot whose transform is known."""
    return [
        (view_camera(shot, shot.camera.height, shot.camera.width), cam_to_world)
        for shot in scene.shots
        if (cam_to_world := view_to_world(shot)) is not None
    ]


def _sees(camera: Camera, cam_to_world: Float[Tensor, "4 4"], places: Float[Tensor, "N 3"]) -> bool:
    points_cam = transform(invert(cam_to_world.double()), places)
    pixels, depth = project(points_cam, camera.K.double())
    return bool(inside(pixels, depth, camera.height, camera.width).any())
