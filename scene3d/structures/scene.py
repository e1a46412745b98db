"""A scene as it lies on disk: paths, cameras, transforms and times. Small, lazy, made by readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye
from scene3d.structures.sparse import SparsePoints


@dataclass(frozen=True, kw_only=True)
class Virtual:
    """A pinhole view that is resampled from a fisheye or distorted image; both share one centre."""

    camera: Camera
    rotation: Float[Tensor, "3 3"]  # virtual_to_fisheye


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One image with what is known of it.

    Attributes:
        image: the file.
        frame: number of the frame in the drive; shots of one instant share it.
        sensor: which camera of the rig: "left", "right", "fisheye_left", "fisheye_right", or a name of the reader's.
        camera: of the image as it lies on disk, without the rows that are `cut`.
        cam_to_world: of that camera; None where it is to be estimated.
        cam_to_rig: of that camera on the car, so that cameras of one frame know each other's place where the car's is
            unknown; None where the reader does not say.
        virtual: the pinhole view to make of a fisheye or distorted image; None for a pinhole image.
        time: seconds since the start of the scene.
        labels: PNG of class ids of the same size, in the id space of the reader's `Scene.label_ids`.
        mask: PNG of the same size, bright where the object of the scene is.
        depth: 16-bit PNG of depth along z, 0 where not measured.
        depth_steps: of the depth file a metre: 256 for KITTI's and ours, 1000 for millimetres, 5000 for TUM's.
        depth_unknown: a value that says "not measured" as well; 7-Scenes writes 65535.
        focal_baseline: focal length times baseline, pixels x metres, where the depth file holds Cityscapes' disparity
            instead: depth is this over (value - 1) / 256, and 0 is not measured; None where it holds depth.
        cut: rows at the bottom of every file of the shot, such as those of the car's own bonnet, that are left out.
    """

    image: Path
    frame: int
    sensor: str
    camera: Camera | Fisheye
    cam_to_world: Float[Tensor, "4 4"] | None = None
    cam_to_rig: Float[Tensor, "4 4"] | None = None
    virtual: Virtual | None = None
    time: float | None = None
    labels: Path | None = None
    mask: Path | None = None
    depth: Path | None = None
    depth_steps: float = 256.0
    depth_unknown: int = 0
    focal_baseline: float | None = None
    cut: int = 0


@dataclass(frozen=True, kw_only=True)
class Scan:
    """One lidar scan: float32 little endian [N, 4] of x, y, z (metres, x forward, y left, z up) and reflectance."""

    path: Path
    frame: int
    scan_to_world: Float[Tensor, "4 4"] | None = None


@dataclass(frozen=True, kw_only=True)
class VoxelFile:
    """One ground-truth grid of classes in the frame of `scene3d.geometry.voxels.SSCBENCH`.

    Attributes:
        labels: `.label` (uint16 raw ids) or `_1_1.npy` (class indices, 255 = ignore).
        invalid: `.invalid` mask that goes with a `.label`; None for an npy.
        frame: number of the frame in the drive.
        grid_to_world: of the grid (velodyne axes).
    """

    labels: Path
    invalid: Path | None = None
    frame: int
    grid_to_world: Float[Tensor, "4 4"] | None = None


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A drive, or any set of images of one place.

    Attributes:
        name: what to call it in messages and tables.
        shots: in order of frame, then sensor.
        scans: lidar, in order of frame; frames without a scan are simply absent.
        voxels: ground-truth grids, in order of frame.
        label_ids: raw id of the semantic PNGs -> index of `scene3d.structures.labels.CITYSCAPES`; absent = 255.
        bounds: corners (min, max) of the region of interest in the world, metres; None where unknown.
        sparse: points of the surface that were found along with the cameras; None where the reader has none.
    """

    name: str
    shots: tuple[Shot, ...]
    scans: tuple[Scan, ...] = ()
    voxels: tuple[VoxelFile, ...] = ()
    label_ids: Mapping[int, int] = field(default_factory=dict)
    bounds: Float[Tensor, "2 3"] | None = None
    sparse: SparsePoints | None = None
