"""Trajectories on disk, KITTI's and TUM's text files, and which lines of two of them belong together."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.data.images import write_bytes
from scene3d.data.kitti_files import as_transform, checked_rigid, read_rows, read_text
from scene3d.errors import wrong_file
from scene3d.geometry.se3 import rigid
from scene3d.structures.trajectory import Trajectory

QUATERNION_TOLERANCE = 1e-2
"""How far the length of a quaternion may lie from 1; files print four to six digits."""


def read_kitti_trajectory(path: Path | str) -> Trajectory:
    """Transforms of 12 numbers a line (three rows of four); stamps are frame numbers.

    Line i, from 0, is frame i, unless each line has a 13th number in front: then that is the frame.

    Raises:
        DataError: the file has no line, or one that is not 12 (or 13) finite numbers, whose rotation is not
            orthonormal, or whose frame is not a whole number above the one before it.
    """
    path = Path(path)
    lines = [line for line in read_text(path).splitlines() if line.strip()]
    numbered = bool(lines) and len(lines[0].split()) == 13
    rows = _rows(path, 13 if numbered else 12)
    frames = rows[:, 0] if numbered else torch.arange(len(rows), dtype=torch.float64)
    if not torch.equal(frames, frames.round()):
        bad = int((frames != frames.round()).nonzero()[0, 0])
        raise wrong_file(path, expected=f"a frame number in front of line {bad + 1}", got=f"{frames[bad].item()}")
    matrices = checked_rigid(as_transform(rows[:, -12:].reshape(-1, 3, 4)), path, "line")
    return Trajectory(stamps=_increasing(frames, path), body_to_world=matrices)


def read_tum_trajectory(path: Path | str) -> Trajectory:
    """Lines of `t x y z qx qy qz qw`: seconds, metres and a unit quaternion; lines with # in front are passed over.

    Raises:
        DataError: the file has no such line, or one that is not 8 finite numbers, whose quaternion is not of
            length 1, or whose time is not above that of the line before it.
    """
    from scipy.spatial.transform import Rotation

    path = Path(path)
    rows = _rows(path, 8)
    lengths = rows[:, 4:].norm(dim=1)
    bad = (lengths - 1).abs() > QUATERNION_TOLERANCE
    if bad.any():
        i = int(bad.nonzero()[0, 0])
        expected = f"a quaternion of length 1 in transform {i + 1}"
        raise wrong_file(path, expected=expected, got=f"length {lengths[i].item():.4g}")
    rotations = torch.from_numpy(Rotation.from_quat(rows[:, 4:].numpy()).as_matrix())
    return Trajectory(stamps=_increasing(rows[:, 0], path), body_to_world=rigid(rotations, rows[:, 1:4]))


def write_kitti_trajectory(path: Path | str, trajectory: Trajectory) -> None:
    """Write 12 numbers a line, with the frame number in front where the stamps are not 0, 1, 2, ...

    Numbers are written in full: reading gives the same trajectory, bit for bit.

    Raises:
        DataError: the file cannot be written.
    """
    rows = trajectory.body_to_world[:, :3].flatten(1).tolist()
    lines = [" ".join(map(repr, row)) for row in rows]
    if trajectory.stamps.tolist() != list(range(len(trajectory))):
        frames = trajectory.stamps.long().tolist()
        lines = [f"{frame} {line}" for frame, line in zip(frames, lines, strict=True)]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def write_tum_trajectory(path: Path | str, trajectory: Trajectory) -> None:
    """Write `t x y z qx qy qz qw` a line; the rotation passes through a quaternion, so it comes back to 1e-15.

    Raises:
        DataError: the file cannot be written.
    """
    from scipy.spatial.transform import Rotation

    quaternions = torch.from_numpy(Rotation.from_matrix(trajectory.body_to_world[:, :3, :3].numpy()).as_quat())
    rows = torch.cat([trajectory.stamps[:, None], trajectory.body_to_world[:, :3, 3], quaternions], dim=1)
    lines = ["# timestamp tx ty tz qx qy qz qw", *(" ".join(map(repr, row)) for row in rows.tolist())]
    write_bytes(path, ("\n".join(lines) + "\n").encode())


def associate(estimated: Trajectory, true: Trajectory, within: float) -> tuple[Int[Tensor, "M"], Int[Tensor, "M"]]:  # noqa: UP037
    """Which transforms of two trajectories belong together: see `associate_stamps`."""
    return associate_stamps(estimated.stamps, true.stamps, within)


def associate_stamps(
    stamps: Float[Tensor, "N"],  # noqa: UP037
    others: Float[Tensor, "K"],  # noqa: UP037
    within: float,
) -> tuple[Int[Tensor, "M"], Int[Tensor, "M"]]:  # noqa: UP037
    """Which of two increasing rows of stamps belong together: those nearest in time, each at most once.

    Args:
        stamps: such as those of a trajectory to be scored.
        others: such as those of the trajectory to score it against; at least one.
        within: largest difference of stamps, in their unit: 0.01 s is usual for TUM's, 0 for frame numbers.

    Returns:
        Indices into `stamps` and into `others`, in order of time.
    """
    after = torch.searchsorted(others.contiguous(), stamps.contiguous()).clamp(0, len(others) - 1)
    before = (after - 1).clamp(min=0)
    gaps = torch.stack([(others[i] - stamps).abs() for i in (before, after)])
    gap, side = gaps.min(dim=0)
    partner = torch.where(side == 0, before, after)
    # Of several that have one partner the nearest takes it.
    nearest = torch.full((len(others),), torch.inf, dtype=gap.dtype).scatter_reduce(0, partner, gap, "amin")
    first = torch.full((len(others),), len(stamps)).scatter_reduce(
        0, partner, torch.where(gap == nearest[partner], torch.arange(len(stamps)), len(stamps)), "amin"
    )
    chosen = (gap <= within) & (first[partner] == torch.arange(len(stamps)))
    return chosen.nonzero()[:, 0], partner[chosen]


def select(trajectory: Trajectory, indices: Int[Tensor, "M"]) -> Trajectory:  # noqa: UP037
    """Some transforms of a trajectory."""
    return Trajectory(stamps=trajectory.stamps[indices], body_to_world=trajectory.body_to_world[indices])


def _rows(path: Path, columns: int) -> Float[Tensor, "N columns"]:
    rows = read_rows(path, columns, comment="#")
    if len(rows) == 0:
        raise wrong_file(path, expected=f"lines of {columns} numbers", got="none")
    return rows


def _increasing(stamps: Float[Tensor, "N"], path: Path) -> Float[Tensor, "N"]:  # noqa: UP037
    late = stamps.diff() <= 0
    if late.any():
        i = int(late.nonzero()[0, 0])
        before, after = stamps[i].item(), stamps[i + 1].item()
        raise wrong_file(path, expected=f"a stamp above {before:.15g} after it", got=f"{after:.15g}")
    return stamps
