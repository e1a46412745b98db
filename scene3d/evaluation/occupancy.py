"""Occupancy of a slice of the street, told from the scans of a while: also behind what the image shows.

From one scan, what lies behind the first surface may be anything. A car that drives on sees around it: a place is
occupied if hardly any scan of the next two seconds looked through it.

Source: Wimbauer et al., "Behind the scenes: density fields for single view reconstruction", CVPR 2023, section 4.2 and
the evaluation that came with it, whose range of a point takes a 1 for a coordinate; here it is seen from above, as that
of the scans.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import project
from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import VoxelFrame

SCANS = 20
"""Scans that are looked at, from the reference's own on."""

ASIDE, AHEAD, BELOW = (-4.0, 4.0), (4.0, 20.0), (0.0, 0.75)
"""The slice, metres from the camera, in axes that lie level with the street."""

PER_METRE = 10
"""Points of the slice."""

PITCH = math.radians(5)
"""KITTI-360's cameras look down by so much."""

CUT_OFF = 0.5
"""Density (1/m) above which a point is called occupied."""

NEAREST = 3.0
"""Metres; nearer points lie on the car itself, and no scan speaks for them."""

TOLERATED = 2
"""Scans that may have looked through an occupied point."""

BINS = 360
"""Directions of a scan around its axis, in each of which the nearest point counts."""


@dataclass(frozen=True)
class SliceFigures:
    """Shares of points; NaN where there is nothing to take a share of.

    Attributes:
        o_acc: rightly called occupied or empty.
        o_prec, o_rec: of what was called occupied, and of what is.
        ie_acc: rightly called, of what nobody saw from here (invisible).
        ie_prec, ie_rec: of what was called empty, and of what is, where nobody saw it.
    """

    o_acc: float
    o_prec: float
    o_rec: float
    ie_acc: float
    ie_prec: float
    ie_rec: float


def level_to_cam() -> Float[Tensor, "4 4"]:
    """From axes at the camera that lie level with the street to the camera's."""
    c, s = math.cos(PITCH), math.sin(PITCH)
    return torch.tensor([[1.0, 0, 0, 0], [0, c, -s, 0], [0, s, c, 0], [0, 0, 0, 1]])


def slice_points() -> Float[Tensor, "N 3"]:
    """Points of the slice in level axes: x right, y down, z ahead."""
    x = torch.linspace(*ASIDE, round((ASIDE[1] - ASIDE[0]) * PER_METRE))
    z = torch.linspace(*AHEAD, round((AHEAD[1] - AHEAD[0]) * PER_METRE))
    columns, rows = torch.meshgrid(x, z, indexing="xy")
    return torch.stack([columns, torch.full_like(columns, sum(BELOW) / 2), rows], dim=-1).reshape(-1, 3)


def slice_truth(
    points: Float[Tensor, "N 3"], scans: Sequence[Float[Tensor, "M 3"]], scan_to_level: Float[Tensor, "S 4 4"]
) -> tuple[Bool[Tensor, "N"], Bool[Tensor, "N"]]:  # noqa: UP037
    """Which points of the slice are occupied, and which the first scan looked through.

    Args:
        points: in level axes.
        scans: each in its own axes (x forward, y left, z up); rows of NaN are left out.
        scan_to_level: places them.
    """
    blocked = torch.zeros(len(points), dtype=torch.int64)
    seen = torch.zeros(len(points), dtype=torch.bool)
    for number, (scan, placed) in enumerate(zip(scans, scan_to_level, strict=True)):
        behind = _behind(transform(invert(placed), points), nearest_by_angle(scan, placed))
        blocked += behind
        if number == 0:
            seen = ~behind
    return blocked >= len(scans) - TOLERATED, seen


