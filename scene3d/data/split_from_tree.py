"""Split lists made from a tree of KITTI: every frame with its neighbours, without those that stand still.

They are ours. The lists that papers share were made alike, but are not derived again to the last frame.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from scene3d.data.kitti import read_kitti_odometry, read_kitti_raw
from scene3d.data.kitti_files import numbered_files, read_oxts
from scene3d.data.split_files import Sample
from scene3d.errors import DataError, wrong_file
from scene3d.structures.scene import Scene

NORTH, EAST = 6, 7
"""Places, counted from 0, of the velocities to the north and to the east (m/s) in an OXTS record."""


def samples_of_tree(
    root: Path | str,
    *,
    sides: Sequence[str] = ("left", "right"),
    neighbours: int = 1,
    slowest: float = 0.0,
    without: Collection[str] = (),
) -> list[Sample]:
    """The samples of every drive of a KITTI raw or odometry tree, in order of drive, frame and side.

    Args:
        root: of the tree.
        sides: from which cameras.
        neighbours: how many frames before and after one its camera must have.
        slowest: frames in which the car was slower than this are left out, m/s by the OXTS record, which only raw
            drives have; 0 keeps all. Zhou et al. (CVPR 2017) leave static frames out by optical flow.
        without: names of drives to leave out, such as those of a test list.

    Raises:
        DataError: the tree is none of the two, a drive is damaged, a speed is asked for and not recorded, or no
            sample is left.
    """
    root = Path(root)
    odometry = (root / "sequences").is_dir()
    scenes = read_kitti_odometry(root) if odometry else read_kitti_raw(root)
    samples: list[Sample] = []
    for scene in scenes:
        if scene.name in without:
            continue
        found = with_neighbours(scene, sides, neighbours)
        if slowest > 0:
            speeds = recorded_speeds(root, scene.name)
            found = [sample for sample in found if speeds.get(sample.frame, 0.0) >= slowest]
        samples += found
    if not samples:
        raise DataError(f"{root}: no frame of its {len(scenes)} drives is left for the list")
    return samples


def with_neighbours(scene: Scene, sides: Sequence[str], neighbours: int) -> list[Sample]:
    """The shots of a drive whose camera also has so many frames right before and right after them."""
    frames = {side: {shot.frame for shot in scene.shots if shot.sensor == side} for side in sides}
    around = [offset for offset in range(-neighbours, neighbours + 1) if offset]
    return [
        Sample(scene.name, shot.frame, shot.sensor)
        for shot in scene.shots
        if shot.sensor in frames and all(shot.frame + offset in frames[shot.sensor] for offset in around)
    ]


def recorded_speeds(root: Path, drive: str) -> Mapping[int, float]:
    """Speed over ground in m/s of every frame of a raw drive that has an OXTS record.

    Raises:
        DataError: the drive has no record at all, or one that is damaged.
    """
    folders = list(root.glob(f"????_??_??/{drive}/oxts/data"))
    records = numbered_files(folders[0], (".txt",)) if folders else {}
    if not records:
        raise wrong_file(root, expected=f"OXTS records of {drive}, which say its speed", got="none")
    speeds = {}
    for frame, path in records.items():
        record = read_oxts(path)
        speeds[frame] = math.hypot(float(record[NORTH]), float(record[EAST]))
    return speeds
