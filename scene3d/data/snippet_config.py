"""What a training sample holds: its views, its ground truth, and how it is varied."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from scene3d.config import Config
from scene3d.data.cues import CuesConfig
from scene3d.data.normalisation import RegionConfig
from scene3d.structures.labels import SSC, SSCBENCH

TruthKind = Literal["scan", "scan as published", "file"]
"""Where the true depth of an image comes from, at the size of the image; see `scene3d.data.depth_truth`."""

VOXEL_SPACES = {space.name: space for space in (SSC, SSCBENCH)}
"""What the classes of voxels can be told in."""


class ViewSpec(Config):
    """One view of a sample: which camera, how many frames after the reference.

    Attributes:
        sensor: name of the camera in the rig.
        offset: frames after the reference, or a range (first, last) from which one number is drawn a
            sample; views with the same range share the draw. At evaluation the first number that fits.
        plus: frames after that offset.
    """

    sensor: str
    offset: int | tuple[int, int] = 0
    plus: int = 0


class PoseNoiseConfig(Config):
    """How far the car's place at another instant than the reference's is moved at random; 0 leaves it.

    Attributes:
        degrees: standard deviation of the rotation about each axis.
        metres: standard deviation along each axis.
    """

    degrees: float = Field(default=0.0, ge=0)
    metres: float = Field(default=0.0, ge=0)


class SnippetConfig(Config):
    """What a sample holds, and how it is varied in training.

    Attributes:
        views: the reference, at offset 0, then the views that support it.
        height, width: of every view, pixels.
        require: "all" leaves out frames that lack any view; "reference" marks such views as not present.
        motion: "estimated" leaves out where the camera was at other instants, for methods that are to find out.
        need: what a frame must have besides; it is read then, too.
        depth: from the shots' files, or from the scan of the same frame projected into each view.
        truth: what to score depth against, at the size of the image and not at that of the view; None reads none. A
            frame must have it then. An evaluation sets it, as its depth protocol says.
        truth_folder: where `scene3d data depth-truth` prepared it; None makes it from the drive's files each time.
        hints: folder of depth images that `scene3d data match` made of these drives; None reads none.
        cues: depth and normals that a network guessed of the images, for training only; None reads none.
        labels, voxels, points: whether to read classes of pixels, classes of voxels, and the scan.
        voxel_space: which classes of voxels to tell apart. An evaluation sets it, as its protocol says.
        scans: of so many instants from the reference's on, for evaluation; samples that have fewer carry none.
        frames: first and last frame number to use as reference; None is all.
        every: use as reference only frames whose number is a multiple of this.
        held: of a scene's frames in order, the first and every so manieth after it: whether they alone are references,
            or all but they. None takes all. `Splits.hold_out` sets it.
        region: what is to be reconstructed. Transforms then are those of the scene's world, in float64, and no longer
            relative to view 0. None is for methods that look at one snippet at a time.
        masks: read where the object is, of every view; a shot without a mask is an error.
        agreement: pixels of a mask are not valid that see no place in the region which this share of the references'
            masks hold (`scene3d.data.mask_agreement`); None believes every mask. Training only.
        room_axes: seek the three directions that edges in the references run along (`scene3d.geometry.room_axes`), for
            a surface that is told that walls are square. Training only.
        flip: probability of mirroring a sample; training only.
        jitter: probability of changing its colours; training only.
        pose_noise: how wrong the transforms between instants are made; training only. It shows what a method bears.
        random_side: whether left and right cameras are swapped half of the time; training only.
        cache: "memory" keeps the resized images of every view, 3 bytes a pixel.
    """

    views: tuple[ViewSpec, ...] = Field(default=(ViewSpec(sensor="left"),), min_length=1)
    height: int = Field(default=192, gt=0)
    width: int = Field(default=640, gt=0)
    require: Literal["reference", "all"] = "all"
    motion: Literal["given", "estimated"] = "given"
    need: tuple[Literal["depth", "labels", "voxels", "points"], ...] = ()
    depth: Literal["file", "scan"] | None = None
    truth: TruthKind | None = None
    truth_folder: Path | None = None
    hints: Path | None = None
    cues: CuesConfig | None = None
    labels: bool = False
    voxels: bool = False
    points: bool = False
    scans: int = Field(default=0, ge=0)
    voxel_space: Literal["S4C 15", "SSCBench"] = "S4C 15"
    frames: tuple[int, int] | None = None
    every: int = Field(default=1, gt=0)
    held: tuple[int, Literal["alone", "without"]] | None = None
    region: RegionConfig | None = None
    masks: bool = False
    agreement: float | None = Field(default=None, gt=0, le=1)
    room_axes: bool = False
    flip: float = Field(default=0.0, ge=0, le=1)
    jitter: float = Field(default=0.0, ge=0, le=1)
    pose_noise: PoseNoiseConfig = PoseNoiseConfig()
    random_side: bool = False
    cache: Literal["memory", "none"] = "none"

    def wants(self, what: Literal["depth", "labels", "voxels", "points"]) -> bool:
        """Whether a sample is to carry this, because it is asked for or needed."""
        return bool(getattr(self, what)) or what in self.need

    @field_validator("views")
    @classmethod
    def _reference_comes_first(cls, views: tuple[ViewSpec, ...]) -> tuple[ViewSpec, ...]:
        if views[0].offset != 0 or views[0].plus != 0:
            raise ValueError(f"the first view is the reference and has offset 0, got {views[0]}")
        for view in views:
            if isinstance(view.offset, tuple) and view.offset[0] > view.offset[1]:
                raise ValueError(f"a range of offsets runs from low to high, got {view.offset}")
        return views

    @model_validator(mode="after")
    def _agreement_is_of_masks_in_a_region(self) -> SnippetConfig:
        if self.agreement is not None and (not self.masks or self.region is None or self.random_side):
            raise ValueError("agreement: expected masks: true, a region and random_side: false with it")
        return self

    @model_validator(mode="after")
    def _axes_are_of_a_region(self) -> SnippetConfig:
        if self.room_axes and (self.region is None or self.random_side):
            raise ValueError("room_axes: expected a region and random_side: false with it")
        return self


KITTI_360_VIEWS = (
    *(ViewSpec(sensor=side, offset=0, plus=plus) for side in ("left", "right") for plus in (0, 1)),
    *(ViewSpec(sensor=f"fisheye_{side}", offset=(10, 40), plus=plus) for side in ("left", "right") for plus in (0, 1)),
)
"""The eight views of the published training: stereo at t and t + 1, and both fisheyes 1 to 4 s later.

Source: Jevtic et al., "Feed-forward SceneDINO for unsupervised semantic scene completion", ICCV 2025.
"""


def hint_file(folder: Path, scene: str, sensor: str, frame: int) -> Path:
    """Where the depth image of a shot lies that was found by matching."""
    return folder / scene / sensor / f"{frame:010d}.png"
