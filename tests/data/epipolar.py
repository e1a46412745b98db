"""How far from its epipolar line a pixel's partner in another image lies, found by comparing patches."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from scene3d.data.views import ViewReader, view_camera, view_to_world
from scene3d.geometry.camera import project, to_grid, unproject
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.scene import Shot

REACH, DEPTHS = 3.0, 64
"""Pixels to either side of the line, in whole steps, and depths along it that are tried."""


def epipolar_offsets(one: Shot, other: Shot, near: float, far: float, *, points: int = 40) -> Float[Tensor, "N"]:  # noqa: UP037
    """Signed distance across the line, pixels, of the partners of corners of one image that are alike beyond doubt.

    Each corner's patch is looked for at `DEPTHS` depths from near to far, and at offsets across the line, by normalised
    correlation; partners of less than 0.9 are no partners.
    """
    K, other_K = (view_camera(shot, *_size(shot)).K for shot in (one, other))
    gray, other_gray = (_gray(shot) for shot in (one, other))
    corners = _corners(gray, points).to(K.dtype)
    world_to_other = invert(view_to_world(other))
    depths = 1 / torch.linspace(1 / near, 1 / far, DEPTHS, dtype=K.dtype)
    rays = unproject(corners, torch.ones(len(corners), dtype=K.dtype), K)
    points_cam = rays[:, None] * depths[:, None]
    points_other = transform(world_to_other @ view_to_world(one), points_cam.flatten(0, 1))
    pixels = project(points_other, other_K)[0].unflatten(0, (len(corners), -1))
    along = F.normalize(pixels[:, -1] - pixels[:, 0], dim=-1)
    across = torch.stack([-along[:, 1], along[:, 0]], dim=-1)
    offsets = torch.arange(-REACH, REACH + 1, dtype=K.dtype)
    tried = (pixels[:, None] + offsets[:, None, None] * across[:, None, None]).float()
    patch = _patches(gray, corners.float())
    score = torch.stack([(_patches(other_gray, there) * patch[:, None]).mean(dim=-1) for there in tried.unbind(1)], 1)
    best, where = score.amax(dim=2).max(dim=1)
    return offsets[where[best > 0.9]]


def _size(shot: Shot) -> tuple[int, int]:
    return shot.camera.height, shot.camera.width


def _gray(shot: Shot) -> Float[Tensor, "H W"]:
    return ViewReader(*_size(shot)).pixels(shot).image.float().mean(dim=0)


def _corners(gray: Float[Tensor, "H W"], points: int) -> Float[Tensor, "N 2"]:
    """Centres of the pixels with the strongest corners (Harris), one a cell of 8 x 8."""
    dy, dx = torch.gradient(gray)
    products = torch.stack([dx * dx, dy * dy, dx * dy])[None]
    xx, yy, xy = F.avg_pool2d(products, 7, stride=1, padding=3)[0]
    strength = xx * yy - xy**2 - 0.05 * (xx + yy) ** 2
    strength[:16], strength[-16:], strength[:, :16], strength[:, -16:] = 0, 0, 0, 0
    best, flat = F.max_pool2d(strength[None, None], 8, return_indices=True)
    chosen = flat.flatten()[best.flatten().argsort(descending=True)[:points]]
    return torch.stack([chosen % gray.shape[1] + 0.5, chosen // gray.shape[1] + 0.5], dim=-1)


def _patches(gray: Float[Tensor, "H W"], centres: Float[Tensor, "*N 2"]) -> Float[Tensor, "*N 121"]:
    """11 x 11 pixels about each centre, with mean 0 and deviation 1."""
    steps = torch.arange(-5, 6, dtype=gray.dtype)
    window = torch.stack(torch.meshgrid(steps, steps, indexing="xy"), dim=-1).reshape(-1, 2)
    grid = to_grid(centres[..., None, :] + window, *gray.shape)
    values = F.grid_sample(gray[None, None], grid.reshape(1, -1, 121, 2), align_corners=False).reshape(grid.shape[:-1])
    values = values - values.mean(dim=-1, keepdim=True)
    return values / values.std(dim=-1, keepdim=True, correction=0).clamp(min=2.0)
