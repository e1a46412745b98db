"""Scenes -> depth images by matching: every view with its stereo partner and its neighbours in time.

Training takes them as hints. Source: Watson et al., "Self-supervised monocular depth hints", ICCV 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.data.images import write_depth
from scene3d.data.snippet_config import hint_file
from scene3d.data.views import ViewReader, view_camera, view_to_world
from scene3d.errors import DataError
from scene3d.geometry.se3 import invert
from scene3d.stereo.matching import MatchingConfig, agree, match
from scene3d.stereo.snippets import SHORTEST_BASELINE
from scene3d.structures.scene import Scene, Shot

PARTNER = {"left": "right", "right": "left"}
"""Cameras that look the same way at the same time."""


@dataclass(frozen=True)
class _View:
    shot: Shot
    K: Float[Tensor, "3 3"]
    nearness: Float[Tensor, "H W"]
    alike: Bool[Tensor, "H W"]


def match_drives(
    scenes: Sequence[Scene],
    folder: Path | str,
    size: tuple[int, int],
    config: MatchingConfig = MatchingConfig(),  # noqa: B008 (a frozen value)
    *,
    workers: int | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> int:
    """Write the depth image of every shot that can be matched; those that are there already stay.

    A pixel is kept where its windows match and the view before or after it agrees; all others are 0. What is
    farther than 255 m is written as 255 m. A shot that has nothing to be matched with gets an empty image.

    Args:
        scenes: drives with transforms.
        folder: gets `hint_file` for every shot.
        size: height and width of the views, pixels.
        config: see there.
        workers: processes; None takes one a core.
        progress: called with what is done, how many and of how many.

    Returns:
        How many images were written.
    """
    for scene in scenes:
        if all(shot.cam_to_world is None for shot in scene.shots):
            raise DataError(
                f"{scene.name}: expected transforms of its shots, got none", hint="give the drive its poses"
            )
    jobs = [(scene, sensor) for scene in scenes for sensor in dict.fromkeys(shot.sensor for shot in scene.shots)]
    written = 0
    for done, count in enumerate(_results(jobs, Path(folder), size, config, workers)):
        written += count
        if progress is not None:
            progress("matching", done + 1, len(jobs))
    return written


def _results(
    jobs: list[tuple[Scene, str]], folder: Path, size: tuple[int, int], config: MatchingConfig, workers: int | None
) -> Iterator[int]:
    """What each job wrote, as they finish; in this process if there is to be one alone."""
    if workers == 1:
        yield from (_match_sensor(scene, sensor, folder, size, config) for scene, sensor in jobs)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), torch.set_num_threads, (1,)) as pool:
        running = [pool.submit(_match_sensor, scene, sensor, folder, size, config) for scene, sensor in jobs]
        try:
            yield from (job.result() for job in as_completed(running))
        finally:
            pool.shutdown(cancel_futures=True)


def _match_sensor(scene: Scene, sensor: str, folder: Path, size: tuple[int, int], config: MatchingConfig) -> int:
    """All shots of one sensor, in order of time; three views are in memory at a time."""
    shots = {(shot.sensor, shot.frame): shot for shot in scene.shots if shot.cam_to_world is not None}
    frames = [frame for name, frame in shots if name == sensor]
    if all(hint_file(folder, scene.name, sensor, frame).exists() for frame in frames):
        return 0
    reader = ViewReader(*size)
    hint_file(folder, scene.name, sensor, 0).parent.mkdir(parents=True, exist_ok=True)
    before: _View | None = None
    now: _View | None = None
    written = 0
    for after in [*_views(shots, sensor, frames, reader, config), None]:
        if now is not None:
            depth = _believed(now, [view for view in (before, after) if view is not None], config)
            write_depth(hint_file(folder, scene.name, sensor, now.shot.frame), depth)
            written += 1
        before, now = now, after
    # Where the car stood still and has no partner there is nothing to match; said in a file, it is not tried again.
    for path in (hint_file(folder, scene.name, sensor, frame) for frame in frames):
        if not path.exists():
            write_depth(path, torch.zeros(size))
            written += 1
    return written


def _views(
    shots: dict[tuple[str, int], Shot], sensor: str, frames: list[int], reader: ViewReader, config: MatchingConfig
) -> Iterator[_View]:
    for frame in frames:
        shot = shots[sensor, frame]
        beside = [(PARTNER.get(sensor, ""), frame), (sensor, frame + 1), (sensor, frame - 1)]
        sources = [shots[key] for key in beside if key in shots and _apart(shot, shots[key])][:2]
        if not sources:
            continue
        views = [reader.pixels(each).image.float() / 255 for each in (shot, *sources)]
        K = torch.stack([_K(each, reader) for each in (shot, *sources)])
        places = torch.stack([_relative(shot, source) for source in sources])
        yield _View(shot, K[0], *match(views[0], K[0], torch.stack(views[1:]), K[1:], places, config))


def _believed(view: _View, neighbours: list[_View], config: MatchingConfig) -> Float[Tensor, "H W"]:
    """Depth where a neighbour in time agrees, else 0."""
    known = torch.zeros_like(view.alike)
    for other in neighbours:
        moved = _relative(view.shot, other.shot)
        known |= agree(view.nearness, view.K, other.nearness, other.K, moved, config.tolerance * config.step)
    return torch.where(known & view.alike, 1 / view.nearness.clamp(min=1 / 255), 0.0)


def _apart(shot: Shot, other: Shot) -> bool:
    return float(_relative(shot, other)[:3, 3].norm()) >= SHORTEST_BASELINE


def _K(shot: Shot, reader: ViewReader) -> Float[Tensor, "3 3"]:
    return view_camera(shot, reader.height, reader.width).K.float()


def _relative(shot: Shot, other: Shot) -> Float[Tensor, "4 4"]:
    """``shot_to_other``; the difference is taken in float64, since world coordinates may be millions of metres."""
    here, there = view_to_world(shot), view_to_world(other)
    assert here is not None and there is not None
    return (invert(there.double()) @ here.double()).float()
