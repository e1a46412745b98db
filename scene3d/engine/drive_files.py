"""Everything that follows from a drive, as files: its frames, its way, its points, its mesh, a video, a report."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scene3d.data.images import write_bytes
from scene3d.data.trajectory_files import write_kitti_trajectory, write_tum_trajectory
from scene3d.engine.drive_classes import DriveClasses
from scene3d.errors import DataError, MissingExtraError, Scene3dError
from scene3d.fusion.agreement import TrustConfig, trusted
from scene3d.fusion.cloud import CloudConfig, CloudFusion
from scene3d.fusion.tsdf import TsdfConfig, TsdfFusion
from scene3d.structures.drive import DriveStep
from scene3d.structures.trajectory import Trajectory
from scene3d.visualise.depth_files import DepthRange, step_pictures, write_step
from scene3d.visualise.drive_report import drive_html, drive_picture, forward_mesh, forward_points
from scene3d.visualise.files import write_mesh, write_points
from scene3d.visualise.pictures import write_picture
from scene3d.visualise.trajectory import trajectory_picture
from scene3d.visualise.video import VideoFile

log = logging.getLogger(__name__)

TYPICAL_DEPTH = 10.0
"""Median depth of a street in metres: what a depth of unknown scale is measured with, for sizes of cells alone."""

MOST_SHOWN = 6
"""Frames of the drive that are shown in the report."""


def write_drive(
    steps: Iterable[DriveStep],
    folder: Path | str,
    *,
    title: str = "Drive",
    facts: Mapping[str, str] | None = None,
    rate: float = 10.0,
    open3d: bool = True,
) -> Iterator[Path]:
    """Write all that a method says of a drive, and tell each file once it is there; what is there is replaced.

    - `depth`, `colour`, `confidence`, `deviation`, `moving`: a PNG a frame, see `write_step`.
    - `poses_kitti.txt`, `trajectory_tum.txt`: `cam_to_world` of the frames that have one; `trajectory.png`.
    - `video.mp4`: image above depth above confidence.
    - `cloud.ply`, `cloud.png`, `mesh.ply`, `mesh.glb`: of the pixels that are to be believed; x forward, y left, z up.
    - `classes.ply`, `voxels.ply`, `voxels.glb`, `voxels.png`, `plan.png`: the classes that the frames elected for the
      cells of the street, in the same axes; of a method with classes of voxels.
    - `drive.html`: all of it in one file, with a view that turns.

    Args:
        steps: of `scene3d.engine.drive.walk`; one or two are in memory.
        folder: made where it is absent.
        title: heading of the report.
        facts: names and values to list in the report.
        rate: frames a second of the video.
        open3d: whether to make the mesh, which needs Open3D.

    Yields:
        Each file. A file that cannot be made, for want of a library or of a surface, is left out with a warning.

    Raises:
        DataError: there is no frame, or a file cannot be written.
    """
    folder, steps = Path(folder), iter(steps)
    first = next(steps, None)
    if first is None:
        raise DataError(f"{folder}: expected at least one frame of a drive, got none")
    folder.mkdir(parents=True, exist_ok=True)
    frames, solids = _Frames(folder, first), _Solids(_unit(first), open3d)
    with _video(folder / "video.mp4", rate) as video:
        for step in trusted(frames.passing(chain([first], steps), video), solids.trust):
            solids.add(step)
            yield from frames.written()
    yield from frames.written()
    if video is not None:
        yield video.path
    yield from _write_way(frames, folder, rate)
    if frames.known:
        yield from solids.write(frames, folder, title, dict(facts or {}))


class _Frames:
    """Writes the frames of a drive as they pass by, and keeps where they were and a few pictures."""

    def __init__(self, folder: Path, first: DriveStep) -> None:
        self.folder, self.first = folder, first
        self.places: list[tuple[int, float | None, Float[Tensor, "4 4"] | None]] = []
        self.shown: list[tuple[str, UInt8[Tensor, "_ _ 3"]]] = []
        self._colours = DepthRange.of(first)
        self._stride = 1
        self._files: list[Path] = []

    @property
    def known(self) -> list[tuple[int, float | None, Float[Tensor, "4 4"]]]:
        """Number, time and `cam_to_world` of the frames that have one."""
        return [(number, time, place) for number, time, place in self.places if place is not None]

    def passing(self, steps: Iterable[DriveStep], video: VideoFile | None) -> Iterator[DriveStep]:
        """The same frames, each written."""
        for step in steps:
            self._files += write_step(step, self.folder, self._colours)
            picture = torch.cat([shown for _, shown in step_pictures(step, self._colours)])
            if video is not None:
                video.add(picture)
            self._show(f"frame {step.number}", picture)
            if step.cam_to_world is None and all(place is not None for _, _, place in self.places):
                log.warning("%s has no place in the drive: %s", step.name, step.note)
            self.places.append((step.number, step.time, step.cam_to_world))
            yield step

    def written(self) -> list[Path]:
        """The files since the last time."""
        files, self._files = self._files, []
        return files

    def _show(self, caption: str, picture: UInt8[Tensor, "_ _ 3"]) -> None:
        """Keep evenly spread pictures of a drive whose length nobody knows yet: when too many, every second goes."""
        if len(self.places) % self._stride == 0:
            self.shown.append((caption, picture))
        if len(self.shown) > MOST_SHOWN:
            self.shown, self._stride = self.shown[::2], 2 * self._stride


class _Solids:
    """The cloud and the mesh of a drive, in cells that fit the unit of its depth."""

    def __init__(self, unit: float, open3d: bool) -> None:
        self.unit = unit
        trust, cloud, tsdf = TrustConfig(), CloudConfig(), TsdfConfig()
        self.trust = TrustConfig(nearest=trust.nearest * unit, farthest=trust.farthest * unit)
        self._cloud = CloudFusion(CloudConfig(cell=cloud.cell * unit))
        self._classes = DriveClasses(unit)
        self._tsdf = None
        if open3d:
            try:
                self._tsdf = TsdfFusion(TsdfConfig(voxel=tsdf.voxel * unit))
            except MissingExtraError as error:
                log.warning("the mesh is left out: %s", error)

    def add(self, step: DriveStep) -> None:
        """Add a frame whose depth is 0 where it is not to be believed."""
        self._cloud.add(step)
        self._classes.add(step)
        if self._tsdf is not None:
            self._tsdf.add(step)

    def write(self, frames: _Frames, folder: Path, title: str, facts: Mapping[str, str]) -> Iterator[Path]:
        """Cloud, mesh, classes and report."""
        cloud, first = self._cloud.cloud(), frames.first.prediction
        places = torch.stack([place for _, _, place in frames.known])
        if len(cloud.points):
            write_points(folder / "cloud.ply", forward_points(cloud))
            yield folder / "cloud.ply"
            write_picture(folder / "cloud.png", drive_picture(cloud, places, self.unit))
            yield folder / "cloud.png"
        else:
            log.warning("cloud.ply left out: no pixel was believed; two neighbouring frames must agree on it")
        yield from self._write_mesh(folder)
        yield from self._classes.write(folder, places)
        pictures = [
            ("the way from above", trajectory_picture([m for _, _, m in frames.places], is_metric=first.is_metric)),
            *self._classes.pictures,
            *frames.shown,
        ]
        size = (first.depth.shape[1], first.depth.shape[2])
        page = drive_html(
            cloud,
            places,
            first.K[0],
            size,
            title=title,
            pictures=pictures,
            facts=facts,
            unit=self.unit,
            legend=self._classes.legend,
            tables=self._classes.tables,
        )
        write_bytes(folder / "drive.html", page.encode())
        yield folder / "drive.html"

    def _write_mesh(self, folder: Path) -> Iterator[Path]:
        if self._tsdf is None:
            return
        try:
            mesh = forward_mesh(self._tsdf.mesh())
        except Scene3dError as error:
            log.warning("mesh.ply left out: %s", error)
            return
        for name in ("mesh.ply", "mesh.glb"):
            write_mesh(folder / name, mesh)
            yield folder / name


def _write_way(frames: _Frames, folder: Path, rate: float) -> Iterator[Path]:
    """The trajectory; frames without a place are left out of the files, whose lines say which ones there are."""
    known = frames.known
    if not known:
        return
    places = torch.stack([place for _, _, place in known])
    numbers = torch.tensor([number for number, _, _ in known], dtype=torch.float64)
    write_kitti_trajectory(folder / "poses_kitti.txt", Trajectory(stamps=numbers, body_to_world=places))
    yield folder / "poses_kitti.txt"
    times = torch.tensor([number / rate if time is None else time for number, time, _ in known], dtype=torch.float64)
    write_tum_trajectory(folder / "trajectory_tum.txt", Trajectory(stamps=times, body_to_world=places))
    yield folder / "trajectory_tum.txt"
    is_metric = frames.first.prediction.is_metric
    write_picture(folder / "trajectory.png", trajectory_picture([m for _, _, m in frames.places], is_metric=is_metric))
    yield folder / "trajectory.png"


def _video(path: Path, rate: float) -> AbstractContextManager[VideoFile | None]:
    """A video to add to; none, with a warning, where its library is not there."""
    try:
        return VideoFile(path, rate)
    except MissingExtraError as error:
        log.warning("%s left out: %s", path.name, error)
        return nullcontext(None)


def _unit(step: DriveStep) -> float:
    """What is taken for a metre."""
    depth = step.prediction.depth
    known = depth[(depth > 0) & torch.isfinite(depth)]
    if step.prediction.is_metric or len(known) == 0:
        return 1.0
    return float(known.median()) / TYPICAL_DEPTH
