"""Depth along z, distance along the ray, disparity, and the points they stand for."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.camera import inside, pixel_centres, project, unproject


def ray_lengths(K: Float[Tensor, "*batch 3 3"], height: int, width: int) -> Float[Tensor, "*batch H W"]:
    """Distance of the point at depth 1 m of every pixel: 1 on the axis, more towards the corners."""
    pixels = pixel_centres(height, width, device=K.device).to(K.dtype).reshape(-1, 2)
    pixels = pixels.expand(*K.shape[:-2], -1, 2)
    return unproject(pixels, torch.ones_like(pixels[..., 0]), K).norm(dim=-1).unflatten(-1, (height, width))


def distance_to_depth(
    distance: Float[Tensor, "*batch H W"], K: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch H W"]:
    """Depth along z of a distance along the unit ray, both metres; 0 stays 0."""
    return distance / ray_lengths(K, *distance.shape[-2:])


def depth_to_distance(
    depth: Float[Tensor, "*batch H W"], K: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch H W"]:
    """Distance along the unit ray of a depth along z, both metres; 0 stays 0."""
    return depth * ray_lengths(K, *depth.shape[-2:])


def invert_depth(depth: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Disparity 1 / depth, and depth of a disparity; 0, which means not measured, stays 0."""
    return torch.where(depth > 0, 1 / depth.clamp(min=1e-12), torch.zeros_like(depth))


def depth_to_points(
    depth: Float[Tensor, "*batch H W"], K: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch H W 3"]:
    """The point that every pixel sees, in camera coordinates (x right, y down, z forward, metres)."""
    height, width = depth.shape[-2:]
    pixels = pixel_centres(height, width, device=depth.device).to(depth.dtype).reshape(-1, 2)
    pixels = pixels.expand(*depth.shape[:-2], -1, 2)
    return unproject(pixels, depth.flatten(-2), K).unflatten(-2, (height, width))


def points_to_depth(
    points_cam: Float[Tensor, "N 3"], K: Float[Tensor, "3 3"], height: int, width: int
) -> Float[Tensor, "H W"]:
    """Depth along z of the nearest point that falls into each pixel; 0 where none does."""
    pixels, depth = project(points_cam, K)
    seen = inside(pixels, depth, height, width) & (pixels < pixels.new_tensor([width, height])).all(dim=-1)
    column, row = pixels[seen].long().unbind(dim=-1)
    nearest = depth.new_full((height * width,), torch.inf)
    nearest = nearest.scatter_reduce(0, row * width + column, depth[seen], "amin")
    return torch.where(nearest.isinf(), 0.0, nearest).reshape(height, width)
