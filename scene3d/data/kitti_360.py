"""KITTI-360 -> Scenes: rectified stereo, fisheyes as virtual pinholes, velodyne, semantics and voxels.

Source: Liao et al., "KITTI-360", TPAMI 2022, and the data set's documentation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, image_size
from scene3d.data.kitti_360_poses import EstimatedPoses, read_body_poses
from scene3d.data.kitti_files import (
    as_transform,
    checked_rigid,
    numbered_files,
    projection_camera,
    read_calibration,
    read_rows,
    read_timestamps,
)
from scene3d.data.sscbench import find_voxels
from scene3d.errors import DataError, wrong_file
from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye
from scene3d.geometry.se3 import invert
from scene3d.structures.labels import KITTI_360_IDS
from scene3d.structures.scene import Scan, Scene, Shot, Virtual, VoxelFile

SENSORS = {"left": "image_00", "right": "image_01", "fisheye_left": "image_02", "fisheye_right": "image_03"}
"""Folder of each camera; the first two are rectified, the last two are fisheyes that look to the sides."""

NO_FISHEYE = "data.fisheye: false reads the stereo pair alone"

SSCBENCH_FOLDER = "SSCBench-KITTI-360"
"""Where the voxel labels are looked for when nobody says: in this folder of the data set's root."""


@dataclass(frozen=True)
class Sensor:
    """One camera of the rig: its image, and where it sits on the car.

    Attributes:
        camera: of the image as it lies on disk.
        cam_to_body: for a fisheye, of the fisheye itself, not of its virtual view.
        virtual: the pinhole view to make of a fisheye.
    """

    camera: Camera | Fisheye
    cam_to_body: Float[Tensor, "4 4"]
    virtual: Virtual | None = None


@dataclass(frozen=True)
class Rig:
    """The sensors on the car. The body is KITTI-360's "pose": the GPS/IMU, x forward, y right, z down."""

    sensors: dict[str, Sensor]
    velo_to_body: Float[Tensor, "4 4"]


def read_kitti_360(
    root: Path | str,
    names: Sequence[str] | None = None,
    *,
    fisheye: bool = True,
    pitch_degrees: float = -15.0,
    sscbench: Path | str | None = None,
    masked: bool = True,
    poses: EstimatedPoses | None = None,
) -> list[Scene]:
    """One scene a sequence; a frame without a pose, or without an image, makes no shot.

    Args:
        root: holds `calibration`, `data_2d_raw` and `data_poses`; scans, semantics and voxels are optional.
        names: sequences such as `2013_05_28_drive_0000_sync`; None takes all that have poses.
        fisheye: read the two side cameras too, as pinhole views with the left camera's K.
        pitch_degrees: turn of that view about the fisheye's x axis; negative looks down, as published.
        sscbench: root of the voxel labels; None looks for `SSCBench-KITTI-360` under `root`.
        masked: ignore cells that nobody could observe, as the data set has it. False takes every cell of a
            `.label` at its word, which is right for the procedural street alone: its labels are exact.
        poses: where the car was, instead of the data set's `data_poses`; voxels need those all the same, whose rows
            say of which frame a voxel file is.

    Raises:
        DataError: a file is missing or is not what it should be; the message names it.
    """
    root = Path(root)
    rig = read_rig(root / "calibration", fisheye=fisheye, pitch_degrees=pitch_degrees)
    voxel_root = root / SSCBENCH_FOLDER if sscbench is None else Path(sscbench)
    if sscbench is not None and not voxel_root.is_dir():
        raise wrong_file(voxel_root, expected="a folder of SSCBench voxel labels", got="no such folder")
    return [_read_sequence(root, name, rig, voxel_root, masked, poses) for name in _sequences(root, names, poses)]


