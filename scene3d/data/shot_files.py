"""The files of a shot, decoded at their own size, checked against its camera, and cut to the part that it shows."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from scene3d.data.images import read_depth, read_disparity, read_image, read_labels, read_mask
from scene3d.errors import wrong_file
from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye
from scene3d.structures.scene import Shot


def shot_image(shot: Shot) -> UInt8[Tensor, "3 H W"]:
    """The image of a shot.

    Raises:
        DataError: the file does not decode, or its size is not that of the shot's camera.
    """
    return _cut(read_image(shot.image), shot.image, shot)


def shot_depth(shot: Shot) -> Float[Tensor, "H W"]:
    """Depth along z in metres from the file of a shot that has one; 0 where nothing was measured.

    Raises:
        DataError: as for `shot_image`.
    """
    assert shot.depth is not None
    if shot.focal_baseline is None:
        return _cut(read_depth(shot.depth, shot.depth_steps, shot.depth_unknown), shot.depth, shot)
    disparity = _cut(read_disparity(shot.depth), shot.depth, shot)
    return torch.where(disparity > 0, shot.focal_baseline / disparity.clamp(min=1e-6), 0.0)


def shot_mask(shot: Shot) -> Bool[Tensor, "H W"]:
    """Where the object is, from the file of a shot that has one.

    Raises:
        DataError: as for `shot_image`.
    """
    assert shot.mask is not None
    return _cut(read_mask(shot.mask), shot.mask, shot)


def shot_labels(shot: Shot) -> UInt8[Tensor, "H W"]:
    """The raw class ids from the file of a shot that has one.

    Raises:
        DataError: as for `shot_image`.
    """
    assert shot.labels is not None
    return _cut(read_labels(shot.labels), shot.labels, shot)


def check_size(path: Path, image: Tensor, camera: Camera | Fisheye, cut: int = 0) -> None:
    """Raise a DataError if an image, with `cut` rows below the camera's, has not the size its calibration is for."""
    height, width = image.shape[-2:]
    if (height, width) != (camera.height + cut, camera.width):
        raise wrong_file(
            path,
            expected=f"{camera.width} x {camera.height + cut} pixels, the size its calibration is for",
            got=f"{width} x {height}",
        )


def _cut(image: Tensor, path: Path, shot: Shot) -> Tensor:
    check_size(path, image, shot.camera, shot.cut)
    return image[..., : shot.camera.height, :]
