"""One street as KITTI-360 has it, with SSCBench voxels: cameras, scans, sparse poses, semantics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8

from scene3d.data.kitti_360 import SSCBENCH_FOLDER
from scene3d.data.sscbench import classes_of, write_classes, write_voxels
from scene3d.data.street import rig
from scene3d.data.street.calibration import pose_rows
from scene3d.data.street.categories import KITTI_360_ID, Category
from scene3d.data.street.lidar import scan_of, turn_once
from scene3d.data.street.observed import Sight, camera_sight, lidar_sight, observed_cells
from scene3d.data.street.occupancy import occupancy
from scene3d.data.street.oxts import time_stamps
from scene3d.data.street.render import View, render
from scene3d.data.street.street import Street
from scene3d.data.street.tree_files import TreeOptions, depth_pixels, link, write_png, write_scan, write_text
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.labels import CITYSCAPES, KITTI_360_IDS

Array = np.ndarray

DAY = "2013-05-28"
UNPOSED_SHARE = 0.04
"""Share of frames that `poses.txt` leaves out: in the data set, ids are sparse."""

_SIGHT_OFFSETS = (0, 10, 20, 30, 40, 50, -10)
"""Rows, about a metre each, from a voxel grid to the places whose sensors look into it."""


def sequence_name(seed: int) -> str:
    """Name of a street's sequence, by KITTI-360's pattern."""
    return f"2013_05_28_drive_{seed:04d}_sync"


def sequence_folders(name: str) -> tuple[str, ...]:
    """Every folder that belongs to one sequence; poses last, because a sequence without them is not read."""
    return (
        f"data_2d_raw/{name}",
        f"data_2d_semantics/train/{name}",
        f"data_2d_depth/{name}",
        f"data_3d_raw/{name}",
        f"{SSCBENCH_FOLDER}/data_2d_raw/{name}",
        f"{SSCBENCH_FOLDER}/preprocess/labels/{name}",
        f"{SSCBENCH_FOLDER}/data_poses/{name}",
        f"data_poses/{name}",
    )


def posed_frames(seed: int, frames: int) -> list[int]:
    """Frames that `poses.txt` has a row for: all but a few, never the first or the last."""
    left_out = max(1, round(UNPOSED_SHARE * frames)) if frames >= 10 else 0
    inner = np.random.default_rng((seed, 360)).permutation(np.arange(1, frames - 1))
    return sorted(set(range(frames)) - set(inner[:left_out].tolist()))


def write_kitti_360(street: Street, seed: int, root: Path, options: TreeOptions) -> None:
    """Write every file of one street under ``root``, which holds no other."""
    name = sequence_name(seed)
    posed = posed_frames(seed, street.frames)
    voxel_rows = range(0, len(posed), options.voxels_every) if options.voxels_every else range(0)
    sights: dict[int, list[Sight]] = {row: [] for row in voxel_rows}
    for frame in range(street.frames):
        seen = _write_frame(street, frame, seed, root, options)
        row = posed.index(frame) if frame in posed else -1
        if row in sights:
            sights[row] = seen
    _write_poses(street, posed, root, name)
    for row in voxel_rows:
        near = [sight for other in _sight_rows(row, voxel_rows) for sight in sights[other]]
        _write_grid(street, posed[row], row, near, root, name)
    if voxel_rows:
        _link_images(root, name, posed)


def _write_frame(street: Street, frame: int, seed: int, root: Path, options: TreeOptions) -> list[Sight]:
    """Pictures, semantics and scan of one frame; the answer is what its sensors saw."""
    name = sequence_name(seed)
    body_to_world = street.body_to_world(frame)
    sights = []
    for index, (camera_name, (camera, cam_to_body)) in enumerate(options.cameras().items()):
        cam_to_world = body_to_world @ cam_to_body
        view = render(street, frame, camera, cam_to_world, noise_seed=frame * 4 + index)
        kind = "data_rect" if index < 2 else "data_rgb"
        write_png(root / "data_2d_raw" / name / camera_name / kind / f"{frame:010d}.png", view.image)
        if index == 0:
            _write_left_truth(root, name, frame, view, options)
        if options.voxels_every and index != 1:
            distance = np.where(view.labels == KITTI_360_ID[Category.SKY], np.inf, view.distance)
            sights.append(camera_sight(camera, distance, cam_to_world))
    if options.scans:
        panorama = turn_once(street, frame, options.azimuth_step)
        points = scan_of(panorama, (seed, frame, 64))
        write_scan(root / "data_3d_raw" / name / "velodyne_points" / "data" / f"{frame:010d}.bin", points)
        sights.append(lidar_sight(panorama, body_to_world @ rig.velo_to_body))
    if frame == 0:
        stamps = time_stamps(street.frames, DAY)
        for camera_name in options.cameras():
            write_text(root / "data_2d_raw" / name / camera_name / "timestamps.txt", stamps)
        if options.scans:
            write_text(root / "data_3d_raw" / name / "velodyne_points" / "timestamps.txt", stamps)
    return sights


def _write_left_truth(root: Path, name: str, frame: int, view: View, options: TreeOptions) -> None:
    if options.semantics:
        folder = root / "data_2d_semantics" / "train" / name / "image_00"
        write_png(folder / "semantic" / f"{frame:010d}.png", view.labels)
        write_png(folder / "semantic_rgb" / f"{frame:010d}.png", _COLOURS[view.labels])
    if options.depth:
        write_png(root / "data_2d_depth" / name / "image_00" / f"{frame:010d}.png", depth_pixels(view.depth))


def _write_poses(street: Street, posed: Sequence[int], root: Path, name: str) -> None:
    bodies = [street.body_to_world(frame) for frame in posed]
    folder = root / "data_poses" / name
    write_text(folder / "poses.txt", pose_rows(posed, [body[:3] for body in bodies]))
    write_text(folder / "cam0_to_world.txt", pose_rows(posed, [body @ rig.left_rect_to_body for body in bodies]))
    write_text(root / SSCBENCH_FOLDER / "data_poses" / name / "poses.txt", pose_rows(posed, [b[:3] for b in bodies]))


def _sight_rows(row: int, voxel_rows: range) -> list[int]:
    """Rows whose sensors help to carve a grid: its own first, then those nearest to the wanted places."""
    last = voxel_rows[-1]
    wanted = (min(max(row + offset, 0), last) for offset in _SIGHT_OFFSETS)
    # As keys of a dict, rows keep their order and come once.
    return list(dict.fromkeys(round(place / voxel_rows.step) * voxel_rows.step for place in wanted))


def _write_grid(street: Street, frame: int, row: int, sights: list[Sight], root: Path, name: str) -> None:
    grid_to_world = street.body_to_world(frame) @ rig.velo_to_body
    labels = np.asarray(occupancy(street, frame, SSCBENCH, grid_to_world).labels)
    raw = torch.from_numpy(labels.astype(np.int32))
    invalid = ~observed_cells(raw, torch.from_numpy(grid_to_world), sights)
    folder = root / SSCBENCH_FOLDER
    write_voxels(folder / "data_2d_raw" / name / "voxels" / f"{row:06d}.label", raw, invalid=invalid)
    write_classes(folder / "preprocess" / "labels" / name / f"{row:06d}_1_1.npy", classes_of(raw, invalid))


def _link_images(root: Path, name: str, posed: Sequence[int]) -> None:
    """SSCBench's own copy of the rectified images, numbered by the row of the poses file."""
    for camera_name in ("image_00", "image_01"):
        folder = Path("data_2d_raw") / name / camera_name / "data_rect"
        for row, frame in enumerate(posed):
            link(root / folder / f"{frame:010d}.png", root / SSCBENCH_FOLDER / folder / f"{row:06d}.png")


def _colour_table() -> UInt8[Array, "256 3"]:
    table = np.zeros((256, 3), np.uint8)
    for raw, train in KITTI_360_IDS.items():
        table[raw] = CITYSCAPES.colours[train]
    return table


_COLOURS = _colour_table()
