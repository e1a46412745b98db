"""KITTI raw drives and odometry sequences -> Scenes of rectified stereo shots, lidar scans and depth maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, image_size
from scene3d.data.kitti_files import (
    Calibration,
    numbered_files,
    oxts_to_world,
    projection_camera,
    projection_offset,
    read_calibration,
    read_oxts,
    read_poses,
    read_rows,
    read_timestamps,
)
from scene3d.errors import DataError, wrong_file
from scene3d.geometry.camera import Camera
from scene3d.geometry.se3 import invert
from scene3d.structures.scene import Scan, Scene, Shot, VoxelFile

SIDES = ({"left": 2, "right": 3}, {"left": 0, "right": 1})
"""Camera numbers of the stereo pairs, colour before gray; cam 0, rectified, is the frame of KITTI's poses."""


@dataclass(frozen=True)
class _Drive:
    """What a raw drive and an odometry sequence have in common, by frame number.

    Attributes:
        images: files of each side.
        depths: annotated depth of each side.
        cameras: of each side, as the images lie on disk.
        cam0_to_cam: of each side.
        velo_to_cam0: None where the calibration does not say.
        cam0_to_world: of the frames whose transform is known.
        times: seconds since the start.
        voxels: SemanticKITTI's `.label` files.
    """

    name: str
    images: Mapping[str, Mapping[int, Path]]
    depths: Mapping[str, Mapping[int, Path]]
    scans: Mapping[int, Path]
    cameras: Mapping[str, Camera]
    cam0_to_cam: Mapping[str, Float[Tensor, "4 4"]]
    velo_to_cam0: Float[Tensor, "4 4"] | None
    cam0_to_world: Mapping[int, Float[Tensor, "4 4"]]
    times: Mapping[int, float]
    voxels: Mapping[int, Path] = field(default_factory=dict)


def read_kitti_raw(
    root: Path | str, names: Sequence[str] | None = None, *, scan_poses: Path | str | None = None
) -> list[Scene]:
    """Scenes of the KITTI raw tree ``ROOT/<date>/<date>_drive_<number>_sync``.

    Transforms come from `scan_poses` if it is given, else from ``ROOT/poses/<date>/<drive>.txt`` (12 numbers
    a line, line i = frame i, rectified cam 0 -> world), else from the OXTS records, else they are None.

    Args:
        root: folder that holds the dates.
        names: drives to read, such as "2011_09_26_drive_0001_sync"; None reads all.
        scan_poses: a file of 12 numbers a line, velodyne at frame i -> world, of the one drive that is read.

    Raises:
        DataError: a drive is missing, or a file of it is not what it should be.
    """
    root, scan_poses = Path(root), None if scan_poses is None else Path(scan_poses)
    folders = {folder.name: folder for folder in sorted(root.glob("????_??_??/*_drive_*")) if folder.is_dir()}
    chosen = _choose(root, folders, names, expected="a drive ROOT/<date>/<date>_drive_<number>_sync")
    if scan_poses is not None and len(chosen) != 1:
        raise DataError(f"{scan_poses}: transforms of one drive were given for {len(chosen)} drives of {root}")
    return [_scene(_raw_drive(root, folder, scan_poses)) for folder in chosen]


def read_kitti_odometry(root: Path | str, names: Sequence[str] | None = None) -> list[Scene]:
    """Scenes of the KITTI odometry tree ``ROOT/sequences/XX`` with ``ROOT/poses/XX.txt`` where it is there.

    Annotated depth of the left colour camera is taken from ``image_depth_annotated/`` of a sequence, and
    SemanticKITTI's voxel labels from its ``voxels/``.

    Args:
        root: folder that holds ``sequences``.
        names: sequences to read, such as "07"; None reads all.

    Raises:
        DataError: a sequence is missing, or a file of it is not what it should be.
    """
    root = Path(root)
    folders = {folder.name: folder for folder in sorted((root / "sequences").glob("*")) if folder.is_dir()}
    chosen = _choose(root, folders, names, expected="a sequence ROOT/sequences/<number>")
    return [_scene(_odometry_drive(root, folder)) for folder in chosen]


