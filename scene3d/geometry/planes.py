"""Planes of a cloud of points: the one that most points lie on, whatever the others do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

_CHUNK = 4_000_000
"""Distances that are held at a time."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """The points x with ``normal . x = offset``.

    Attributes:
        normal: of length 1; its side is the upper one.
        offset: how far along the normal the plane lies from the origin.
    """

    normal: Float[Tensor, "3"]  # noqa: UP037
    offset: Float[Tensor, ""]

    def height(self, points: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch"]:
        """How far points lie above the plane; negative below."""
        return points @ self.normal - self.offset

    def flipped(self) -> Plane:
        """The same points with the other side up."""
        return Plane(normal=-self.normal, offset=-self.offset)


def fit_plane(points: Float[Tensor, "N 3"]) -> Plane:
    """The plane with the least sum of squared distances to at least 3 points; which side is up is arbitrary.

    Source: total least squares, by the direction in which the points vary least.
    """
    centre = points.mean(dim=0)
    normal = torch.linalg.svd(points - centre, full_matrices=False).Vh[2]
    return Plane(normal=normal, offset=normal @ centre)


def ransac_plane(
    points: Float[Tensor, "N 3"],
    tolerance: float,
    *,
    trials: int = 1000,
    generator: torch.Generator | None = None,
) -> tuple[Plane, Bool[Tensor, "N"]]:  # noqa: UP037
    """The plane that most points lie on, and which those are.

    The best of many planes through 3 random points is fitted to its inliers again until these no longer change.

    Args:
        points: at least 3.
        tolerance: a point this near lies on a plane, in the unit of the points.
        trials: random planes.
        generator: source of the randomness, on the CPU.

    Raises:
        ValueError: there are fewer than 3 points, or all lie on a line.

    Source: Fischler and Bolles, "Random sample consensus", CACM 1981.
    """
    if len(points) < 3:
        raise ValueError(f"ransac_plane: expected at least 3 points, got {len(points)}")
    chosen = torch.stack([torch.randperm(len(points), generator=generator)[:3] for _ in range(trials)])
    corners = points[chosen.to(points.device)]
    edges = corners[:, 1:] - corners[:, :1]
    normals = torch.linalg.cross(edges[:, 0], edges[:, 1])
    # Of the sine of the angle between the edges: three points on a line say nothing, however far apart.
    sound = normals.norm(dim=1) > 1e-6 * edges[:, 0].norm(dim=1) * edges[:, 1].norm(dim=1)
    if not sound.any():
        raise ValueError("ransac_plane: expected points that span a plane, got points on a line")
    normals = torch.nn.functional.normalize(normals[sound], dim=1)
    offsets = (normals * corners[sound, 0]).sum(dim=1)
    parts = max(1, _CHUNK // len(points))
    counts = [
        ((points @ n.mT - o).abs() <= tolerance).sum(dim=0)
        for n, o in zip(normals.split(parts), offsets.split(parts), strict=True)
    ]
    best = torch.cat(counts).argmax()
    return _refitted(points, Plane(normal=normals[best], offset=offsets[best]), tolerance)


def _refitted(points: Float[Tensor, "N 3"], plane: Plane, tolerance: float) -> tuple[Plane, Bool[Tensor, "N"]]:  # noqa: UP037
    inliers = plane.height(points).abs() <= tolerance
    for _ in range(20):
        refitted = fit_plane(points[inliers])
        refitted = refitted if refitted.normal @ plane.normal >= 0 else refitted.flipped()
        now = refitted.height(points).abs() <= tolerance
        # A fit to all inliers may lose some at the rim; the plane that holds more is kept.
        if now.sum() < inliers.sum():
            break
        plane, settled, inliers = refitted, torch.equal(now, inliers), now
        if settled:
            break
    return plane, inliers
