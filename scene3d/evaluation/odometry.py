"""The two scores of KITTI odometry: drift over segments of a drive, and the error within snippets of five frames."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.evaluation.trajectory import from_first, path_lengths, rotation_angle
from scene3d.geometry.alignment import least_squares_scale

SEGMENTS = (100, 200, 300, 400, 500, 600, 700, 800)
"""Lengths of the segments that are scored, metres."""

SEGMENT_STEP = 10
"""A segment starts at every so-manieth frame (once a second)."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Errors of S segments.

    Attributes:
        length: of the segment, metres.
        translation: metres of error a metre.
        rotation: radians of error a metre.
    """

    length: Float[Tensor, "S"]  # noqa: UP037
    translation: Float[Tensor, "S"]  # noqa: UP037
    rotation: Float[Tensor, "S"]  # noqa: UP037

    @property
    def t_err(self) -> float | None:
        """Mean translational drift, percent; None where no segment is long enough."""
        return 100 * self.translation.mean().item() if len(self.translation) else None

    @property
    def r_err(self) -> float | None:
        """Mean rotational drift, degrees a 100 m; None where no segment is long enough."""
        return 100 * torch.rad2deg(self.rotation.mean()).item() if len(self.rotation) else None


def drift(
    estimated: Float[Tensor, "N 4 4"],
    true: Float[Tensor, "M 4 4"],
    frames: Int[Tensor, "N"] | None = None,  # noqa: UP037
) -> Drift:
    """Drift over segments of 100 to 800 m of the true path.

    A segment starts at frames 0, 10, 20, ... and ends at the first frame that lies further along the path than its
    length. Segments whose first or last frame the estimate lacks are left out. A segment compares motions, which a
    common turn of the whole estimate does not change: only an unknown scale has to be aligned before.

    Args:
        estimated: cam_to_world, aligned in scale if that is unknown.
        true: cam_to_world of frames 0, 1, 2, ... of the drive.
        frames: index into `true` of each estimate; None where it has all frames.

    Source: Geiger et al., "Are we ready for autonomous driving?", CVPR 2012, section 2.3, and the development kit
    of the odometry benchmark; `kitti-odom-eval` does the same.
    """
    frames = torch.arange(len(estimated)) if frames is None else frames
    place = torch.full((len(true),), -1)
    place[frames] = torch.arange(len(frames))
    path = path_lengths(true)
    starts = torch.arange(0, len(true), SEGMENT_STEP)
    lengths = torch.tensor(SEGMENTS, dtype=path.dtype)
    first = starts.repeat_interleave(len(SEGMENTS))
    length = lengths.repeat(len(starts))
    last = torch.searchsorted(path, path[first] + length, right=True)
    reached = last < len(true)
    first, last, length = first[reached], last[reached], length[reached]
    known = (place[first] >= 0) & (place[last] >= 0)
    first, last, length = first[known], last[known], length[known]
    # Matrices are inverted as they stand, as in kitti-odom-eval; see `relative_errors`.
    inverse = torch.linalg.inv
    motion = inverse(estimated[place[first]]) @ estimated[place[last]]
    error = inverse(motion) @ inverse(true[first]) @ true[last]
    return Drift(
        length=length,
        translation=error[:, :3, 3].norm(dim=1) / length,
        rotation=rotation_angle(error) / length,
    )


@dataclass(frozen=True, kw_only=True)
class SnippetErrors:
    """Position errors within S snippets of n frames, metres.

    Attributes:
        published: root of the *sum* of squares, divided by n: what SfMLearner and Monodepth2 print as ATE.
        rms: root of the mean of squares, which is sqrt(n) times as large.
    """

    published: Float[Tensor, "S"]  # noqa: UP037
    rms: Float[Tensor, "S"]  # noqa: UP037


def snippet_errors(estimated: Float[Tensor, "N 4 4"], true: Float[Tensor, "N 4 4"], length: int = 5) -> SnippetErrors:
    """Position errors of every `length` consecutive frames, after laying first transforms over each other.

    Each snippet has one scale of its own, by least squares. The first position is right by construction and counts
    among the n. Papers give mean and deviation of `published` over all snippets of a sequence.

    Source: Zhou et al., "Unsupervised learning of depth and ego-motion from video", CVPR 2017, section 4.3, and the
    evaluation code that they published (MIT).
    """
    sums = []
    for start in range(len(estimated) - length + 1):
        snippet = slice(start, start + length)
        here, there = from_first(estimated[snippet])[:, :3, 3], from_first(true[snippet])[:, :3, 3]
        sums.append(((least_squares_scale(here, there) * here - there) ** 2).sum())
    squares = torch.stack(sums) if sums else true.new_zeros(0)
    return SnippetErrors(published=squares.sqrt() / length, rms=(squares / length).sqrt())