def _choose(root: Path, folders: Mapping[str, Path], names: Sequence[str] | None, *, expected: str) -> list[Path]:
    if not folders:
        raise wrong_file(root, expected=expected, got="none" if root.is_dir() else "no such folder")
    for name in names or ():
        if name not in folders:
            known = ", ".join(list(folders)[:5]) + (", ..." if len(folders) > 5 else "")
            raise wrong_file(root, expected=f"a drive named {name}", got=known)
    return [folders[name] for name in (folders if names is None else names)]


def _raw_drive(root: Path, folder: Path, scan_poses: Path | None) -> _Drive:
    date = folder.parent
    cam = read_calibration(date / "calib_cam_to_cam.txt")
    numbers = _stereo_numbers(folder, lambda number: f"image_{number:02d}/data")
    images = {side: numbered_files(folder / f"image_{n:02d}" / "data", IMAGE_SUFFIXES) for side, n in numbers.items()}
    projections = {side: cam.matrix(f"P_rect_{n:02d}", 3, 4) for side, n in numbers.items()}
    cameras = {}
    for side, n in numbers.items():
        width, height = (int(value) for value in cam.matrix(f"S_rect_{n:02d}", 2).tolist())
        cameras[side] = projection_camera(projections[side], height, width)
    velo_to_cam0 = _velo_to_cam0(date, cam)
    depth = folder / "proj_depth" / "groundtruth"
    return _Drive(
        name=folder.name,
        images=images,
        depths={s: numbered_files(depth / f"image_{n:02d}", (".png",)) for s, n in numbers.items()},
        scans=numbered_files(folder / "velodyne_points" / "data", (".bin",)),
        cameras=cameras,
        cam0_to_cam={side: projection_offset(p) for side, p in projections.items()},
        velo_to_cam0=velo_to_cam0,
        cam0_to_world=_raw_transforms(root, folder, velo_to_cam0, scan_poses),
        times=_raw_times(folder / f"image_{min(numbers.values()):02d}" / "timestamps.txt"),
    )


def _velo_to_cam0(date: Path, cam: Calibration) -> Float[Tensor, "4 4"] | None:
    path = date / "calib_velo_to_cam.txt"
    if not path.exists():
        return None
    return cam.rotation("R_rect_00") @ read_calibration(path).rigid("R", "T")


def _raw_transforms(
    root: Path, folder: Path, velo_to_cam0: Float[Tensor, "4 4"] | None, scan_poses: Path | None
) -> Mapping[int, Float[Tensor, "4 4"]]:
    date = folder.parent
    cam0_poses = root / "poses" / date.name / f"{folder.name}.txt"
    if scan_poses is None and cam0_poses.exists():
        return dict(enumerate(read_poses(cam0_poses)))
    records = numbered_files(folder / "oxts" / "data", (".txt",))
    if scan_poses is None and not records:
        return {}
    if velo_to_cam0 is None:
        raise wrong_file(date / "calib_velo_to_cam.txt", expected="the velodyne's calibration", got="no such file")
    if scan_poses is not None:
        return {i: velo @ invert(velo_to_cam0) for i, velo in enumerate(read_poses(scan_poses))}
    imu_to_velo = read_calibration(date / "calib_imu_to_velo.txt").rigid("R", "T")
    cam0_to_imu = invert(velo_to_cam0 @ imu_to_velo)
    imu_to_world = oxts_to_world({frame: read_oxts(path) for frame, path in records.items()})
    return {frame: matrix @ cam0_to_imu for frame, matrix in imu_to_world.items()}


