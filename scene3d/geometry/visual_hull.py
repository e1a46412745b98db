"""What of a box most silhouettes agree on: a visual hull that forgives single views."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.camera import Camera, inside, project
from scene3d.geometry.se3 import invert, transform

AT_ONCE = 2**20
"""Voxels that are looked at at a time."""


class HullView(NamedTuple):
    """A pinhole camera and where it is."""

    camera: Camera
    cam_to_world: Float[Tensor, "4 4"]


def agreed_hull(
    views: Sequence[HullView],
    masks: Sequence[Bool[Tensor, "H W"]],
    box: OrientedBox,
    agreement: float,
    cells: int = 72,
) -> tuple[Float[Tensor, "N 3"], float]:
    """Middles of the voxels of a box that lie in enough silhouettes, and the edge of a voxel.

    Args:
        views: cameras of the sizes of the masks.
        masks: silhouettes.
        box: where to look.
        agreement: share of the views with a voxel in their image whose silhouette holds it.
        cells: along the longest edge of the box.

    Source: Laurentini, "The visual hull concept", TPAMI 1994, with a vote instead of an intersection.
    """
    edge = float(2 * box.half.amax() / cells)
    axes = [torch.arange(-float(h) + edge / 2, float(h), edge, dtype=torch.float64) for h in box.half]
    layers = max(AT_ONCE // (len(axes[1]) * len(axes[2])), 1)
    found = []
    for some in axes[0].split(layers):
        voxels = torch.cartesian_prod(some, *axes[1:])
        votes, voters = (torch.zeros(len(voxels)) for _ in range(2))
        for view, mask in zip(views, masks, strict=True):
            pixel, seen = _pixels(view, box, voxels.float())
            voters += seen
            votes += seen & mask.flatten()[pixel]
            # So many votes against are too many, whatever the other views say.
            open_ = voters - votes <= (1 - agreement) * len(views) + 0.5
            voxels, votes, voters = voxels[open_], votes[open_], voters[open_]
        kept = (voters > 0) & (votes >= agreement * voters)
        found.append(transform(box.box_to_world.double(), voxels[kept]))
    return torch.cat(found), edge


def _pixels(
    view: HullView, box: OrientedBox, points_box: Float[Tensor, "N 3"]
) -> tuple[Int[Tensor, "N"], Bool[Tensor, "N"]]:  # noqa: UP037
    """Flat index of the pixel that each point of a box falls into, 0 where there is none, and whether there is one."""
    camera = view.camera
    box_to_cam = invert(view.cam_to_world.double()) @ box.box_to_world.double()
    # One product for millions of points: from the middle of the box, which may be far from that of the world.
    box_to_image = (camera.K.double() @ box_to_cam[:3]).float()
    x, y, depth = (points_box @ box_to_image[:, :3].mT + box_to_image[:, 3]).unbind(dim=1)
    column, row = (each.div(depth).nan_to_num(-1).floor().clamp(-1, 1e6).long() for each in (x, y))
    seen = (depth > 0) & (column >= 0) & (column < camera.width) & (row >= 0) & (row < camera.height)
    return torch.where(seen, row * camera.width + column, 0), seen


def hull_silhouette(view: HullView, voxels: Float[Tensor, "N 3"], edge: float) -> Bool[Tensor, "H W"]:
    """Where voxels cover a view, each as large as the middle one of them is seen."""
    mask = torch.zeros(view.camera.height, view.camera.width, dtype=torch.bool)
    column, row, seen = _cells(view, voxels)
    if not seen.any():
        return mask
    mask[row[seen], column[seen]] = True
    depth = transform(invert(view.cam_to_world.double()), voxels[seen])[:, 2]
    half = float(edge * view.camera.K[0, 0] / depth.median()) / 2
    # A cube seen along its diagonal is sqrt(3) of its edge wide: so far squares reach to leave no gaps. Then the rim is
    # taken back to half an edge beyond the middles.
    reach = math.ceil(math.sqrt(3) * half)
    grown = _widest(mask[None, None].float(), reach)
    return -_widest(-grown, reach - math.floor(half))[0, 0] > 0


def _widest(values: Float[Tensor, "1 1 H W"], reach: int) -> Float[Tensor, "1 1 H W"]:
    """The largest value within a square about each pixel."""
    return torch.nn.functional.max_pool2d(values, 2 * reach + 1, stride=1, padding=reach)


def _cells(view: HullView, points: Float[Tensor, "N 3"]) -> tuple[Tensor, Tensor, Bool[Tensor, "N"]]:  # noqa: UP037
    """Column and row of the pixel that each point falls into, and whether there is one."""
    camera = view.camera
    pixels, depth = project(transform(invert(view.cam_to_world.double()), points), camera.K.double())
    seen = inside(pixels, depth, camera.height, camera.width)
    column, row = pixels.nan_to_num().clamp(-1, 1e6).long().unbind(dim=1)
    return column, row, seen & (column < camera.width) & (row < camera.height)
