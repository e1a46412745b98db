"""Rays through pixels."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.camera import unproject
from scene3d.geometry.se3 import rotate


def pixel_rays(
    pixels: Float[Tensor, "*batch N 2"],
    K: Float[Tensor, "*batch 3 3"],
    cam_to_world: Float[Tensor, "*batch 4 4"],
) -> tuple[Float[Tensor, "*batch N 3"], Float[Tensor, "*batch N 3"]]:
    """Origin and unit direction, in the world, of the ray through each pixel position."""
    directions_cam = unproject(pixels, torch.ones_like(pixels[..., 0]), K)
    directions = torch.nn.functional.normalize(rotate(cam_to_world, directions_cam), dim=-1)
    origins = cam_to_world[..., None, :3, 3].expand_as(directions)
    return origins, directions
