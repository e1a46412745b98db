"""Cameras that go about what other cameras look at, as on a turntable."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.se3 import rigid

AGREED = 0.5
"""Length of the mean of unit vectors from which on they agree which way is up."""

GAP = math.pi / 2
"""Cameras without a gap as wide as this surround what they look at."""


def up_of_cameras(cam_to_world: Float[Tensor, "V 4 4"]) -> Float[Tensor, "3"]:  # noqa: UP037
    """Which way is up, as cameras are held on average; of those held anyhow, the normal of the plane they lie in."""
    mean = -cam_to_world[:, :3, 1].double().mean(dim=0)
    if mean.norm() > AGREED:
        return mean / mean.norm()
    centres = cam_to_world[:, :3, 3].double()
    _, _, axes = torch.linalg.svd(centres - centres.mean(dim=0), full_matrices=True)
    normal = axes[-1]
    return normal if normal @ mean >= 0 else -normal


def upright(up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:  # noqa: UP037
    """The rotation that brings a direction to z."""
    side = torch.zeros(3, dtype=up.dtype)
    side[int(up.abs().argmin())] = 1
    x = torch.linalg.cross(side, up)
    x = x / x.norm()
    return torch.stack([x, torch.linalg.cross(up, x), up / up.norm()])


def turntable(
    cam_to_world: Float[Tensor, "V 4 4"],
    centre: Float[Tensor, "3"],  # noqa: UP037
    count: int,
) -> Float[Tensor, "{count} 4 4"]:
    """Places of cameras that look at a point from as far and as high as the given ones do.

    Where these surround it, it is a full turn; else a swing over the angles that they cover, there and back.

    Args:
        cam_to_world: at least one.
        centre: that they look at, in the world.
        count: how many to make.
    """
    up, centre = up_of_cameras(cam_to_world), centre.double()
    to_table = upright(up)
    places = (cam_to_world[:, :3, 3].double() - centre) @ to_table.T
    distance = places.norm(dim=1).median()
    height = torch.asin((places[:, 2] / places.norm(dim=1)).clamp(-0.95, 0.95)).median()
    angles = _angles(torch.atan2(places[:, 1], places[:, 0]), count)
    flat = torch.stack([angles.cos() * height.cos(), angles.sin() * height.cos(), height.sin().expand(count)], dim=1)
    outward = flat @ to_table
    right = torch.linalg.cross(-outward, up.expand(count, 3))
    right = right / right.norm(dim=1, keepdim=True)
    down = torch.linalg.cross(-outward, right)
    return rigid(torch.stack([right, down, -outward], dim=2), centre + distance * outward)


def _angles(azimuths: Float[Tensor, "V"], count: int) -> Float[Tensor, "{count}"]:  # noqa: UP037
    """A full turn from the first angle on, or a swing over all of them."""
    share = torch.arange(count, dtype=torch.float64) / count
    ordered = azimuths.sort().values
    gaps = torch.cat([ordered.diff(), ordered[:1] + 2 * math.pi - ordered[-1:]])
    widest = int(gaps.argmax())
    if gaps[widest] < GAP:
        return azimuths[0] + 2 * math.pi * share
    first = ordered[(widest + 1) % len(ordered)]
    span = 2 * math.pi - gaps[widest]
    return first + span / 2 * (1 - torch.cos(2 * math.pi * share))
