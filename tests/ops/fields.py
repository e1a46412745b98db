"""Small pixel-aligned fields for the tests of the operators on them."""

from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole
from scene3d.ops.frequencies import encoded_size
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
