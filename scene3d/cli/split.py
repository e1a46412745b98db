"""`scene3d data split`: a list of samples in the form that recipes name, imported or made from a tree."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from scene3d.cli.outputs import refuse_existing
from scene3d.cli.parsing import suggest
from scene3d.errors import UsageError


def split(
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")],
    *,
    out: Path,
    known: str = "",
    sides: tuple[str, ...] = ("left", "right"),
    neighbours: int = 1,
    slowest: float = 0.0,
    without: tuple[Path, ...] = (),
    overwrite: bool = False,
) -> int:
    """Import a list of samples, or make one of all frames of a KITTI tree; writes it with its sha256.

    Examples:
      scene3d data split eigen_zhou/train_files.txt --out lists/train.txt --known "eigen_zhou train"
      scene3d data split data/kitti_raw --out lists/train.txt --slowest 0.5 --without lists/test.txt lists/val.txt

    Args:
        source: a file with a line DRIVE FRAME SIDE a sample, as papers share them; or a KITTI raw or odometry tree.
        out: the file to write; recipes name it as data.lists.train, val or test.
        known: name of a list of papers, such as "eigen test", whose number of samples it must have.
        sides: of a tree: cameras to take.
        neighbours: of a tree: frames that must be there before and after each.
        slowest: of a tree: leave out frames in which the car was slower than this, m/s by its OXTS records.
        without: of a tree: lists whose drives are left out as a whole.
        overwrite: replace the file if it exists.
    """
    from scene3d.data.split_files import KNOWN_COUNTS, check_count, read_split, write_split
    from scene3d.data.split_from_tree import samples_of_tree

    if known and known not in KNOWN_COUNTS:
        raise UsageError(f"--known {known}: no such list", hint=suggest(known, list(KNOWN_COUNTS)))
    if neighbours < 0 or slowest < 0:
        raise UsageError(f"--neighbours and --slowest: expected 0 or more, got {neighbours} and {slowest:g}")
    refuse_existing(out, overwrite=overwrite)
    if source.is_dir():
        drives = {sample.drive for path in without for sample in read_split(path)}
        samples = tuple(samples_of_tree(source, sides=sides, neighbours=neighbours, slowest=slowest, without=drives))
    else:
        samples = read_split(source)
    if known:
        check_count(samples, known, source)
    digest = write_split(out, samples)
    print(f"{out}: {len(samples)} samples of {len({sample.drive for sample in samples})} drives, sha256 {digest}")
    return 0
