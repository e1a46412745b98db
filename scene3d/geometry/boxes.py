"""Oriented boxes: the smallest that stands on a plane and holds given points, and where one covers an image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import pixel_centres
from scene3d.geometry.se3 import invert, rigid, rotate, transform

SLOWEST = 1e-9
"""Of a ray across an edge: slower ones are taken to move by this much."""


@dataclass(frozen=True, kw_only=True)
class OrientedBox:
    """A box in any place.

    Attributes:
        box_to_world: rigid; the box's own origin is its middle and its axes are those of its edges.
        half: half the length of its edges along its own axes.
    """

    box_to_world: Float[Tensor, "4 4"]
    half: Float[Tensor, "3"]  # noqa: UP037

    def contains(self, points_world: Float[Tensor, "N 3"]) -> Bool[Tensor, "N"]:  # noqa: UP037
        """Which points lie in the box, faces included."""
        points_box = transform(invert(self.box_to_world).to(points_world), points_world)
        return (points_box.abs() <= self.half.to(points_world)).all(dim=-1)

    def corners(self) -> Float[Tensor, "8 3"]:
        """Its corners in the world."""
        signs = torch.cartesian_prod(*[self.half.new_tensor([-1.0, 1.0])] * 3)
        return transform(self.box_to_world, signs * self.half)

    def distance(self, points_world: Float[Tensor, "N 3"]) -> Float[Tensor, "N"]:  # noqa: UP037
        """Signed distance of points to its faces, exact within it; outside, to the farthest of the faces passed."""
        points_box = transform(invert(self.box_to_world).to(points_world), points_world)
        return (points_box.abs() - self.half.to(points_world)).amax(dim=-1)

    def crossed(
        self, origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"]
    ) -> tuple[Float[Tensor, "R"], Float[Tensor, "R"]]:  # noqa: UP037
        """Where rays enter it, at least 0, and leave it, in lengths of their directions; equal for rays that miss it.

        Source: Kay and Kajiya, "Ray tracing complex scenes", SIGGRAPH 1986.
        """
        world_to_box = invert(self.box_to_world).to(origins)
        origin, along = transform(world_to_box, origins), rotate(world_to_box, directions)
        # A ray along a face is within the slab of that face for ever, or never.
        along = torch.where(along.abs() < SLOWEST, SLOWEST, along)
        one, other = ((sign * self.half.to(origins) - origin) / along for sign in (-1, 1))
        near = torch.minimum(one, other).amax(dim=1).clamp(min=0)
        return near, torch.maximum(torch.maximum(one, other).amin(dim=1), near)

    def hit(self, origins: Float[Tensor, "R 3"], directions: Float[Tensor, "R 3"]) -> Bool[Tensor, "R"]:  # noqa: UP037
        """Which rays meet it."""
        near, far = self.crossed(origins, directions)
        return far > near

    def bounds(self) -> Float[Tensor, "2 3"]:
        """Corners (min, max) of the upright box of the world that holds it."""
        corners = self.corners()
        return torch.stack([corners.amin(dim=0), corners.amax(dim=0)])


def box_about(
    points: Float[Tensor, "N 3"],
    up: Float[Tensor, "3"] | None = None,  # noqa: UP037
    *,
    tails: float = 0.0,
) -> OrientedBox:
    """A tight box about at least 3 points.

    With `up` its third axis is that direction and its ground plan the rectangle of the smallest area about the
    points seen from above, the longer edge first; without, its axes are the principal ones, the widest first.

    Args:
        points: in any unit.
        up: of any length.
        tails: share of the points that may be outside, on each side of each axis.

    Raises:
        ValueError: seen from above all points lie on a line.
    """
    if up is None:
        rows = torch.linalg.svd(points - points.mean(dim=0), full_matrices=False).Vh
    else:
        rows = _smallest_rectangle(points, torch.nn.functional.normalize(up, dim=0))
    if torch.linalg.det(rows) < 0:
        rows = rows * rows.new_tensor([1.0, -1.0, 1.0])[:, None]
    inside = points @ rows.mT
    ranked = inside.sort(dim=0).values
    cut = int(tails * len(points))
    low, high = ranked[cut], ranked[len(points) - 1 - cut]
    return OrientedBox(box_to_world=rigid(rows.mT, (low + high) / 2 @ rows), half=(high - low) / 2)


def outline_mask(corners: Float[Tensor, "N 2"], height: int, width: int, margin: float = 0.0) -> Bool[Tensor, "H W"]:
    """Pixels whose centres lie in the convex outline of projected points, such as the corners of a box.

    Args:
        corners: (x, y) in pixels, also outside of the image, at least 3 and not on a line.
        height, width: of the image, pixels.
        margin: centres may lie so many pixels beyond each side.
    """
    from scipy.spatial import ConvexHull

    sides = torch.from_numpy(ConvexHull(corners.cpu().numpy()).equations).to(corners.device)
    beyond = pixel_centres(height, width, device=corners.device).to(sides) @ sides[:, :2].mT + sides[:, 2]
    return (beyond <= margin).all(dim=-1)


def _smallest_rectangle(points: Float[Tensor, "N 3"], up: Float[Tensor, "3"]) -> Float[Tensor, "3 3"]:  # noqa: UP037
    """Axes of the box in rows. One edge of the smallest rectangle lies along an edge of the convex hull.

    Source: Freeman and Shapira, "Determining the minimum-area encasing rectangle", CACM 1975.
    """
    from scipy.spatial import ConvexHull

    aside = torch.eye(3, dtype=up.dtype, device=up.device)[up.abs().argmin()]
    first = torch.nn.functional.normalize(torch.linalg.cross(up, aside), dim=0)
    plan = torch.stack([first, torch.linalg.cross(up, first)])
    flat = points @ plan.mT
    widths = torch.linalg.svdvals(flat - flat.mean(dim=0))
    if widths[1] <= 1e-6 * widths[0]:
        raise ValueError("box_about: expected points that span a ground plan, got points on a line")
    hull = flat[ConvexHull(flat.cpu().numpy()).vertices.tolist()]
    edges = hull.roll(-1, dims=0) - hull
    angles = torch.atan2(edges[:, 1], edges[:, 0]) % (math.pi / 2)
    turned = torch.stack([angles.cos(), angles.sin(), -angles.sin(), angles.cos()], dim=1).unflatten(1, (2, 2))
    along = hull @ turned.mT
    sizes = along.amax(dim=1) - along.amin(dim=1)
    best = sizes.prod(dim=1).argmin()
    axes = turned[best] @ plan
    if sizes[best, 0] < sizes[best, 1]:
        axes = axes.flip(0)
    return torch.cat([axes, up[None]])
