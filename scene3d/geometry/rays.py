"""Rays through pixels."""

from __future__ import annotations

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.camera import pixel_centres, unproject
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


def viewing_slopes(K: Float[Tensor, "B 3 3"], height: int, width: int) -> Float[Tensor, "B 2 H W"]:
    """X / z and y / z of the ray of every pixel, in its camera."""
    pixels = pixel_centres(height, width, device=K.device).reshape(-1, 2).expand(K.shape[0], -1, 2)
    slopes = unproject(pixels, torch.ones_like(pixels[..., 0]), K)[..., :2]
    return rearrange(slopes, "b (h w) c -> b c h w", h=height)
