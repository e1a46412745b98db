"""The axes of a room from the photographs of its scene."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.assembly import shots_in_world
from scene3d.data.views import ViewReader, view_camera
from scene3d.errors import wrong_file
from scene3d.geometry.room_axes import EdgePlanes, edge_planes, room_axes
from scene3d.structures.scene import Shot


def axes_of_shots(shots: Sequence[Shot], reader: ViewReader) -> Float[Tensor, "3 3"]:
    """Unit axes in rows, in the world, along which most edges of the photographs run.

    Args:
        shots: at least one.
        reader: of the images.

    Raises:
        DataError: a shot has no transform, an image cannot be read, or none of them has an edge.
    """
    places = shots_in_world(shots)[0]
    found = []
    for shot, place in zip(shots, places, strict=True):
        seen = reader.pixels(shot)
        K = view_camera(shot, reader.height, reader.width).K
        found.append(edge_planes(seen.image.float() / 255, K, place, seen.valid))
    planes = EdgePlanes(*(torch.cat(part) for part in zip(*found, strict=True)))
    if len(planes.normals) == 0:
        got = f"none in {len(shots)} images"
        raise wrong_file(shots[0].image, expected="edges, for the axes of a room", got=got, hint="room_axes: false")
    return room_axes(planes)
