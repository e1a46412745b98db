"""Split lists: text files that name the samples of a split, one a line, and the hash that tells two lists apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scene3d.data.images import write_bytes
from scene3d.data.kitti_files import read_text
from scene3d.errors import wrong_file

SIDES = {"l": "left", "r": "right"}

KNOWN_COUNTS: Mapping[str, int] = {
    "eigen_zhou train": 39_810,
    "eigen_zhou val": 4_424,
    "eigen_full train": 45_200,
    "eigen_full val": 1_776,
    "eigen test": 697,
    "eigen_benchmark test": 652,
    "benchmark train": 72_084,
    "benchmark val": 6_060,
    "benchmark test": 500,
    "odom train": 36_671,
    "odom val": 4_075,
}
"""How many samples the lists hold that papers on KITTI name.

Sources: Eigen et al., NeurIPS 2014 (697 test images); Zhou et al., CVPR 2017 (its training images without static ones);
Uhrig et al., 3DV 2017 (652 of the 697 with annotated depth; the depth benchmark); Godard et al., ICCV 2019.
"""


@dataclass(frozen=True, order=True)
class Sample:
    """One image that a sample is made around.

    Attributes:
        drive: name of its scene.
        frame: number in the drive.
        sensor: which camera: "left", "right" or another name of the reader's.
    """

    drive: str
    frame: int
    sensor: str = "left"

    def __str__(self) -> str:
        return f"{self.drive} {self.frame:010d} {self.sensor}"


def read_split(path: Path | str) -> tuple[Sample, ...]:
    """The samples of a list, in its order.

    A line is `DRIVE FRAME SIDE`. The drive may have folders in front (`2011_09_26/2011_09_26_drive_0001_sync`) and
    is padded to two digits where it is the number of an odometry sequence; the frame may be padded or not; the side is
    l, r or the name of a camera, and left where it is missing. Blank lines are passed over.

    Raises:
        DataError: the file is missing or empty, a line is none of this, or a sample is there twice.
    """
    path = Path(path)
    found: dict[Sample, int] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words:
            continue
        if len(words) not in (2, 3) or not words[1].isdecimal():
            raise wrong_file(path, expected=f"DRIVE FRAME SIDE on line {number}", got=line.strip()[:60])
        drive = words[0].rstrip("/").rsplit("/", 1)[-1]
        side = words[2] if len(words) == 3 else "l"
        sample = Sample(drive.zfill(2) if drive.isdecimal() else drive, int(words[1]), SIDES.get(side, side))
        if sample in found:
            raise wrong_file(path, expected="every sample once", got=f"{sample} on lines {found[sample]} and {number}")
        found[sample] = number
    if not found:
        raise wrong_file(path, expected="lines of DRIVE FRAME SIDE", got="none")
    return tuple(found)


def list_hash(names: Iterable[object]) -> str:
    """sha256, in hex, of names sorted and a line each: that of the file that `write_split` makes of them."""
    return hashlib.sha256(_text(names)).hexdigest()


def write_split(path: Path | str, samples: Sequence[Sample]) -> str:
    """Write a list in the one form that its hash is of, and the hash beside it for `sha256sum -c`; the hash.

    Raises:
        DataError: a file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = list_hash(samples)
    write_bytes(path, _text(samples))
    write_bytes(path.with_name(f"{path.name}.sha256"), f"{digest}  {path.name}\n".encode())
    return digest


def check_count(samples: Sequence[Sample], known: str, path: Path | str) -> None:
    """Raise a DataError if a list is not as long as the one of that name in `KNOWN_COUNTS`."""
    if len(samples) != KNOWN_COUNTS[known]:
        raise wrong_file(path, expected=f"the {KNOWN_COUNTS[known]} samples of {known}", got=str(len(samples)))


def shared_frames(one: Iterable[Sample], other: Iterable[Sample]) -> list[str]:
    """`drive frame` of the frames that two lists share, from whichever side they are seen."""
    frames = {(sample.drive, sample.frame) for sample in other}
    return sorted({f"{s.drive} {s.frame:010d}" for s in one if (s.drive, s.frame) in frames})


def _text(names: Iterable[object]) -> bytes:
    return "".join(f"{name}\n" for name in sorted(map(str, names))).encode()
