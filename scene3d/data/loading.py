"""The data configs, the sampler that can be resumed, and batches from worker processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field
from torch.utils.data import DataLoader, Dataset, Sampler

from scene3d.data.cityscapes import city_of, read_cityscapes
from scene3d.data.kitti import read_kitti_odometry, read_kitti_raw
from scene3d.data.kitti_360 import read_kitti_360
from scene3d.data.kitti_360_poses import EstimatedPoses, PosesOf
from scene3d.data.photographs import (
    ColmapData,
    MiddleburyData,
    NeusData,
    SevenScenesData,
    TransformsJsonData,
    TumRgbdData,
)
from scene3d.data.posed_images import read_posed_images
from scene3d.data.splits import Split, Splits
from scene3d.errors import Scene3dError
from scene3d.structures.frames import Frames, collate
from scene3d.structures.scene import Scene

__all__ = ["DataConfig", "ResumableSampler", "Split", "Splits", "loader"]


class KittiRawData(Splits):
    """KITTI raw drives.

    Attributes:
        scan_poses: transforms of the velodyne of the one drive that is read, 12 numbers a line.
    """

    kind: Literal["kitti_raw"] = "kitti_raw"
    scan_poses: Path | None = None

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The drives of these names, or all."""
        return read_kitti_raw(self.root, names, scan_poses=self.scan_poses)


class KittiOdometryData(Splits):
    """KITTI odometry sequences."""

    kind: Literal["kitti_odometry"] = "kitti_odometry"

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The sequences of these names, or all."""
        return read_kitti_odometry(self.root, names)


class Kitti360Data(Splits):
    """KITTI-360 sequences, and trees of the procedural street.

    Attributes:
        fisheye: whether to read the two fisheye cameras.
        sscbench: root of the voxel labels; None looks for `SSCBench-KITTI-360` in the root.
        masked: ignore voxels that nobody could observe; false for the street, whose labels are exact.
        poses: folder of trajectories to believe instead of the data set's, such as ORB-SLAM3's; see `EstimatedPoses`.
        poses_of: what their rows place.
    """

    kind: Literal["kitti_360"] = "kitti_360"
    fisheye: bool = True
    sscbench: Path | None = None
    masked: bool = True
    poses: Path | None = None
    poses_of: PosesOf = "body"

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The sequences of these names, or all."""
        return read_kitti_360(
            self.root,
            names,
            fisheye=self.fisheye,
            sscbench=self.sscbench,
            masked=self.masked,
            poses=None if self.poses is None else EstimatedPoses(self.poses, self.poses_of),
        )


