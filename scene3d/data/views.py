"""One shot as the tensors of a view: its pixels, depth and labels at the size that a network wants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor

from scene3d.data.cues import CueKind, cue_file, read_cue
from scene3d.data.images import (
    Lookup,
    fisheye_lookup,
    read_depth,
    resample,
    resize,
    resize_depth,
    resize_labels,
)
from scene3d.data.shot_files import shot_depth, shot_image, shot_labels, shot_mask
from scene3d.errors import wrong_file
from scene3d.geometry.camera import Camera, pixel_centres, unproject
from scene3d.geometry.fisheye import Fisheye, project_fisheye
from scene3d.structures.labels import IGNORE
from scene3d.structures.scene import Shot


@dataclass(frozen=True)
class Pixels:
    """The image of a view, 0..255, and where it is covered."""

    image: UInt8[Tensor, "3 H W"]
    valid: Bool[Tensor, "H W"]


def view_camera(shot: Shot, height: int, width: int) -> Camera:
    """The pinhole camera of a shot at the wanted size: its own, or that of its virtual view."""
    return _pinhole(shot).resize(height, width)


def view_to_world(shot: Shot) -> Float[Tensor, "4 4"] | None:
    """``cam_to_world`` of the pinhole view; a virtual view is turned against its fisheye camera."""
    return _turned(shot, shot.cam_to_world)


def view_to_rig(shot: Shot) -> Float[Tensor, "4 4"] | None:
    """``cam_to_rig`` likewise."""
    return _turned(shot, shot.cam_to_rig)


def pixels_on_disk(shot: Shot, pixels: Float[Tensor, "N 2"]) -> Float[Tensor, "N 2"]:
    """Where pixels of the pinhole view at its own size lie in the image as it is on disk, lens and all."""
    if shot.virtual is None or not isinstance(shot.camera, Fisheye):
        return pixels
    rays = unproject(pixels, torch.ones_like(pixels[:, 0]), shot.virtual.camera.K.to(pixels))
    return project_fisheye(rays @ shot.virtual.rotation.to(pixels).mT, shot.camera)[0]


def _turned(shot: Shot, placed: Float[Tensor, "4 4"] | None) -> Float[Tensor, "4 4"] | None:
    if placed is None or shot.virtual is None:
        return placed
    virtual_to_cam = torch.eye(4, dtype=placed.dtype)
    virtual_to_cam[:3, :3] = shot.virtual.rotation.to(virtual_to_cam.dtype)
    return placed @ virtual_to_cam


class ViewReader:
    """Reads shots at one size, and keeps what it has read where it is told to.

    Args:
        height, width: of the views, pixels.
        keep: whether decoded and resized images stay in memory, 3 bytes a pixel.
    """

    def __init__(self, height: int, width: int, *, keep: bool = False) -> None:
        self.height, self.width, self.keep = height, width, keep
        self._images: dict[object, Pixels] = {}
        self._masks: dict[object, Tensor] = {}
        self._hints: dict[Path, Tensor] = {}
        self._cues: dict[Path, Tensor] = {}
        self._lookups: dict[object, Lookup] = {}

    def pixels(self, shot: Shot) -> Pixels:
        """The image of a shot, resized or resampled.

        Raises:
            DataError: the file does not decode, or its size is not that of the shot's camera.
        """
        key = (shot.image, _view_key(shot))
        if key not in self._images:
            pixels = self._shown(shot, shot_image(shot))
            if not self.keep:
                return pixels
            self._images[key] = pixels
        return self._images[key]

    def mask(self, shot: Shot) -> Bool[Tensor, "H W"]:
        """Where the object is, of a shot that has a mask; an edge goes to whoever covers most of a pixel.

        Raises:
            DataError: the file does not decode, or its size is not that of the shot's camera.
        """
        key = (shot.mask, _view_key(shot))
        if key not in self._masks:
            bright = shot_mask(shot).to(torch.uint8) * 255
            mask = self._shown(shot, bright.expand(3, -1, -1)).image[0] > 127
            if not self.keep:
                return mask
            self._masks[key] = mask
        return self._masks[key]

    def _shown(self, shot: Shot, image: UInt8[Tensor, "3 h w"]) -> Pixels:
        if shot.virtual is None:
            whole = torch.ones(self.height, self.width, dtype=torch.bool)
            return Pixels(resize(image, self.height, self.width), whole)
        key = _view_key(shot)
        if key not in self._lookups:
            fisheye = shot.camera
            if not isinstance(fisheye, Fisheye):
                raise wrong_file(shot.image, expected="a fisheye camera under a virtual view", got="a pinhole camera")
            self._lookups[key] = fisheye_lookup(fisheye, shot.virtual, self.height, self.width)
        lookup = self._lookups[key]
        return Pixels(resample(image, lookup), lookup.covered)

    def depth(self, shot: Shot) -> Float[Tensor, "H W"]:
        """Depth along z from the shot's file; all 0 where it has none.

        Raises:
            DataError: the file does not decode, or its size is not that of the shot's camera.
        """
        if shot.depth is None or shot.virtual is not None:
            return torch.zeros(self.height, self.width)
        return resize_depth(shot_depth(shot), self.height, self.width)

    def hint(self, path: Path) -> Float[Tensor, "H W"]:
        """Depth along z that was found by matching, at the size of the views.

        Raises:
            DataError: the file does not decode, or it was made for views of another size.
        """
        if path in self._hints:
            return self._hints[path].float() / 256
        depth = read_depth(path)
        if depth.shape != (self.height, self.width):
            raise wrong_file(
                path,
                expected=f"{self.width} x {self.height} pixels, the size of the views",
                got=f"{depth.shape[1]} x {depth.shape[0]}",
                hint="scene3d data match makes them for the recipe's size",
            )
        if self.keep:
            self._hints[path] = (depth * 256).to(torch.uint16)
        return depth

    def cue(self, shot: Shot, folder: Path, kind: CueKind) -> Float[Tensor, "C H W"]:
        """What a network guessed of the image of a shot, at the pixel of the guess nearest to each of the view's.

        Returns:
            Depth [1, H, W] up to scale and shift, or normals [3, H, W].

        Raises:
            DataError: the file is not what it should be, or the view is turned against its fisheye.
        """
        path = cue_file(folder, shot, kind)
        if path in self._cues:
            return self._cues[path]
        if shot.virtual is not None and not torch.equal(shot.virtual.rotation, torch.eye(3).to(shot.virtual.rotation)):
            raise wrong_file(shot.image, expected="an image that looks where its view does, for cues", got="a fisheye")
        cue = read_cue(path, kind, shot.camera.height + shot.cut, shot.camera.width)
        own = _pinhole(shot)
        places = pixel_centres(self.height, self.width).reshape(-1, 2).double()
        places = pixels_on_disk(shot, places * places.new_tensor([own.width / self.width, own.height / self.height]))
        size = torch.tensor(cue.shape[:0:-1])
        on_disk = torch.tensor([shot.camera.width, shot.camera.height + shot.cut])
        column, row = (places * size / on_disk).nan_to_num(-1).floor().long().clamp(min=0).minimum(size - 1).unbind(1)
        picked = cue[:, row, column].reshape(-1, self.height, self.width)
        if self.keep:
            self._cues[path] = picked
        return picked

    def labels(self, shot: Shot, label_ids: Mapping[int, int]) -> Int[Tensor, "H W"]:
        """Classes from the shot's file by the reader's table; all 255 (ignore) where it has none.

        Raises:
            DataError: the file does not decode, or its size is not that of the shot's camera.
        """
        if shot.labels is None or shot.virtual is not None:
            return torch.full((self.height, self.width), IGNORE)
        ids = shot_labels(shot)
        table = torch.full((256,), IGNORE)
        for raw, label in label_ids.items():
            table[raw] = label
        return table[resize_labels(ids, self.height, self.width).long()]


def _pinhole(shot: Shot) -> Camera:
    if shot.virtual is not None:
        return shot.virtual.camera
    if isinstance(shot.camera, Camera):
        return shot.camera
    raise wrong_file(
        shot.image, expected="a pinhole camera, or a fisheye with a virtual view", got="a fisheye without one"
    )


def _view_key(shot: Shot) -> object:
    if shot.virtual is None:
        return None
    virtual = shot.virtual
    camera = (tuple(virtual.camera.K.flatten().tolist()), virtual.camera.height, virtual.camera.width)
    return shot.camera, camera, tuple(virtual.rotation.flatten().tolist())
