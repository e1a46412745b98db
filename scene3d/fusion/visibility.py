"""Which places of a mesh cameras see: in the image, and not behind another part of the mesh."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.evaluation.surface import sample_mesh
from scene3d.geometry.camera import inside, project
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.solids import Mesh

SLACK = 3.0
"""Pixels at a place's depth by which it may lie behind the nearest one of its pixel: surfaces are seen at a slant."""


@dataclass(frozen=True)
class Silhouette:
    """A mask and the camera that it goes with.

    Attributes:
        mask: where the object is; True all over where nobody said.
        K: pixels of the mask.
        cam_to_world: in the world of the mesh.
    """

    mask: Bool[Tensor, "H W"]
    K: Float[Tensor, "3 3"]
    cam_to_world: Float[Tensor, "4 4"]

    def pixels(self, points: Float[Tensor, "N 3"]) -> tuple[Bool[Tensor, "N"], Int[Tensor, "N"], Float[Tensor, "N"]]:  # noqa: UP037
        """Which points of the world fall on the image, the flat index of their pixel, and their depth."""
        height, width = self.mask.shape
        points_cam = transform(invert(self.cam_to_world.cpu().double()), points.cpu().double())
        pixels, depth = project(points_cam, self.K.cpu().double())
        column = pixels[:, 0].nan_to_num().floor().clamp(0, width - 1).long()
        row = pixels[:, 1].nan_to_num().floor().clamp(0, height - 1).long()
        return inside(pixels, depth, height, width), row * width + column, depth


def cameras_that_see(mesh: Mesh, views: Sequence[Silhouette]) -> Int[Tensor, "N"]:  # noqa: UP037
    """How many of the cameras see each vertex; masks do not matter.

    Depth images of the mesh are made of points on it, four to a square of half a pixel, so that next to no pixel on
    the mesh is without one.
    """
    number = len(mesh.vertices)
    count = torch.zeros(number, dtype=torch.int64)
    sizes = [size for view in views if (size := _pixel_size(mesh, view)) > 0]
    if not sizes:
        return count
    points = torch.cat([mesh.vertices.cpu().double(), sample_mesh(mesh, min(sizes) / 2)])
    for view in views:
        shown, pixel, depth = view.pixels(points)
        nearest = torch.full((view.mask.numel(),), torch.inf, dtype=torch.float64)
        nearest = nearest.scatter_reduce(0, pixel[shown], depth[shown], "amin")
        behind = depth[:number] - nearest[pixel[:number]]
        count += shown[:number] & (behind <= SLACK * depth[:number] / view.K[0, 0].cpu())
    return count


def _pixel_size(mesh: Mesh, view: Silhouette) -> float:
    """Width of a pixel at the median depth of the vertices on the image; 0 where none is."""
    shown, _, depth = view.pixels(mesh.vertices)
    return float(depth[shown].median() / view.K[0, 0].cpu()) if shown.any() else 0.0
