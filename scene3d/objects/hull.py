"""What of a box most silhouettes agree on: a visual hull that forgives single views."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.camera import Camera, inside
from scene3d.geometry.se3 import transform
from scene3d.objects.projection import pixels_in
from scene3d.structures.scene import Shot

EDGE = 72
"""Voxels along the longest edge of the box."""


def agreed_hull(
    shots: Sequence[Shot],
    cameras: Sequence[Camera],
    masks: Sequence[Bool[Tensor, "H W"]],
    box: OrientedBox,
    agreement: float,
) -> tuple[Float[Tensor, "N 3"], float]:
    """Middles of the voxels of a box that lie in enough silhouettes, and the edge of a voxel.

    Args:
        shots: with transforms.
        cameras: of their views, the sizes of the masks.
        masks: silhouettes.
        box: where to look.
        agreement: share of the views with a voxel in their image whose silhouette holds it.

    Source: Laurentini, "The visual hull concept", TPAMI 1994, with a vote instead of an intersection.
    """
    edge = float(2 * box.half.amax() / EDGE)
    axes = [torch.arange(-float(h) + edge / 2, float(h), edge, dtype=torch.float64) for h in box.half]
    voxels = transform(box.box_to_world.double(), torch.cartesian_prod(*axes))
    votes, voters = (torch.zeros(len(voxels), dtype=torch.float64) for _ in range(2))
    for shot, camera, mask in zip(shots, cameras, masks, strict=True):
        column, row, seen = _cells(shot, camera, voxels)
        voters += seen
        votes[seen] += mask[row[seen], column[seen]].double()
    return voxels[(voters > 0) & (votes >= agreement * voters)], edge


def hull_silhouette(shot: Shot, camera: Camera, voxels: Float[Tensor, "N 3"], edge: float) -> Bool[Tensor, "H W"]:
    """Where voxels cover a view, each as large as the middle one of them is seen."""
    mask = torch.zeros(camera.height, camera.width, dtype=torch.bool)
    column, row, seen = _cells(shot, camera, voxels)
    if not seen.any():
        return mask
    mask[row[seen], column[seen]] = True
    _, depth = pixels_in(shot, camera, voxels[seen])
    half = float(edge * camera.K[0, 0] / depth.median()) / 2
    # A cube seen along its diagonal is sqrt(3) of its edge wide: so far squares reach to leave no gaps. Then the rim is
    # taken back to half an edge beyond the middles.
    reach = math.ceil(math.sqrt(3) * half)
    grown = _widest(mask[None, None].float(), reach)
    return -_widest(-grown, reach - math.floor(half))[0, 0] > 0


def _widest(values: Float[Tensor, "1 1 H W"], reach: int) -> Float[Tensor, "1 1 H W"]:
    """The largest value within a square about each pixel."""
    return torch.nn.functional.max_pool2d(values, 2 * reach + 1, stride=1, padding=reach)


def _cells(shot: Shot, camera: Camera, points: Float[Tensor, "N 3"]) -> tuple[Tensor, Tensor, Bool[Tensor, "N"]]:  # noqa: UP037
    """Column and row of the pixel that each point falls into, and whether there is one."""
    pixels, depth = pixels_in(shot, camera, points)
    seen = inside(pixels, depth, camera.height, camera.width)
    column, row = pixels.nan_to_num().clamp(-1, 1e6).long().unbind(dim=1)
    return column, row, seen & (column < camera.width) & (row < camera.height)
