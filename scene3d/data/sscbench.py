"""Voxel labels of SSCBench and SemanticKITTI: `.label`, `.invalid` and `_1_1.npy`, read, made and written.

All three hold the 256 x 256 x 32 cells of `scene3d.geometry.voxels.SSCBENCH` in C order of (x, y, z):
`.label` as little-endian uint16 raw ids, `.invalid` as a byte a cell (SSCBench-KITTI-360) or a bit a cell,
most significant first (SemanticKITTI), the npy as class indices with 255 for cells that nobody could observe.

Source: Li et al., "SSCBench", IROS 2024; Behley et al., "SemanticKITTI", ICCV 2019.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from scene3d.data.images import write_bytes
from scene3d.errors import DataError, wrong_file
from scene3d.geometry.voxels import SSCBENCH as GRID
from scene3d.structures.labels import IGNORE, SSCBENCH, SSCBENCH_RAW_IDS, LabelSpace
from scene3d.structures.scene import VoxelFile

CELLS = GRID.shape[0] * GRID.shape[1] * GRID.shape[2]

NUSCENES_CLASSES = 10
"""The highest class of SSCBench grids that were made with the label map of nuScenes."""

LOOKED_AT = 10
"""Grids of a drive, at most, that are looked at to tell by which map they were made."""


def read_voxels(
    file: VoxelFile, *, observed_only: bool = False, ids: Mapping[int, int] = SSCBENCH_RAW_IDS
) -> Int[Tensor, "X Y Z"]:
    """Class of every cell (`scene3d.structures.labels.SSCBENCH`): 0 empty, 255 ignore.

    Args:
        file: a `.label` with its `.invalid`, or an npy that was made of them.
        observed_only: ignore also the labelled cells that the mask calls invalid. The data set keeps those
            labels, so by default a cell that has one counts whether or not anybody could observe it.
        ids: raw id -> class; every other id but 0 is ignored.

    Raises:
        DataError: a file is missing, has the wrong size, or the npy holds something other than classes;
            or `observed_only` is asked of an npy, which no longer knows what was observed.
    """
    if file.labels.suffix == ".npy":
        if observed_only:
            raise wrong_file(file.labels, expected="a .label with its .invalid mask", got="an npy without a mask")
        return read_classes(file.labels)
    raw = read_raw_labels(file.labels)
    occupied = raw[raw != 0]
    if len(occupied) and not torch.isin(occupied, torch.tensor([*ids])).any():
        few = ", ".join(str(i) for i in occupied.unique()[:4].tolist())
        raise wrong_file(file.labels, expected="raw ids of SSCBench", got=f"none but {few}: labels of another map")
    if file.invalid is None:
        return classes_of(raw, torch.zeros_like(raw, dtype=torch.bool), ids=ids)
    return classes_of(raw, read_invalid(file.invalid), observed_only=observed_only, ids=ids)


def classes_of(
    raw: Int[Tensor, "X Y Z"],
    invalid: Bool[Tensor, "X Y Z"],
    *,
    observed_only: bool = False,
    ids: Mapping[int, int] = SSCBENCH_RAW_IDS,
) -> Int[Tensor, "X Y Z"]:
    """Classes of raw ids by the data set's rule: what is invalid is ignored, unless it carries a label."""
    table = torch.full((1 << 16,), IGNORE, dtype=torch.uint8)
    table[torch.tensor([0, *ids])] = torch.tensor([0, *ids.values()], dtype=torch.uint8)
    ignored = invalid if observed_only else invalid & (raw == 0)
    return table[raw.long()].masked_fill(ignored, IGNORE).long()


def raw_ids_of(classes: Int[Tensor, "X Y Z"], space: LabelSpace = SSCBENCH) -> Int[Tensor, "X Y Z"]:
    """Raw ids of classes, the smallest where several mean one class; ignored cells get 0."""
    smallest = {SSCBENCH.classes[index]: raw for raw, index in sorted(SSCBENCH_RAW_IDS.items(), reverse=True)}
    table = torch.zeros(256, dtype=torch.int64)
    table[1 : len(space)] = torch.tensor([smallest[name] for name in space.classes[1:]])
    return table[classes.long()]


def read_raw_labels(path: Path) -> Int[Tensor, "X Y Z"]:
    """Raw ids of a `.label` file.

    Raises:
        DataError: the file is missing or has not two bytes a cell.
    """
    data = _read(path, {2 * CELLS: "two bytes a cell"})
    return torch.from_numpy(np.frombuffer(data, "<u2").astype(np.int32)).reshape(GRID.shape)


