"""The motion between two images, made better by what they show: direct alignment by the depth of one of them.

Source: Kerl et al., "Robust odometry estimation for RGB-D cameras", ICRA 2013 (least squares over pixels, from coarse
to fine); residuals are of gray values less their neighbourhood's mean and over its deviation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from scene3d.geometry.se3 import rigid, rotation_of
from scene3d.geometry.warp import look, reproject, warp
from scene3d.nn.windows import NOISE, WINDOW, normalise
from scene3d.structures.frames import Frames

OUTLIER = 0.5
"""Residual, in deviations of a neighbourhood, from which it counts only in proportion (Huber)."""

DAMPING = 1e-4
"""Share by which the normal equations lean to no change, where pixels tell little."""


@torch.no_grad()
def align(
    image: Float[Tensor, "B 3 H W"],
    depth: Float[Tensor, "B H W"],
    K: Float[Tensor, "B 3 3"],
    source: Float[Tensor, "B 3 H W"],
    source_K: Float[Tensor, "B 3 3"],
    cam_to_source: Float[Tensor, "B 4 4"],
    *,
    halvings: Sequence[int] = (2, 1),
    iterations: int = 4,
) -> Float[Tensor, "B 4 4"]:
    """``cam_to_source`` after Gauss-Newton steps on what the image and the warped source differ in.

    The length of the motion follows the unit of depth. Where the steps end worse than they began, or at what is not a
    number, the motion stays as it was.

    Args:
        image, depth, K: of the camera; depth along z.
        source, source_K: the other image, of the same size.
        cam_to_source: to begin with: within a few pixels at the coarsest size.
        halvings: sizes at which to look, as the number of times that the images are halved.
        iterations: steps at each of them.
    """
    found = cam_to_source
    for times in halvings:
        level = _Level.of(image, depth, K, source, source_K, 2**times)
        for _ in range(iterations):
            found = level.step(found)
    before, after = level.error(cam_to_source), level.error(found)
    return torch.where((after < before)[:, None, None], found, cam_to_source)


def align_views(
    frames: Frames,
    depth: Float[Tensor, "B H W"],
    to_views: Float[Tensor, "B V 4 4"],
    *,
    halvings: Sequence[int] = (2, 1),
) -> Float[Tensor, "B V 4 4"]:
    """`align` of every view whose transform is an estimate; those that frames carry, and those absent, stay.

    Args:
        frames: see there.
        depth: of view 0.
        to_views: places view 0's points in the camera of each view.
        halvings: see `align`.
    """
    estimated = frames.present.clone()
    estimated[:, 0] = False
    if frames.cam_to_world is not None:
        estimated &= False if frames.posed is None else ~frames.posed
    sample, view = estimated.nonzero(as_tuple=True)
    if not len(sample):
        return to_views
    image, K = frames.image, frames.K
    here, there = (sample, 0), (sample, view)
    better = to_views.detach().clone()
    better[there] = align(image[here], depth[sample], K[here], image[there], K[there], better[there], halvings=halvings)
    return better


class _Level(NamedTuple):
    """Both images at one size, and the source's slopes."""

    image: Float[Tensor, "B 1 h w"]
    depth: Float[Tensor, "B h w"]
    K: Float[Tensor, "B 3 3"]
    source: Float[Tensor, "B 3 h w"]
    source_K: Float[Tensor, "B 3 3"]

    @classmethod
    def of(cls, image: Tensor, depth: Tensor, K: Tensor, source: Tensor, source_K: Tensor, shrink: int) -> _Level:
        here, there = (normalise(avg_pool2d(each, shrink), WINDOW, NOISE) for each in (image, source))
        wide = pad(there, (1, 1, 1, 1), mode="replicate")
        right = (wide[..., 1:-1, 2:] - wide[..., 1:-1, :-2]) / 2
        down = (wide[..., 2:, 1:-1] - wide[..., :-2, 1:-1]) / 2
        smaller = K.new_tensor([here.shape[-1] / image.shape[-1], here.shape[-2] / image.shape[-2], 1.0])[:, None]
        nearness = avg_pool2d(1 / depth[:, None], shrink)[:, 0]
        return cls(here, 1 / nearness, K * smaller, torch.cat([there, right, down], dim=1), source_K * smaller)

    def error(self, cam_to_source: Float[Tensor, "B 4 4"]) -> Float[Tensor, "B"]:  # noqa: UP037
        """Mean of the robust residual over pixels that the source sees; infinite where it sees none."""
        found, seen = warp(self.source[:, :1], self.depth, self.K, self.source_K, cam_to_source)
        residual = (found - self.image)[:, 0].abs()
        robust = torch.where(residual < OUTLIER, residual**2 / (2 * OUTLIER), residual - OUTLIER / 2)
        count = seen.sum(dim=(1, 2))
        return torch.where(count > 0, (robust * seen).sum(dim=(1, 2)) / count, torch.inf)

    def step(self, cam_to_source: Float[Tensor, "B 4 4"]) -> Float[Tensor, "B 4 4"]:
        """One step of Gauss-Newton on a motion that is put before ``cam_to_source``'s result."""
        pixels, away = reproject(self.depth, self.K, self.source_K, cam_to_source)
        found, seen = look(self.source, pixels, away)
        residual = (found[:, :1] - self.image).flatten(1)
        weight = seen.flatten(1) / (residual.abs() / OUTLIER).clamp(min=1)
        fx, fy = self.source_K[:, 0, 0, None], self.source_K[:, 1, 1, None]
        centre = self.source_K[:, None, None, :2, 2]
        # Directions of the points as the source sees them, and its slopes by them.
        x, y = ((pixels - centre) / torch.stack([fx, fy], dim=-1)[:, :, None]).flatten(1, 2).unbind(dim=-1)
        by_x, by_y = found[:, 1].flatten(1) * fx, found[:, 2].flatten(1) * fy
        inverse = 1 / away.flatten(1).clamp(min=1e-6)
        towards = -(by_x * x + by_y * y)
        slopes = torch.stack(
            [
                by_x * inverse,
                by_y * inverse,
                towards * inverse,
                towards * y - by_y,
                by_x - towards * x,
                by_y * x - by_x * y,
            ],
            dim=-1,
        )
        weighted = slopes * weight[..., None]
        normal = weighted.transpose(1, 2) @ slopes
        size = normal.diagonal(dim1=1, dim2=2)
        lean = torch.diag_embed(DAMPING * size + 1e-6 * size.amax(dim=1, keepdim=True) + 1e-12)
        change = -torch.linalg.solve(normal + lean, (weighted.transpose(1, 2) @ residual[..., None]))[..., 0]
        return rigid(rotation_of(change[:, 3:]), change[:, :3]) @ cam_to_source
