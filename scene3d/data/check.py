"""Find what would spoil a training before it starts: every file of a data set is opened once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, read_depth, read_image
from scene3d.data.kitti_files import numbered_files, read_scan
from scene3d.data.shot_files import shot_depth, shot_image, shot_labels, shot_mask
from scene3d.data.sscbench import check_label_map, read_voxels
from scene3d.data.trees import drives_of
from scene3d.errors import Scene3dError
from scene3d.geometry.camera import Camera
from scene3d.structures.scene import Scene


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, said in one line.

    Attributes:
        file: the file, or the folder that lacks one.
        what: what was expected there, and what came.
    """

    file: Path
    what: str

    def __str__(self) -> str:
        return f"{self.file}: {self.what}"


def check_data(root: Path | str, *, workers: int | None = None) -> list[Problem]:
    """Everything that is wrong with a data set: gaps, calibration, transforms, images, masks, depth, scans, voxels.

    Args:
        root: of a KITTI raw, KITTI odometry, KITTI-360 or Cityscapes tree, or a folder of photographs in one of the
            layouts of `scene3d.data.trees.PHOTOGRAPHS`.
        workers: threads that read; None is one a core.

    Raises:
        DataError: the folder is none of these.
    """
    refused: list[Problem] = []
    problems: list[Problem] = []
    jobs: list[Callable[[], None]] = []
    for drive in drives_of(Path(root)):
        try:
            scenes = drive.read()
        except Scene3dError as error:
            refused.append(_problem(error, drive.folders[0]))
            jobs += _open_all(drive.folders)
            continue
        for scene in scenes:
            problems += [*_gaps(scene, drive.numbered), *_lone_transforms(scene), *_odd_cameras(scene)]
            jobs += [*_open_scene(scene), partial(check_label_map, scene.voxels)]
    with ThreadPoolExecutor(workers or os.cpu_count()) as pool:
        opened = [problem for problem in pool.map(_try, jobs) if problem is not None]
    # The reader may have stumbled over the same file before.
    known = {problem.file for problem in refused}
    found = [*refused, *problems, *(problem for problem in opened if problem.file not in known)]
    return sorted(set(found), key=lambda problem: (str(problem.file), problem.what))


def _problem(error: Scene3dError, place: Path) -> Problem:
    """An error of a reader, which starts with its file, as a problem."""
    file, colon, what = str(error).partition(": ")
    return Problem(Path(file), what) if colon else Problem(place, str(error))


def _try(job: Callable[[], None]) -> Problem | None:
    try:
        job()
    except Scene3dError as error:
        return _problem(error, Path("."))
    return None


def _open_scene(scene: Scene) -> list[Callable[[], None]]:
    """One job a file: it raises what is wrong with it."""
    jobs: list[Callable[[], None]] = []
    for shot in scene.shots:
        jobs.append(partial(_open, shot_image, shot))
        if shot.depth is not None:
            jobs.append(partial(_open, shot_depth, shot))
        if shot.mask is not None:
            jobs.append(partial(_open, shot_mask, shot))
        if shot.labels is not None:
            jobs.append(partial(_open, shot_labels, shot))
    jobs += [partial(_open, read_scan, scan.path) for scan in scene.scans]
    jobs += [partial(_open, read_voxels, grid) for grid in scene.voxels]
    return jobs


def _open_all(folders: Sequence[Path]) -> list[Callable[[], None]]:
    """The jobs of a drive that its reader refuses: its images and scans, of whatever size they are."""
    jobs: list[Callable[[], None]] = []
    for folder, path in ((place, path) for place in folders for path in sorted(place.rglob("*"))):
        # Depth lies in proj_depth/ or image_depth_annotated/, or is called frame-000000.depth.png.
        is_depth = "depth" in str(path.relative_to(folder).parent) or ".depth." in path.name
        if path.suffix.lower() in IMAGE_SUFFIXES:
            jobs.append(partial(_open, read_depth if is_depth else read_image, path))
        elif path.suffix == ".bin" and "velodyne" in str(path.parent):
            jobs.append(partial(_open, read_scan, path))
    return jobs


def _open(read: Callable[[Any], Tensor], what: object) -> None:
    read(what)


def _gaps(scene: Scene, numbered: bool) -> Iterable[Problem]:
    """Frames that a camera lacks between its first and its last, and those that only the other side has."""
    folders = {shot.sensor: shot.image.parent for shot in scene.shots}
    frames = {sensor: {shot.frame for shot in scene.shots if shot.sensor == sensor} for sensor in folders}
    for sensor, folder in folders.items():
        if numbered and list(folders.values()).count(folder) == 1:
            # KITTI-360 has images without a transform: they are no shots, but they are there.
            frames[sensor] |= set(numbered_files(folder, IMAGE_SUFFIXES))
    for sensor, there in frames.items():
        step = min((after - before for before, after in pairwise(sorted(there))), default=1)
        for before, after in pairwise(sorted(there)):
            if after - before > step:
                yield Problem(folders[sensor], f"no image for {_span(before + step, after - step)}")
    for one, other in (("left", "right"), ("right", "left")):
        if one in frames and other in frames:
            for frame in sorted(frames[one] - frames[other]):
                yield Problem(folders[other], f"frame {frame} is missing, which the {one} camera has")


def _span(first: int, last: int) -> str:
    return f"frame {first}" if first == last else f"frames {first} to {last}"


def _sensors(scene: Scene) -> list[str]:
    return sorted({shot.sensor for shot in scene.shots})


def _lone_transforms(scene: Scene) -> Iterable[Problem]:
    """Shots without a transform in a drive that has some."""
    without = [shot for shot in scene.shots if shot.cam_to_world is None]
    if len(without) < len(scene.shots):
        for shot in without:
            yield Problem(shot.image, f"frame {shot.frame} has no transform, which other frames of the drive have")


def _odd_cameras(scene: Scene) -> Iterable[Problem]:
    """Cameras that look like those of an image of another size: the axis is far from the middle."""
    for sensor in _sensors(scene):
        shot = next(shot for shot in scene.shots if shot.sensor == sensor)
        camera = shot.camera
        if not isinstance(camera, Camera):
            continue
        x, y = float(camera.K[0, 2]) / camera.width, float(camera.K[1, 2]) / camera.height
        if not (0.25 < x < 0.75 and 0.25 < y < 0.75):
            what = f"expected K of a {camera.width} x {camera.height} image, got one whose axis is at "
            yield Problem(shot.image.parent, f"{what}({camera.K[0, 2]:.1f}, {camera.K[1, 2]:.1f})")
