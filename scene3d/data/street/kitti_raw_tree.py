"""One street as KITTI raw has it: a synced drive of two colour cameras, velodyne and OXTS."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from scene3d.data.street.lidar import scan_of, turn_once
from scene3d.data.street.oxts import FIELDS, oxts_lines, time_stamps
from scene3d.data.street.render import render
from scene3d.data.street.street import Street
from scene3d.data.street.tree_files import TreeOptions, depth_pixels, write_png, write_scan, write_text

DATE = "2011_09_26"
CAMERAS = {"image_00": "image_02", "image_01": "image_03"}
"""Folder of the street's left and right camera in a raw drive, where 00 and 01 are gray."""


def drive_name(seed: int) -> str:
    """Name of a street's drive, by KITTI raw's pattern."""
    return f"{DATE}_drive_{seed:04d}_sync"


def write_kitti_raw(street: Street, seed: int, root: Path, options: TreeOptions) -> None:
    """Write every file of one street under ``root``, which holds no other."""
    folder = root / DATE / drive_name(seed)
    stamps = time_stamps(street.frames)
    bodies = np.stack([street.body_to_world(frame) for frame in range(street.frames)])
    for frame, line in enumerate(oxts_lines(bodies)):
        write_text(folder / "oxts" / "data" / f"{frame:010d}.txt", line)
    write_text(folder / "oxts" / "dataformat.txt", (f"{field}:\n" for field in FIELDS))
    write_text(folder / "oxts" / "timestamps.txt", stamps)
    cameras = options.cameras()
    for index, (name, raw_name) in enumerate(CAMERAS.items()):
        camera, cam_to_body = cameras[name]
        write_text(folder / raw_name / "timestamps.txt", stamps)
        for frame, body_to_world in enumerate(bodies):
            view = render(street, frame, camera, body_to_world @ cam_to_body, noise_seed=frame * 4 + index)
            write_png(folder / raw_name / "data" / f"{frame:010d}.png", view.image)
            if options.depth:
                truth = folder / "proj_depth" / "groundtruth" / raw_name / f"{frame:010d}.png"
                write_png(truth, depth_pixels(view.depth))
    if options.scans:
        scans = folder / "velodyne_points"
        for name in ("timestamps.txt", "timestamps_start.txt", "timestamps_end.txt"):
            write_text(scans / name, stamps)
        for frame in range(street.frames):
            points = scan_of(turn_once(street, frame, options.azimuth_step), (seed, frame, 64))
            write_scan(scans / "data" / f"{frame:010d}.bin", points)