class PosedImagesData(Splits):
    """Folders of images with a `scene.json` each."""

    kind: Literal["posed_images"] = "posed_images"

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The folders of these names, or all."""
        return read_posed_images(self.root, names)


class CityscapesData(Splits):
    """Snippets of Cityscapes; splits name cities, or single snippets.

    Attributes:
        keep: share of the rows, from the top, that is kept; the lowest quarter shows the car's own bonnet.
    """

    kind: Literal["cityscapes"] = "cityscapes"
    keep: float = Field(default=0.75, gt=0, le=1)

    def read(self, names: Sequence[str] | None) -> list[Scene]:
        """The snippets of these cities or names, or all."""
        return read_cityscapes(self.root, names, keep=self.keep)

    def place(self, scene: str) -> str:
        """The city of a snippet."""
        return city_of(scene)


DataConfig = Annotated[
    KittiRawData
    | KittiOdometryData
    | Kitti360Data
    | PosedImagesData
    | CityscapesData
    | NeusData
    | TransformsJsonData
    | MiddleburyData
    | ColmapData
    | TumRgbdData
    | SevenScenesData,
    Field(discriminator="kind"),
]
"""Every data set that a recipe may name."""


class ResumableSampler(Sampler[tuple[int, int]]):
    """Keys (index, epoch) in an order that follows from the seed, from any position on.

    Iterating does not move the position: worker processes run ahead of training. Whoever has used a batch
    says so by `advance`, and a sampler that loads the state goes on with the key after it.

    Args:
        length: of the dataset.
        seed: of the order.
        shuffle: whether each epoch has an order of its own.
        rank, world: this process takes every `world`-th key; all get the same number of them, so the last
            ones of an epoch are filled up with its first ones.
        endless: go from epoch to epoch for ever; else stop at the end of the epoch.
    """

    def __init__(
        self,
        length: int,
        *,
        seed: int = 0,
        shuffle: bool = True,
        rank: int = 0,
        world: int = 1,
        endless: bool = True,
    ) -> None:
        if length < 1 or not 0 <= rank < world:
            raise ValueError(f"sampler: expected length > 0 and 0 <= rank < world, got {length}, {rank}, {world}")
        self.length, self.seed, self.shuffle = length, seed, shuffle
        self.rank, self.world, self.endless = rank, world, endless
        self.epoch, self.consumed = 0, 0

    def __len__(self) -> int:
        """Keys of one epoch on this rank."""
        return -(-self.length // self.world)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        epoch, consumed = self.epoch, self.consumed
        while True:
            for index in self._order(epoch)[consumed:]:
                yield index, epoch
            if not self.endless:
                return
            epoch, consumed = epoch + 1, 0

    def _order(self, epoch: int) -> list[int]:
        order = torch.arange(self.length)
        if self.shuffle:
            # One stream an epoch; a product would let (seed, epoch) pairs meet.
            generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
            order = torch.randperm(self.length, generator=generator)
        positions = torch.arange(len(self)) * self.world + self.rank
        return order[positions % self.length].tolist()

    def advance(self, keys: int) -> None:
        """Say that this many keys of this rank have been used."""
        whole, self.consumed = divmod(self.consumed + keys, len(self))
        self.epoch += whole

    def state_dict(self) -> dict[str, int]:
        """The position: seed, epoch, and keys of the epoch that all ranks together have used."""
        return {"seed": self.seed, "epoch": self.epoch, "consumed": self.consumed * self.world}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on from a position, with as many ranks as there are now."""
        self.seed, self.epoch = state["seed"], state["epoch"]
        self.consumed = min(state["consumed"] // self.world, len(self))


def loader(
    dataset: Dataset[Frames],
    batch_size: int,
    sampler: Sampler[Any] | None = None,
    workers: int = 0,
    *,
    pin_memory: bool = False,
) -> DataLoader[Frames]:
    """Batches of `Frames`; in order and once if there is no sampler.

    A DataError in a worker arrives as the one line that it is, with the file in it.

    Args:
        dataset: items of B = 1.
        batch_size: snippets a batch; the last of a finite order may have fewer.
        sampler: yields keys of the dataset.
        workers: processes that read; 0 reads in this one.
        pin_memory: for copies to a GPU that overlap with work.
    """
    return _Batches(
        _Guarded(dataset),
        batch_size=batch_size,
        sampler=sampler,
        num_workers=workers,
        collate_fn=_collate,
        worker_init_fn=_one_thread if workers else None,
        persistent_workers=workers > 0,
        pin_memory=pin_memory,
        # Without a generator of its own a DataLoader draws from torch's, and a resumed run would differ.
        generator=torch.Generator().manual_seed(0),
    )


class _Guarded(Dataset[Any]):
    """Hands errors that a user can mend over as values: raised in a worker, they would become a traceback."""

    def __init__(self, dataset: Dataset[Frames]) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)  # type: ignore[arg-type]

    def __getitem__(self, key: Any) -> Frames | Scene3dError:
        try:
            return self.dataset[key]
        except Scene3dError as error:
            return error


class _Batches(DataLoader[Any]):
    def __iter__(self) -> Iterator[Frames]:  # type: ignore[override]
        for batch in super().__iter__():
            if isinstance(batch, Scene3dError):
                raise batch
            yield batch


def _collate(items: list[Frames | Scene3dError]) -> Frames | Scene3dError:
    for item in items:
        if isinstance(item, Scene3dError):
            return item
    return collate(items)  # type: ignore[arg-type]


def _one_thread(worker: int) -> None:
    # Each worker already has a core; threads of its own would fight the trainer's for theirs.
    torch.set_num_threads(1)
