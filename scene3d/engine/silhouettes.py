"""Cameras with their masks, of frames or of files, as what cuts a mesh."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from scene3d.data.views import ViewReader, view_camera, view_to_world
from scene3d.errors import wrong_file
from scene3d.fusion.visibility import Silhouette
from scene3d.structures.frames import Frames
from scene3d.structures.scene import Scene


def silhouettes_of(views: Iterable[Frames]) -> Iterator[Silhouette]:
    """View 0 of each snippet whose camera's place is known; without masks all of the image may be the object."""
    for frames in views:
        if frames.cam_to_world is not None:
            size = frames.image.shape[-2:]
            mask = torch.ones(size, dtype=torch.bool) if frames.mask is None else frames.mask[0, 0]
            yield Silhouette(mask, frames.K[0, 0], frames.cam_to_world[0, 0])


def silhouettes_on_disk(scene: Scene, *, masks: bool) -> Iterator[Silhouette]:
    """The shots of a scene at the size of their images.

    Args:
        scene: of photographs.
        masks: whether to read them; without, all of the image may be the object.

    Raises:
        DataError: a shot has no place, or masks are wanted and it has none.
    """
    for shot in scene.shots:
        cam_to_world = view_to_world(shot)
        if cam_to_world is None:
            raise wrong_file(shot.image, expected="an image whose camera's place is known", got="one without")
        if masks and shot.mask is None:
            raise wrong_file(shot.image, expected="an image with a mask", got="one without", hint="no dilation")
        camera = view_camera(shot, shot.camera.height, shot.camera.width)
        read = ViewReader(camera.height, camera.width)
        mask = read.mask(shot) if masks else torch.ones(camera.height, camera.width, dtype=torch.bool)
        yield Silhouette(mask, camera.K, cam_to_world)
