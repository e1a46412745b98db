"""Streets on disk as KITTI-360 with SSCBench or as KITTI raw: in parallel, each whole or not at all."""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch

from scene3d.data.kitti_360 import SSCBENCH_FOLDER
from scene3d.data.street import rig
from scene3d.data.street.calibration import kitti_360_files, kitti_raw_files
from scene3d.data.street.kitti_360_tree import (
    sequence_folders,
    sequence_name,
    write_kitti_360,
)
from scene3d.data.street.kitti_raw_tree import DATE, drive_name, write_kitti_raw
from scene3d.data.street.layout import make_street
from scene3d.data.street.street import StreetConfig
from scene3d.data.street.tree_files import TreeOptions, write_text
from scene3d.errors import DataError, UsageError

Layout = Literal["kitti-360", "kitti-raw"]
Progress = Callable[[str, int, int], None]
"""Called after each street with its name, how many are done, and of how many."""


@dataclass(frozen=True)
class _Job:
    """One street to write; small, so that it can be sent to another process."""

    root: Path
    seed: int
    config: StreetConfig
    options: TreeOptions
    layout: Layout
    overwrite: bool

    @property
    def name(self) -> str:
        return sequence_name(self.seed) if self.layout == "kitti-360" else drive_name(self.seed)

    @property
    def folders(self) -> tuple[str, ...]:
        return sequence_folders(self.name) if self.layout == "kitti-360" else (f"{DATE}/{self.name}",)


def write_streets(
    root: Path | str,
    seeds: Sequence[int],
    *,
    config: StreetConfig | None = None,
    size: tuple[int, int] = rig.PERSPECTIVE_SIZE,
    fisheye: int | None = rig.FISHEYE_SIZE[0],
    layout: Layout = "kitti-360",
    voxels_every: int = 5,
    scans: bool = True,
    semantics: bool = True,
    depth: bool = True,
    azimuth_step: float = 0.2,
    workers: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> list[str]:
    """Make the streets of some seeds and write them as a data set's tree.

    A street is written to a hidden folder of ``root`` and moved into place when it is whole. Streets may be
    added to a tree that is there, if its images are of the same size.

    Args:
        root: of the tree; made where it is missing.
        seeds: one street each, 0 to 9999; also the number of its sequence or drive.
        config: what streets are like.
        size: height and width of the rectified images; 376 x 1408 is the real cameras'.
        fisheye: side of the fisheye images, 1400 in the data set; None leaves them out.
        layout: "kitti-raw" writes no fisheyes, semantics or voxels, which that data set has not.
        voxels_every: rows of `poses.txt` from one voxel grid to the next, 5 in SSCBench; 0 writes none.
        scans: whether to write velodyne scans.
        semantics: whether to write class ids of the left image.
        depth: whether to write exact depth of the left image; KITTI-360 has none, and its readers ignore it.
        azimuth_step: degrees between the laser's columns.
        workers: processes; None takes one a CPU, 1 works in this process.
        overwrite: replace streets that are there.
        progress: called after every street.

    Returns:
        Names of the sequences or drives, in the order of ``seeds``.

    Raises:
        UsageError: a seed comes twice or has more than four digits.
        DataError: a street is there already, the tree's calibration is of another image size, or the disk is full.
    """
    root = Path(root)
    options = TreeOptions(
        size=size,
        fisheye=fisheye if layout == "kitti-360" else None,
        voxels_every=voxels_every,
        scans=scans,
        semantics=semantics,
        depth=depth,
        azimuth_step=azimuth_step,
    )
    jobs = [_Job(root, seed, config or StreetConfig(), options, layout, overwrite) for seed in seeds]
    _check(jobs)
    _write_calibration(root, options, layout, overwrite)
    for done, name in enumerate(_run(jobs, workers or os.cpu_count() or 1), start=1):
        if progress is not None:
            progress(name, done, len(jobs))
    return [job.name for job in jobs]


def _check(jobs: Sequence[_Job]) -> None:
    seeds = [job.seed for job in jobs]
    if len(set(seeds)) < len(seeds) or any(not 0 <= seed <= 9999 for seed in seeds):
        raise UsageError(f"seeds: expected different numbers from 0 to 9999, got {seeds}")
    for job in jobs:
        there = [job.root / folder for folder in job.folders if (job.root / folder).exists()]
        if there and not job.overwrite:
            raise DataError(f"{there[0]} exists", hint="pass overwrite=True, or --overwrite, to replace the street")


def _write_calibration(root: Path, options: TreeOptions, layout: Layout, overwrite: bool) -> None:
    if layout == "kitti-raw":
        files = {f"{DATE}/{name}": text for name, text in kitti_raw_files(options.size).items()}
    else:
        texts = kitti_360_files(options.size, options.fisheye or rig.FISHEYE_SIZE[0])
        files = {f"calibration/{name}": text for name, text in texts.items()}
        files |= {f"{SSCBENCH_FOLDER}/{name}": text for name, text in files.items()}
    for name, text in files.items():
        path = root / name
        if path.exists() and path.read_text(encoding="ascii", errors="replace") != text and not overwrite:
            raise DataError(f"{path} is of other cameras or another image size", hint="use another folder")
        write_text(path, text)


def _run(jobs: Sequence[_Job], workers: int) -> Iterator[str]:
    """Names of the streets as they are done."""
    if workers == 1 or len(jobs) <= 1:
        for job in jobs:
            _write_street(job)
            yield job.name
        return
    # Spawned, not forked: torch's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=_one_thread) as pool:
        futures = {pool.submit(_write_street, job): job.name for job in jobs}
        try:
            for future in as_completed(futures):
                future.result()
                yield futures[future]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _one_thread() -> None:
    torch.set_num_threads(1)


def _write_street(job: _Job) -> None:
    partial = job.root / f".{job.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    try:
        street = make_street(job.seed, job.config)
        write = write_kitti_360 if job.layout == "kitti-360" else write_kitti_raw
        write(street, job.seed, partial, job.options)
        for folder in job.folders:
            shutil.rmtree(job.root / folder, ignore_errors=True)
        for folder in job.folders:
            if (partial / folder).exists():
                (job.root / folder).parent.mkdir(parents=True, exist_ok=True)
                os.replace(partial / folder, job.root / folder)
    except OSError as error:
        raise DataError(f"{job.root / job.name}: cannot be written: {error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
