"""What of a box most silhouettes agree on: a visual hull that forgives single views."""

from __future__ import annotations

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
    """Where voxels cover a view: each as the square of the size at which the middle one of them is seen."""
    mask = torch.zeros(camera.height, camera.width, dtype=torch.bool)
    column, row, seen = _cells(shot, camera, voxels)
    if not seen.any():
        return mask
    mask[row[seen], column[seen]] = True
    _, depth = pixels_in(shot, camera, voxels[seen])
    # A cube seen along its diagonal is sqrt(3) of its edge wide.
    reach = round(float(1.7 * edge * camera.K[0, 0] / depth.median()) / 2)
    grown = torch.nn.functional.max_pool2d(mask[None, None].float(), 2 * reach + 1, stride=1, padding=reach)
    # The squares of the rim stand out by half their size, which is taken off again.
    worn = -torch.nn.functional.max_pool2d(-grown, 2 * (reach // 2) + 1, stride=1, padding=reach // 2)
    return worn[0, 0] > 0


def _cells(shot: Shot, camera: Camera, points: Float[Tensor, "N 3"]) -> tuple[Tensor, Tensor, Bool[Tensor, "N"]]:  # noqa: UP037
    """Column and row of the pixel that each point falls into, and whether there is one."""
    pixels, depth = pixels_in(shot, camera, points)
    seen = inside(pixels, depth, camera.height, camera.width)
    column, row = pixels.nan_to_num().clamp(-1, 1e6).long().unbind(dim=1)
    return column, row, seen & (column < camera.width) & (row < camera.height)
