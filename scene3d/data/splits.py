"""Which part of a data set is for what: whole drives by name, or single frames by a list; the base of data configs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from scene3d.config import Config
from scene3d.data.snippet_config import SnippetConfig, TruthKind, ViewSpec
from scene3d.data.snippets import Snippets
from scene3d.data.split_files import Sample, read_split, shared_frames
from scene3d.errors import ConfigError
from scene3d.structures.labels import SSC
from scene3d.structures.scene import Scene

Split = Literal["train", "val", "test"]
SPLITS: tuple[Split, ...] = ("train", "val", "test")


class SplitLists(Config):
    """Files that name the samples of a split, one a line; see `scene3d.data.split_files.read_split`.

    Attributes:
        train: what to learn from.
        val: what to choose thresholds, names and checkpoints on.
        test: what to report on.
    """

    train: Path | None = None
    val: Path | None = None
    test: Path | None = None


class Splits(Config):
    """Which drives or frames are for what, and what a sample of them holds; base of every data config.

    Attributes:
        root: folder of the data set.
        train: names of drives to learn from; None takes all that are in no other split.
        val: names of drives to choose thresholds, names and checkpoints on.
        test: names of drives to report on.
        lists: files that name single frames and their sides, instead of drives. Only they are references of samples.
        fit: allows a drive in several splits. What is measured then is a fit, not generalisation.
        hold_out: of every drive's frames in order, the first and every so manieth after it are of `val` and `test`, the
            others of `train`, which names the drives of all three; for methods that fit one scene and are asked for new
            views.
        snippets: what a sample holds.
        scoring: what a sample holds at evaluation; None is `snippets`.
    """

    root: Path
    train: tuple[str, ...] | None = None
    val: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    lists: SplitLists = SplitLists()
    fit: bool = False
    hold_out: int | None = Field(default=None, gt=1)
    snippets: SnippetConfig = SnippetConfig()
    scoring: SnippetConfig | None = None

    @model_validator(mode="after")
    def _splits_are_apart(self) -> Splits:
        for split in SPLITS:
            if getattr(self, split) and getattr(self.lists, split):
                raise ValueError(f"{split}: names drives, and lists.{split} names frames; leave one of them out")
        if self.hold_out is not None and any((self.val, self.test, *(getattr(self.lists, s) for s in SPLITS))):
            raise ValueError("hold_out: val, test and lists name drives or frames besides; leave them or hold_out out")
        if self.lists.train is not None and self.snippets.random_side:
            raise ValueError("snippets.random_side: lists.train says the side of each sample; leave one of them out")
        if self.fit:
            return self
        for one, other in combinations(SPLITS, 2):
            ones, others = (set(getattr(self, split) or ()) for split in (one, other))
            shared = {name for name in ones if others & {name, self.place(name)}}
            shared |= {name for name in others if ones & {name, self.place(name)}}
            if shared:
                raise ValueError(
                    f"{', '.join(sorted(shared))} is in {one} and in {other}; set fit: true if that is meant"
                )
        return self

    def scenes(self, split: Split) -> list[Scene]:
        """The drives of a split.

        Raises:
            ConfigError: the split names no drive.
            DataError: a drive is missing or damaged.
        """
        names = self._drives(split)
        if names:
            return self.read(names)
        if self.hold_out is not None:
            return self.read(None)
        if split != "train" or self.train is not None:
            raise ConfigError(f"data.{split}: names no drive of {self.root}")
        taken = set() if self.fit else {*self._drives("val"), *self._drives("test")}
        scenes = [scene for scene in self.read(None) if not taken & {scene.name, self.place(scene.name)}]
        if not scenes:
            raise ConfigError(f"data.train: every drive of {self.root} is in another split")
        return scenes

    def has(self, split: Split) -> bool:
        """Whether a split names any drive or list of its own."""
        listed = bool(getattr(self, split)) or getattr(self.lists, split) is not None
        return listed or self.hold_out is not None

    def build(
        self,
        split: Split,
        *,
        training: bool | None = None,
        seed: int = 0,
        truth: TruthKind | None = None,
        voxel_space: str = SSC.name,
    ) -> Snippets:
        """The dataset of a split; varied and with the views of training only if `training`.

        Args:
            split: which drives or frames.
            training: None means so for "train" alone.
            seed: of the variation.
            truth: what depth is to be scored against; only where it is not varied.
            voxel_space: name of the classes of voxels that are to be told apart.

        Raises:
            ConfigError: frames of a split are in the test split too.
            DataError: a listed sample is not there.
        """
        varied = split == "train" if training is None else training
        config = self.snippets if varied or self.scoring is None else self.scoring
        config = config.model_copy(update={"voxel_space": voxel_space})
        if truth is not None and not varied:
            config = config.model_copy(update={"truth": truth})
        if self.hold_out is not None:
            which = "without" if split == "train" else "alone"
            config = config.model_copy(update={"held": (self.hold_out, which)})
        self._check_lists()
        samples = self._samples(split)
        return Snippets(self.scenes(split), config, training=varied, seed=seed, samples=samples)

    def looking_back(self, offsets: Sequence[int]) -> Splits:
        """The same data, whose samples at evaluation have these frames of the reference's camera besides, if any."""
        own = (self.scoring or self.snippets).views[0].sensor
        return self.with_views(tuple(ViewSpec(sensor=own, offset=offset) for offset in offsets))

    def with_views(self, views: Sequence[ViewSpec]) -> Splits:
        """The same data, whose samples at evaluation have these views besides, if they are there."""
        config = self.scoring or self.snippets
        more = {"views": (*config.views, *views), "require": "reference"}
        return self.model_copy(update={"scoring": config.model_copy(update=more)})

    def with_scans(self, count: int) -> Splits:
        """The same data, whose samples at evaluation have the scans of so many instants, if they are there."""
        config = self.scoring or self.snippets
        return self.model_copy(update={"scoring": config.model_copy(update={"scans": count})})

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The scenes of these names, or all."""
        raise NotImplementedError

    def place(self, scene: str) -> str:
        """What a split may name to mean this scene and others, such as its city; by default the scene alone."""
        return scene

    def _samples(self, split: Split) -> tuple[Sample, ...] | None:
        path = getattr(self.lists, split)
        return None if path is None else read_split(path)

    def _drives(self, split: Split) -> tuple[str, ...]:
        samples = self._samples(split)
        if samples is not None:
            return tuple(sorted({sample.drive for sample in samples}))
        return getattr(self, "train" if self.hold_out is not None else split) or ()

    def _check_lists(self) -> None:
        """Nothing is chosen on what is reported: no frame of the test split, seen from whichever side, is elsewhere.

        Published lists of training and validation share frames that are seen from other sides, but no sample.
        """
        if self.fit or not any(getattr(self.lists, split) for split in SPLITS):
            return
        samples = {split: self._samples(split) for split in SPLITS}
        for one, other in combinations(SPLITS, 2):
            shared = self._shared(samples[one], samples[other], one, other)
            if shared:
                raise ConfigError(
                    f"data: {one} and {other} share {len(shared)} {'frames' if other == 'test' else 'samples'}, the "
                    f"first of them {shared[0]}; nothing may be learnt or chosen on what is reported",
                    hint="fit: true if that is meant",
                )

    def _shared(
        self, ones: tuple[Sample, ...] | None, others: tuple[Sample, ...] | None, one: Split, other: Split
    ) -> list[str]:
        if ones is not None and others is not None:
            return shared_frames(ones, others) if other == "test" else sorted(map(str, {*ones} & {*others}))
        # A split by name holds all frames of its drives.
        if ones is None and others is None:
            return []
        listed, named = (ones, other) if ones is not None else (others, one)
        drives = set(getattr(self, named) or ())
        return sorted(str(sample) for sample in listed or () if drives & {sample.drive, self.place(sample.drive)})