def read_rig(folder: Path, *, fisheye: bool = True, pitch_degrees: float = -15.0) -> Rig:
    """Cameras and extrinsics from the five files of `calibration`.

    Raises:
        DataError: a file or a key is missing, or a rotation is not one.
    """
    perspective = read_calibration(folder / "perspective.txt")
    mounting = read_calibration(folder / "calib_cam_to_pose.txt")
    sensors = {}
    for name, index in (("left", "00"), ("right", "01")):
        width, height = (round(float(value)) for value in perspective.matrix(f"S_rect_{index}", 2))
        camera = projection_camera(perspective.matrix(f"P_rect_{index}", 3, 4), height, width)
        rectified_to_cam = invert(perspective.rotation(f"R_rect_{index}"))
        sensors[name] = Sensor(camera, mounting.transform(SENSORS[name]) @ rectified_to_cam)
    velo_file = folder / "calib_cam_to_velo.txt"
    rows = read_rows(velo_file, 12)
    if len(rows) != 1:
        raise wrong_file(velo_file, expected="one line of 12 numbers", got=f"{len(rows)} lines")
    cam_to_velo = checked_rigid(as_transform(rows[0].reshape(3, 4)), velo_file, "line 1")
    if fisheye:
        pinhole = sensors["left"].camera
        assert isinstance(pinhole, Camera)
        virtual = Virtual(camera=pinhole, rotation=_about_x(pitch_degrees))
        for name in ("fisheye_left", "fisheye_right"):
            path = folder / f"{SENSORS[name]}.yaml"
            if not path.exists():
                raise wrong_file(path, expected="the fisheye's calibration", got="no such file", hint=NO_FISHEYE)
            mirror = read_fisheye(path)
            sensors[name] = Sensor(mirror, mounting.transform(SENSORS[name]), virtual)
    return Rig(sensors, mounting.transform(SENSORS["left"]) @ invert(cam_to_velo))


def read_fisheye(path: Path) -> Fisheye:
    """A MEI camera from its OpenCV YAML; pixel centres are moved to +0.5.

    The file is read as lines of `key: number`, whose keys are all different: OpenCV's dialect, with its
    `%YAML:1.0` and colons without a space, is not YAML that a YAML reader takes.

    Raises:
        DataError: the file or one of its keys is missing.
    """
    lines = read_calibration(path)

    def value(key: str) -> float:
        return float(lines.matrix(key, 1))

    return Fisheye(
        **{key: value(key) for key in ("xi", "k1", "k2", "p1", "p2", "gamma1", "gamma2")},
        u0=value("u0") + 0.5,
        v0=value("v0") + 0.5,
        height=round(value("image_height")),
        width=round(value("image_width")),
    )


def _sequences(root: Path, names: Sequence[str] | None, poses: EstimatedPoses | None) -> list[str]:
    images = root / "data_2d_raw"
    if not images.is_dir():
        raise wrong_file(images, expected="a folder of sequences", got="no such folder")
    there = sorted(folder.name for folder in images.iterdir() if folder.is_dir())
    if names is None:
        # The data set publishes no poses of its test sequences.
        with_poses = [
            name for name in there if (_poses_file(root, name) if poses is None else poses.file(name)).exists()
        ]
        if not with_poses:
            folder = root / "data_poses" if poses is None else poses.folder
            raise wrong_file(folder, expected="<sequence>/poses.txt", got=f"none of {there}")
        return with_poses
    for name in names:
        if name not in there:
            raise DataError(f"{images}: no sequence {name}", hint=f"there are {', '.join(there) or 'none'}")
    return list(names)


def _poses_file(root: Path, name: str) -> Path:
    return root / "data_poses" / name / "poses.txt"


