"""The way of one camera or body through the world, as trajectory files hold it."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Trajectory:
    """N transforms in order of time.

    Attributes:
        stamps: strictly increasing: seconds in TUM's files, the number of the frame in KITTI's.
        body_to_world: of the camera or body; the unit of length is metres, or unknown for monocular odometry.
    """

    stamps: Float[Tensor, "N"]  # noqa: UP037
    body_to_world: Float[Tensor, "N 4 4"]

    def __len__(self) -> int:
        return len(self.stamps)