def _raw_times(path: Path) -> dict[int, float]:
    if not path.exists():
        return {}
    times = read_timestamps(path)
    start = min(times.values(), default=0)
    return {frame: (time - start) / 1e9 for frame, time in times.items()}


def _odometry_drive(root: Path, folder: Path) -> _Drive:
    calibration = read_calibration(folder / "calib.txt")
    numbers = _stereo_numbers(folder, lambda number: f"image_{number}")
    images = {side: numbered_files(folder / f"image_{n}", IMAGE_SUFFIXES) for side, n in numbers.items()}
    projections = {side: calibration.matrix(f"P{n}", 3, 4) for side, n in numbers.items()}
    cameras = {}
    for side, files in images.items():
        # The calibration of the odometry set does not say the size of the images.
        height, width = image_size(next(iter(files.values())))
        cameras[side] = projection_camera(projections[side], height, width)
    annotated = numbered_files(folder / "image_depth_annotated", (".png",)) if numbers.get("left") == 2 else {}
    poses, times = root / "poses" / f"{folder.name}.txt", folder / "times.txt"
    return _Drive(
        name=folder.name,
        images=images,
        depths={"left": annotated},
        scans=numbered_files(folder / "velodyne", (".bin",)),
        cameras=cameras,
        cam0_to_cam={side: projection_offset(p) for side, p in projections.items()},
        velo_to_cam0=calibration.transform("Tr") if "Tr" in calibration.values else None,
        cam0_to_world=dict(enumerate(read_poses(poses))) if poses.exists() else {},
        times=dict(enumerate(read_rows(times, 1)[:, 0].tolist())) if times.exists() else {},
        voxels=numbered_files(folder / "voxels", (".label",)),
    )


def _stereo_numbers(folder: Path, image_folder: Callable[[int], str]) -> dict[str, int]:
    """Camera number of each side that has images: colour if there is any, else gray."""
    for pair in SIDES:
        there = {s: n for s, n in pair.items() if numbered_files(folder / image_folder(n), IMAGE_SUFFIXES)}
        if there:
            return there
    raise wrong_file(folder, expected=f"numbered PNG or JPEG images in {image_folder(2)}", got="none")


def _scene(drive: _Drive) -> Scene:
    shots = [_shot(drive, side, frame) for side, frame in _in_order(drive.images)]
    scans = tuple(
        Scan(path=path, frame=frame, scan_to_world=_scan_to_world(drive, frame))
        for frame, path in sorted(drive.scans.items())
    )
    voxels = tuple(
        VoxelFile(
            labels=path,
            invalid=path.with_suffix(".invalid"),
            frame=frame,
            grid_to_world=_scan_to_world(drive, frame),
        )
        for frame, path in sorted(drive.voxels.items())
    )
    return Scene(name=drive.name, shots=tuple(shots), scans=scans, voxels=voxels)


def _in_order(images: Mapping[str, Mapping[int, Path]]) -> Iterable[tuple[str, int]]:
    frames = sorted({frame for files in images.values() for frame in files})
    return [(side, frame) for frame in frames for side, files in images.items() if frame in files]


def _shot(drive: _Drive, side: str, frame: int) -> Shot:
    cam0_to_world, cam_to_cam0 = drive.cam0_to_world.get(frame), invert(drive.cam0_to_cam[side])
    return Shot(
        image=drive.images[side][frame],
        frame=frame,
        sensor=side,
        camera=drive.cameras[side],
        cam_to_world=None if cam0_to_world is None else cam0_to_world @ cam_to_cam0,
        cam_to_rig=cam_to_cam0,
        time=drive.times.get(frame),
        depth=drive.depths.get(side, {}).get(frame),
    )


def _scan_to_world(drive: _Drive, frame: int) -> Float[Tensor, "4 4"] | None:
    if drive.velo_to_cam0 is None or frame not in drive.cam0_to_world:
        return None
    return drive.cam0_to_world[frame] @ drive.velo_to_cam0
