"""Where KITTI-360's car was: the data set's own `poses.txt`, or a trajectory somebody estimated, as ORB-SLAM3 does.

Sources: Liao et al., "KITTI-360", TPAMI 2022; Campos et al., "ORB-SLAM3", T-RO 2021 (its `SaveTrajectoryKITTI`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from scene3d.data.kitti_files import as_transform, checked_rigid, read_rows
from scene3d.data.trajectory_files import read_kitti_trajectory
from scene3d.errors import wrong_file
from scene3d.geometry.se3 import invert

PosesOf = Literal["body", "left camera"]
"""What the rows of a trajectory place: the GPS/IMU as in `poses.txt`, or the rectified left camera, as of SLAM."""


@dataclass(frozen=True)
class EstimatedPoses:
    """Trajectories that stand in for the data set's poses.

    Attributes:
        folder: holds `<sequence>.txt`, or `<sequence>/poses.txt`: 12 numbers a line, three rows of four in metres,
            line i of frame i from 0 on; or 13 with the frame's number in front, which may leave frames out. The world
            may lie anywhere, such as in the first camera.
        of: what the rows place in the world.
    """

    folder: Path
    of: PosesOf = "body"

    def file(self, name: str) -> Path:
        """The trajectory of a sequence; the first of its two places where there is none."""
        own = self.folder / f"{name}.txt"
        nested = self.folder / name / "poses.txt"
        return nested if nested.exists() and not own.exists() else own

    def read(self, name: str, left_to_body: Float[Tensor, "4 4"]) -> dict[int, Float[Tensor, "4 4"]]:
        """``body_to_world`` of every frame of a sequence that the trajectory has.

        Raises:
            DataError: there is no such file, or it is no trajectory.
        """
        path = self.file(name)
        if not path.exists():
            raise wrong_file(path, expected=f"the trajectory of {name}", got="no such file", hint="data.poses names it")
        found = read_kitti_trajectory(path)
        placed = found.body_to_world.double()
        if self.of == "left camera":
            placed = placed @ invert(left_to_body.double())
        return dict(zip(found.stamps.long().tolist(), placed, strict=True))


def read_body_poses(path: Path) -> dict[int, Float[Tensor, "4 4"]]:
    """``body_to_world`` of every frame that `poses.txt` has a row for, in the order of the rows.

    Raises:
        DataError: a row is not a frame number and 12 finite numbers, its rotation is not one, or a frame
            comes twice.
    """
    rows = read_rows(path, 13)
    if not len(rows):
        raise wrong_file(path, expected="rows of a frame number and 12 numbers", got="none")
    if (rows[:, 0] != rows[:, 0].round()).any() or (rows[:, 0] < 0).any():
        raise wrong_file(path, expected="frame numbers in the first column", got="other numbers")
    matrices = checked_rigid(as_transform(rows[:, 1:].reshape(-1, 3, 4)), path, "row")
    poses: dict[int, Tensor] = {}
    for frame, matrix in zip(rows[:, 0].long().tolist(), matrices, strict=True):
        if frame in poses:
            raise wrong_file(path, expected="one row a frame", got=f"two of frame {frame}")
        poses[frame] = matrix
    return poses