def _read_sequence(
    root: Path, name: str, rig: Rig, voxel_root: Path, masked: bool, estimated: EstimatedPoses | None
) -> Scene:
    if estimated is None:
        poses = read_body_poses(_poses_file(root, name))
    else:
        poses = estimated.read(name, rig.sensors["left"].cam_to_body)
    shots = [shot for sensor in rig.sensors for shot in _shots(root, name, sensor, rig.sensors[sensor], poses)]
    order = list(SENSORS)
    scans = numbered_files(root / "data_3d_raw" / name / "velodyne_points" / "data", (".bin",))
    voxels = find_voxels(voxel_root, name)
    # Numbers of voxel files are rows of the data set's own file, whoever says where the car was.
    frames = list(read_body_poses(_poses_file(root, name)) if voxels and estimated is not None else poses)
    if voxels and max(voxels) >= len(frames):
        raise wrong_file(
            voxels[max(voxels)][0],
            expected=f"a row of {_poses_file(root, name)}, which has {len(frames)}",
            got=f"row {max(voxels)}",
        )
    return Scene(
        name=name,
        shots=tuple(sorted(shots, key=lambda shot: (shot.frame, order.index(shot.sensor)))),
        scans=tuple(
            Scan(path=_whole_scan(path), frame=frame, scan_to_world=poses[frame] @ rig.velo_to_body)
            for frame, path in sorted(scans.items())
            if frame in poses
        ),
        voxels=tuple(
            VoxelFile(
                labels=labels,
                invalid=invalid if masked else None,
                frame=frames[row],
                grid_to_world=poses[frames[row]] @ rig.velo_to_body,
            )
            for row, (labels, invalid) in voxels.items()
            if frames[row] in poses
        ),
        label_ids=KITTI_360_IDS,
    )


def _shots(root: Path, name: str, sensor: str, mounted: Sensor, poses: dict[int, Tensor]) -> list[Shot]:
    camera_folder = root / "data_2d_raw" / name / SENSORS[sensor]
    folder = camera_folder / ("data_rgb" if isinstance(mounted.camera, Fisheye) else "data_rect")
    if not folder.is_dir():
        hint = NO_FISHEYE if isinstance(mounted.camera, Fisheye) else None
        raise wrong_file(folder, expected=f"the images of camera {sensor}", got="no such folder", hint=hint)
    images = numbered_files(folder, IMAGE_SUFFIXES)
    if images:
        _check_size(images[min(images)], mounted.camera)
    semantics = root / "data_2d_semantics" / "train" / name / SENSORS[sensor] / "semantic"
    labels = numbered_files(semantics, (".png",))
    # Not part of KITTI-360: the procedural street adds what it knows exactly.
    depths = numbered_files(root / "data_2d_depth" / name / SENSORS[sensor], (".png",))
    times = _times(camera_folder / "timestamps.txt")
    return [
        Shot(
            image=images[frame],
            frame=frame,
            sensor=sensor,
            camera=mounted.camera,
            cam_to_world=pose @ mounted.cam_to_body,
            cam_to_rig=mounted.cam_to_body,
            virtual=mounted.virtual,
            time=times.get(frame),
            labels=labels.get(frame),
            depth=depths.get(frame),
        )
        for frame, pose in poses.items()
        if frame in images
    ]


def _times(path: Path) -> dict[int, float]:
    if not path.exists():
        return {}
    stamps = read_timestamps(path)
    start = min(stamps.values(), default=0)
    return {frame: (stamp - start) * 1e-9 for frame, stamp in stamps.items()}


def _check_size(path: Path, camera: Camera | Fisheye) -> None:
    height, width = image_size(path)
    if (height, width) != (camera.height, camera.width):
        raise wrong_file(
            path,
            expected=f"{camera.width} x {camera.height} pixels, as the calibration says",
            got=f"{width} x {height}",
            hint="S_rect, P_rect and the fisheyes' yaml must belong to the images on disk",
        )


def _whole_scan(path: Path) -> Path:
    size = path.stat().st_size
    if size == 0 or size % 16:
        raise wrong_file(path, expected="points of 16 bytes (4 float32)", got=f"{size} bytes")
    return path


def _about_x(degrees: float) -> Float[Tensor, "3 3"]:
    angle = math.radians(degrees)
    c, s = math.cos(angle), math.sin(angle)
    return torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]], dtype=torch.float64)