def nearest_by_angle(scan: Float[Tensor, "M 3"], scan_to_level: Float[Tensor, "4 4"]) -> Float[Tensor, "bins"]:  # noqa: UP037
    """Range (metres, seen from above) of the first surface of the slice in each direction around a scanner.

    Points beyond the slice count at any height: rays that end there went through it. A direction without points goes by
    the one before; infinity where there are none at all.
    """
    scan = scan[scan.isfinite().all(dim=-1)]
    level = transform(scan_to_level, scan)
    farthest = math.hypot(AHEAD[1], ASIDE[0])
    counted = ((level[:, 1] >= BELOW[0]) & (level[:, 1] <= BELOW[1])) | (level.norm(dim=-1) >= farthest)
    x, y = scan[counted, 0], scan[counted, 1]
    bins = ((torch.atan2(y, x) + math.pi) / (2 * math.pi) * BINS).long().clamp(0, BINS - 1)
    ranges = torch.full((BINS,), torch.inf).scatter_reduce(0, bins, torch.hypot(x, y), "amin")
    filled = ranges.isfinite().nonzero()[:, 0]
    if len(filled) == 0:
        return ranges
    # The last direction with points before each one; before the first of them, the first.
    last = torch.searchsorted(filled, torch.arange(BINS), right=True) - 1
    return ranges[filled[last.clamp(min=0)]]


def _behind(points_scan: Float[Tensor, "N 3"], surface: Float[Tensor, "bins"]) -> Bool[Tensor, "N"]:  # noqa: UP037
    """Points behind the surface, whose range is interpolated between the middles of the directions."""
    place = (torch.atan2(points_scan[:, 1], points_scan[:, 0]) + math.pi) / (2 * math.pi) * BINS - 0.5
    left = place.floor()
    share = place - left
    before, after = surface[left.long() % BINS], surface[(left.long() + 1) % BINS]
    ranges = torch.hypot(points_scan[:, 0], points_scan[:, 1])
    return (ranges > before * (1 - share) + after * share) | (ranges < NEAREST)


def seen_by_depth(
    points_cam: Float[Tensor, "N 3"], depth: Float[Tensor, "H W"], K: Float[Tensor, "3 3"]
) -> Bool[Tensor, "N"]:  # noqa: UP037
    """Points that lie before what a depth image shows; those outside of it go by its border."""
    pixels, z = project(points_cam, K)
    column, row = pixels.floor().long().unbind(dim=-1)
    height, width = depth.shape
    return z <= depth[row.clamp(0, height - 1), column.clamp(0, width - 1)]


def density_at(density: Float[Tensor, "X Y Z"], frame: VoxelFrame, points: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
    """Density of the cell that holds each point; 0 outside of the grid."""
    cell, within = frame.cell_of(points)
    x, y, z = torch.where(within[:, None], cell, 0).unbind(dim=-1)
    return torch.where(within, density[x, y, z], 0.0)


def slice_figures(
    said: Bool[Tensor, "N"],  # noqa: UP037
    occupied: Bool[Tensor, "N"],  # noqa: UP037
    seen: Bool[Tensor, "N"],  # noqa: UP037
) -> SliceFigures:
    """Of one frame; what was seen through is empty, whatever later scans say."""
    occupied = occupied & ~seen
    right, hidden = said == occupied, ~seen

    def share(what: Tensor, of: Tensor) -> float:
        return what[of].double().mean().item()

    return SliceFigures(
        o_acc=right.double().mean().item(),
        o_prec=share(occupied, said),
        o_rec=share(said, occupied),
        ie_acc=share(right, hidden),
        ie_prec=share(~occupied, ~said & hidden),
        ie_rec=share(~said, ~occupied & hidden),
    )


def mean_slice_figures(frames: Sequence[SliceFigures]) -> SliceFigures:
    """Mean over the frames that have each figure; NaN where none has."""
    means = {}
    for each in fields(SliceFigures):
        values = torch.tensor([getattr(frame, each.name) for frame in frames], dtype=torch.float64)
        means[each.name] = values.nanmean().item()
    return SliceFigures(**means)
