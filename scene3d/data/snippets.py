"""Scenes -> Frames: the one Dataset class, which picks the shots of each sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from scene3d.data.assembly import Index, Support, assemble, index_scene, sample_name
from scene3d.data.cues import check_cues
from scene3d.data.depth_truth import has_truth, truth_file
from scene3d.data.flip import flip
from scene3d.data.jitter import draw_jitter, jitter
from scene3d.data.mask_agreement import disputed_pixels
from scene3d.data.pose_noise import disturb
from scene3d.data.room_edges import axes_of_shots
from scene3d.data.snippet_config import KITTI_360_VIEWS, SnippetConfig, ViewSpec
from scene3d.data.split_files import Sample
from scene3d.data.sscbench import check_label_map
from scene3d.data.views import ViewReader
from scene3d.errors import DataError, wrong_file
from scene3d.structures.frames import Frames
from scene3d.structures.scene import Scene, Shot

__all__ = ["KITTI_360_VIEWS", "SnippetConfig", "Snippets", "ViewSpec"]

OTHER_SIDE = {
    "left": "right",
    "right": "left",
    "fisheye_left": "fisheye_right",
    "fisheye_right": "fisheye_left",
}


@dataclass(frozen=True)
class _Draw:
    """What chance decided for one sample, and the generator for what is drawn next."""

    swap: bool
    flip: bool
    jitter: bool
    random: np.random.Generator


@dataclass(frozen=True)
class _Item:
    """Which sample: number of its scene, frame, and whether the cameras are swapped; None leaves that to chance."""

    scene: int
    frame: int
    swap: bool | None = None


class Snippets(Dataset[Frames]):
    """Samples of several scenes: item i is a `Frames` of B = 1.

    What is random is a function of (seed, epoch, index) and of nothing else, so that a run can be resumed,
    and be the same with any number of workers. Transforms are relative to view 0, whose own is the
    identity: world coordinates may be millions of metres, which float32 does not resolve.

    Args:
        scenes: what the readers made.
        config: what a sample holds.
        training: whether samples are varied.
        seed: of the variation.
        samples: the only references, in this order, each from its side; None takes every frame that fits.

    Raises:
        DataError: no frame of any scene has what the config asks for, a listed sample does not have it, the
            folder of hints is not there, a reference has no cue, or voxels were made with another label map.
    """

    def __init__(
        self,
        scenes: Sequence[Scene],
        config: SnippetConfig,
        *,
        training: bool,
        seed: int = 0,
        samples: Sequence[Sample] | None = None,
    ) -> None:
        if not training:
            config = config.model_copy(update={"cues": None})
        self.config, self.training, self.seed = config, training, seed
        if config.hints is not None and not config.hints.is_dir():
            raise wrong_file(
                config.hints,
                expected="a folder of depth images",
                got="no such folder",
                hint="scene3d data match CONFIG makes it; hints: null does without",
            )
        if config.wants("voxels"):
            for scene in scenes:
                check_label_map(scene.voxels)
        self._indices = [index_scene(scene, config.region) for scene in scenes]
        self._reader = ViewReader(config.height, config.width, keep=config.cache == "memory")
        if samples is None:
            self._items = [_Item(i, f) for i, index in enumerate(self._indices) for f in self._references(index)]
        else:
            self._items = self._listed(samples)
        if not self._items:
            raise DataError(self._why_empty(scenes))
        self._disputed = self._compare_masks() if training and config.agreement is not None else {}
        self._room_axes = self._seek_axes() if training and config.room_axes else {}
        if config.cues is not None:
            check_cues(config.cues, (self.reference(i) for i in range(len(self))))

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, key: int | tuple[int, int]) -> Frames:
        """Sample `i`, or `(i, epoch)`; a plain `i` is that of epoch 0.

        Raises:
            DataError: a file is not what it should be; the message names it.
        """
        i, epoch = key if isinstance(key, tuple) else (key, 0)
        item = self._items[i]
        index = self._indices[item.scene]
        draw = self._draw(index, item, epoch, i % len(self))
        reference, support = self._shots(index, item.frame, draw)
        frames = assemble(index, reference, support, self.config, self._reader)
        if (disputed := self._disputed.get((item.scene, item.frame))) is not None:
            assert frames.valid is not None
            believed = torch.cat([frames.valid[:, :1] & ~disputed, frames.valid[:, 1:]], dim=1)
            frames = replace(frames, valid=believed)
        if (axes := self._room_axes.get(item.scene)) is not None:
            frames = replace(frames, room_axes=axes[None])
        if self.training:
            frames = disturb(frames, self.config.pose_noise, draw.random)
        if draw.flip:
            frames = flip(frames)
        if draw.jitter:
            frames = replace(frames, image=jitter(frames.image, draw_jitter(draw.random)))
        return frames

    def name(self, i: int) -> str:
        """Drive, frame and sensor of sample `i`, as it is at evaluation."""
        return sample_name(self.scene(i), self.reference(i))

    def scene(self, i: int) -> Scene:
        """The drive of sample `i`."""
        return self._indices[self._items[i].scene].scene

    def reference(self, i: int) -> Shot:
        """The shot of view 0 of sample `i`, as it is at evaluation."""
        item = self._items[i]
        index = self._indices[item.scene]
        shot = index.shots.get((self._views(bool(item.swap))[0].sensor, item.frame))
        return shot or next(s for s in index.scene.shots if s.frame == item.frame)

    def _compare_masks(self) -> dict[tuple[int, int], Tensor]:
        """What of each reference's mask the others deny."""
        assert self.config.agreement is not None
        found: dict[tuple[int, int], Tensor] = {}
        for scene, index in enumerate(self._indices):
            frames = self._of_scene(scene)
            if not frames:
                continue
            shots = [index.shots[self.config.views[0].sensor, frame] for frame in frames]
            disputed = disputed_pixels(shots, index.region_bounds(), self._reader, self.config.agreement)
            found |= {(scene, frame): pixels for frame, pixels in zip(frames, disputed, strict=True)}
        return found

    def _seek_axes(self) -> dict[int, Tensor]:
        """The axes of each scene's room."""
        first = self.config.views[0].sensor
        return {
            scene: axes_of_shots([index.shots[first, frame] for frame in frames], self._reader)
            for scene, index in enumerate(self._indices)
            if (frames := self._of_scene(scene))
        }

    def _of_scene(self, scene: int) -> list[int]:
        """Numbers of a scene's references."""
        return [item.frame for item in self._items if item.scene == scene]

    def _listed(self, samples: Sequence[Sample]) -> list[_Item]:
        numbers = {index.scene.name: i for i, index in enumerate(self._indices)}
        first = self.config.views[0].sensor
        swaps = {OTHER_SIDE.get(first, first): True, first: False}
        items, missing = [], []
        for sample in samples:
            scene, swap = numbers.get(sample.drive), swaps.get(sample.sensor)
            if scene is None or swap is None or not self._usable(self._indices[scene], sample.frame, swap=swap):
                missing.append(str(sample))
            else:
                items.append(_Item(scene, sample.frame, swap))
        if missing:
            what = f"{len(missing)} of {len(samples)} listed samples lack a view or what is needed: {missing[0]}"
            raise DataError(f"split list: {what}{', ...' if len(missing) > 1 else ''}{self._needed()}")
        return items

    def _draw(self, index: Index, item: _Item, epoch: int, i: int) -> _Draw:
        random = np.random.default_rng([self.seed, epoch, i])
        swap, mirror, recolour = random.random(3).tolist()
        frame = item.frame
        if not self.training:
            return _Draw(bool(item.swap), False, False, random)
        # A drive may have one side only, or only one with ground truth: then that side is taken.
        swapped = self.config.random_side and self._usable(index, frame, swap=True)
        plain = self._usable(index, frame, swap=False)
        return _Draw(
            swap=swapped and (not plain or swap < 0.5) if item.swap is None else item.swap,
            flip=mirror < self.config.flip,
            jitter=recolour < self.config.jitter,
            random=random,
        )

    def _references(self, index: Index) -> list[int]:
        first, last = self.config.frames or (-math.inf, math.inf)
        sides = (False, True) if self.training and self.config.random_side else (False,)
        frames = sorted({frame for _, frame in index.shots})
        if self.config.held is not None:
            every, which = self.config.held
            held = set(frames[::every])
            frames = [frame for frame in frames if (frame in held) == (which == "alone")]
        frames = [frame for frame in frames if first <= frame <= last and frame % self.config.every == 0]
        return [frame for frame in frames if any(self._usable(index, frame, swap=swap) for swap in sides)]

    def _usable(self, index: Index, frame: int, *, swap: bool) -> bool:
        views = self._views(swap)
        reference = index.shots.get((views[0].sensor, frame))
        if reference is None or not all(self._has(index, reference, what) for what in self.config.need):
            return False
        if self.config.truth is not None and not self._has_truth(index, reference):
            return False
        if self.config.require == "reference":
            return True
        return all(_fitting(index, frame, views, offset) for offset in {view.offset for view in views})

    def _has(self, index: Index, reference: Shot, what: str) -> bool:
        scan = index.scans.get(reference.frame)
        scanned = scan is not None and scan.scan_to_world is not None and reference.cam_to_world is not None
        return {
            "depth": scanned if self.config.depth == "scan" else reference.depth is not None,
            "labels": reference.labels is not None,
            "voxels": reference.frame in index.voxels,
            "points": scanned,
        }[what]

    def _has_truth(self, index: Index, reference: Shot) -> bool:
        kind, folder = self.config.truth, self.config.truth_folder
        assert kind is not None
        if folder is not None:
            return truth_file(folder, kind, index.scene.name, reference).exists()
        return has_truth(reference, index.scans, kind)

    def _views(self, swap: bool) -> tuple[ViewSpec, ...]:
        if not swap:
            return self.config.views
        return tuple(v.model_copy(update={"sensor": OTHER_SIDE.get(v.sensor, v.sensor)}) for v in self.config.views)

    def _shots(self, index: Index, frame: int, draw: _Draw) -> tuple[Shot, list[Support]]:
        views = self._views(draw.swap)
        chosen: dict[int | tuple[int, int], int] = {}
        for offset in dict.fromkeys(view.offset for view in views):
            numbers = _fitting(index, frame, views, offset) or _numbers(offset)
            chosen[offset] = numbers[int(draw.random.integers(len(numbers)))] if self.training else numbers[0]
        support = []
        for view in views[1:]:
            offset = chosen[view.offset] + view.plus
            support.append(Support(view.sensor, offset, index.shots.get((view.sensor, frame + offset))))
        return index.shots[views[0].sensor, frame], support

    def _why_empty(self, scenes: Sequence[Scene]) -> str:
        """The one line that says what was asked for and what the scenes have."""
        asked = ", ".join(
            f"{v.sensor}{f' at {v.offset}+{v.plus}' if v.offset or v.plus else ''}" for v in self._views(False)
        )
        have = "; ".join(
            f"{scene.name}: {len({s.frame for s in scene.shots})} frames of "
            f"{', '.join(sorted({s.sensor for s in scene.shots})) or 'nothing'}"
            for scene in scenes[:3]
        )
        return f"no sample: no frame has the views {asked}{self._needed()}; there are {len(scenes)} scenes ({have})"

    def _needed(self) -> str:
        truth = [] if self.config.truth is None else [f"true depth from its {self.config.truth}"]
        wanted = [*self.config.need, *truth]
        return f" with {', '.join(wanted)}" if wanted else ""


def _numbers(offset: int | tuple[int, int]) -> list[int]:
    return [offset] if isinstance(offset, int) else list(range(offset[0], offset[1] + 1))


def _fitting(index: Index, frame: int, views: tuple[ViewSpec, ...], offset: int | tuple[int, int]) -> list[int]:
    """The numbers of an offset for which the drive has every view that shares it."""
    sharing = [view for view in views if view.offset == offset]
    return [n for n in _numbers(offset) if all((v.sensor, frame + n + v.plus) in index.shots for v in sharing)]