def read_invalid(path: Path) -> Bool[Tensor, "X Y Z"]:
    """True in the cells that an `.invalid` file marks; whether it holds bytes or bits is told by its size.

    Raises:
        DataError: the file is missing or has neither size.
    """
    data = np.frombuffer(_read(path, {CELLS: "a byte a cell", CELLS // 8: "a bit a cell"}), np.uint8)
    flags = data != 0 if data.size == CELLS else np.unpackbits(data).astype(bool)
    return torch.from_numpy(flags).reshape(GRID.shape)


def read_classes(path: Path) -> Int[Tensor, "X Y Z"]:
    """Classes of a `_1_1.npy` file.

    Raises:
        DataError: the file is missing or damaged, has another shape, or holds what is not a class.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise wrong_file(path, expected="an npy of voxel classes", got=str(error)) from None
    if not isinstance(values, np.ndarray) or values.shape != GRID.shape:
        raise wrong_file(path, expected=f"an array of shape {GRID.shape}", got=f"{getattr(values, 'shape', 'an npz')}")
    if values.dtype.kind not in "fiu":
        raise wrong_file(path, expected="numbers", got=f"an array of {values.dtype}")
    classes = torch.zeros(256, dtype=torch.bool)
    classes[: len(SSCBENCH)] = classes[IGNORE] = True
    indices = np.nan_to_num(values, nan=-1.0).astype(np.int64)
    strange = (indices != values) | (indices < 0) | (indices > IGNORE) | ~classes.numpy()[indices & 255]
    if strange.any():
        raise wrong_file(
            path, expected=f"classes 0 to {len(SSCBENCH) - 1} or {IGNORE}", got=str(values[strange].flat[0])
        )
    return torch.from_numpy(indices)


def write_voxels(
    path: Path | str,
    raw: Int[Tensor, "X Y Z"],
    *,
    invalid: Bool[Tensor, "X Y Z"] | None = None,
    overwrite: bool = False,
) -> None:
    """Write a `.label` file and, beside it, an `.invalid` file of one byte a cell.

    Args:
        path: of the `.label`.
        raw: raw ids, 0 = empty; `raw_ids_of` makes them from classes.
        invalid: cells that nobody could observe; None writes no mask.
        overwrite: replace files that are there.

    Raises:
        DataError: a file is there already, or the grid or its ids are not such as the format holds.
    """
    path = Path(path)
    _check_grid(path, raw)
    if raw.min() < 0 or raw.max() >= 1 << 16:
        raise wrong_file(path, expected="raw ids of 16 bits", got=f"{int(raw.min())} to {int(raw.max())}")
    _write(path, raw.cpu().numpy().astype("<u2").tobytes(), overwrite)
    if invalid is not None:
        _check_grid(path, invalid)
        _write(path.with_suffix(".invalid"), invalid.cpu().numpy().astype(np.uint8).tobytes(), overwrite)


def write_classes(path: Path | str, classes: Int[Tensor, "X Y Z"], *, overwrite: bool = False) -> None:
    """Write class indices as a `_1_1.npy` file (float32, as the data set's own).

    Raises:
        DataError: the file is there already, or the grid has another shape.
    """
    path = Path(path)
    _check_grid(path, classes)
    buffer = io.BytesIO()
    np.save(buffer, classes.cpu().numpy().astype(np.float32))
    _write(path, buffer.getvalue(), overwrite)


def check_label_map(files: Sequence[VoxelFile]) -> None:
    """Refuse npy grids of a drive that were made with the label map of nuScenes, as SSCBench's first release was.

    Such grids hold no class above `NUSCENES_CLASSES`, so neither buildings nor vegetation nor terrain. Some of them are
    looked at, until one holds such a class. A `.label` holds raw ids, which are mapped here, and is left alone.

    Raises:
        DataError: none of those that hold any class at all does, or a file is damaged.
    """
    paths = [file.labels for file in files if file.labels.suffix == ".npy"]
    labelled = 0
    for path in paths[:: -(-len(paths) // LOOKED_AT)] if paths else ():
        classes = read_classes(path)
        highest = int(torch.where(classes == IGNORE, 0, classes).max())
        if highest > NUSCENES_CLASSES:
            return
        labelled += highest > 0
    if labelled:
        raise wrong_file(
            paths[0].parent,
            expected=f"classes of SSCBench-KITTI-360, 0 to {len(SSCBENCH) - 1}",
            got=f"none above {NUSCENES_CLASSES} in {labelled} grids: they were made with the label map of nuScenes",
            hint="the corrected files of SSCBench issue 9, or .label files with their .invalid",
        )


def find_voxels(root: Path, sequence: str) -> dict[int, tuple[Path, Path | None]]:
    """Label file, and mask where it has one, of every labelled frame of a sequence in an SSCBench tree.

    `.label` files with their masks are preferred to the npy that is made of them: they know more.

    Args:
        root: holds `data_2d_raw/<sequence>/voxels` and `preprocess/labels/<sequence>`.
        sequence: such as `2013_05_28_drive_0000_sync`.

    Returns:
        By frame id, which in SSCBench is the ROW of the KITTI-360 poses file, not the frame's number.

    Raises:
        DataError: a `.label` has no `.invalid` and no npy stands in for it.
    """
    made = root / "preprocess" / "labels" / sequence
    suffix = "_1_1.npy"
    found: dict[int, tuple[Path, Path | None]] = {
        int(path.name.removesuffix(suffix)): (path, None)
        for path in made.glob(f"*{suffix}")
        if path.name.removesuffix(suffix).isdecimal()
    }
    for path in (root / "data_2d_raw" / sequence / "voxels").glob("*.label"):
        if not path.stem.isdecimal():
            continue
        mask = path.with_suffix(".invalid")
        if mask.exists():
            found[int(path.stem)] = (path, mask)
        elif int(path.stem) not in found:
            raise wrong_file(mask, expected="the mask of unobserved cells", got="no such file")
    return dict(sorted(found.items()))


def _read(path: Path, sizes: Mapping[int, str]) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise wrong_file(path, expected="voxel labels", got=error.strerror or "an error of the system") from None
    if len(data) not in sizes:
        wanted = " or ".join(f"{size} bytes ({meaning})" for size, meaning in sizes.items())
        raise wrong_file(path, expected=f"{wanted} for a grid of {GRID.shape}", got=f"{len(data)} bytes")
    return data


def _check_grid(path: Path, values: Tensor) -> None:
    if tuple(values.shape) != GRID.shape:
        raise wrong_file(path, expected=f"a grid of {GRID.shape}", got=str(tuple(values.shape)))


def _write(path: Path, data: bytes, overwrite: bool) -> None:
    if path.exists() and not overwrite:
        raise DataError(f"{path} exists", hint="pass overwrite=True, or --overwrite, to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, data)
