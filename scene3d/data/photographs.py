"""The configs of data sets of photographs: one scene a folder, every image with its camera."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from scene3d.data.colmap import read_colmap
from scene3d.data.middlebury import read_middlebury
from scene3d.data.neus import read_neus
from scene3d.data.rgbd import (
    SEVEN_SCENES_INTRINSICS,
    TUM_INTRINSICS,
    Intrinsics,
    read_seven_scenes,
    read_tum_rgbd,
)
from scene3d.data.splits import Splits
from scene3d.data.transforms_json import read_transforms_json
from scene3d.structures.scene import Scene


class NeusData(Splits):
    """Cases in the layout of NeuS: DTU, BlendedMVS."""

    kind: Literal["neus"] = "neus"

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The cases of these names, or all."""
        return read_neus(self.root, names)


class TransformsJsonData(Splits):
    """Folders with a `transforms.json` of Instant-NGP or nerfstudio.

    Attributes:
        skip_missing: pass over frames whose image is not there.
    """

    kind: Literal["transforms_json"] = "transforms_json"
    skip_missing: bool = False

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The folders of these names, or all."""
        return read_transforms_json(self.root, names, skip_missing=self.skip_missing)


class MiddleburyData(Splits):
    """Middlebury's multi-view stereo."""

    kind: Literal["middlebury"] = "middlebury"

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The folders of these names, or all."""
        return read_middlebury(self.root, names)


class ColmapData(Splits):
    """Folders with a COLMAP model and its images; needs pycolmap."""

    kind: Literal["colmap"] = "colmap"

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The folders of these names, or all."""
        return read_colmap(self.root, names)


class TumRgbdData(Splits):
    """TUM RGB-D sequences.

    Attributes:
        intrinsics: fx, fy, cx, cy, counted from the centre of the first pixel.
        within: largest difference in time of an image from its depth and transform, seconds.
    """

    kind: Literal["tum_rgbd"] = "tum_rgbd"
    intrinsics: Intrinsics = TUM_INTRINSICS
    within: float = Field(default=0.02, gt=0)

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The sequences of these names, or all."""
        return read_tum_rgbd(self.root, names, intrinsics=self.intrinsics, within=self.within)


class SevenScenesData(Splits):
    """7-Scenes sequences.

    Attributes:
        intrinsics: fx, fy, cx, cy, counted from the centre of the first pixel, where no `camera-intrinsics.txt` is.
    """

    kind: Literal["seven_scenes"] = "seven_scenes"
    intrinsics: Intrinsics = SEVEN_SCENES_INTRINSICS

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The sequences of these names, or all."""
        return read_seven_scenes(self.root, names, intrinsics=self.intrinsics)
