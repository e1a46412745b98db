"""Small pixel-aligned fields for the tests of the operators on them."""

from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole
from scene3d.ops.frequencies import encoded_size
from scene3d.ops.march_field import MarchRays, MarchViews
from scene3d.ops.pixel_field import FieldArrays

HEIGHT, WIDTH = 16, 24


def small_field(hidden: int = 5, octaves: int = 2, batch: int = 2, dtype: torch.dtype = torch.float64) -> FieldArrays:
    """A map at half the image's size, and a random network. Densities of a few a metre."""
    K = pinhole(20.0, HEIGHT, WIDTH).K.to(dtype).repeat(batch, 1, 1)
    K[:, 0, 1] = 0.3  # a skewed camera: K is used whole
    draw = {"dtype": dtype}
    encoded = encoded_size(3, octaves)
    return FieldArrays(
        torch.randn(batch, HEIGHT // 2, WIDTH // 2, hidden, **draw),
        K,
        0.5 * torch.randn(hidden, encoded, **draw),
        torch.randn(hidden, **draw),
        torch.randn((), **draw),
        HEIGHT,
        WIDTH,
        2.0,
        30.0,
    )


def points_about(batch: int, count: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Points in front of the camera, some beside its image and some behind it."""
    spread = torch.tensor([6.0, 4.0, 5.0], dtype=dtype)
    return torch.randn(batch, count, 3, dtype=dtype) * spread + torch.tensor([0.0, 0.0, 7.0], dtype=dtype)


def rays_about(rays: int = 4, samples: int = 6, capped: bool = True, dtype: torch.dtype = torch.float64) -> MarchRays:
    """Rays that start about the camera and look forward, some out of its image."""
    directions = torch.randn(2, rays, 3, dtype=dtype) + torch.tensor([0, 0, 2.0], dtype=dtype)
    distances = (1 + 20 * torch.rand(2, rays, samples, dtype=dtype)).sort(dim=-1).values
    return MarchRays(
        0.3 * torch.randn(2, rays, 3, dtype=dtype),
        torch.nn.functional.normalize(directions, dim=-1),
        distances,
        capped,
    )


def views_about(views: int = 3, masked: bool = True, dtype: torch.dtype = torch.float64) -> MarchViews:
    """Views that look along z from about the origin."""
    pose = torch.cat([torch.eye(3).expand(2, views, 3, 3), 0.5 * torch.randn(2, views, 3, 1)], dim=-1).to(dtype)
    to_pixels = small_field(dtype=dtype).K[:1, None] @ pose
    shown = torch.rand(2, views, HEIGHT, WIDTH) > 0.1
    return MarchViews(torch.rand(2, views, HEIGHT, WIDTH, 3, dtype=dtype), to_pixels, shown if masked else None)
