"""Samples of what stands in a scene: small balls of dense points around the surfaces that a camera sees."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from pydantic import Field as Limited
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor

from scene3d.config import Config
from scene3d.geometry.rays import pixel_rays
from scene3d.structures.rays import Rays
from scene3d.volume import Field, ImageField
from scene3d.volume.renderer import render
from scene3d.volume.sampling import inverse_distances


class BallConfig(Config):
    """Where the pairs come from: balls of dense points around surfaces.

    Attributes:
        rays: rendered a view, to find surfaces.
        count: balls a view, one from each quantile of distance.
        radius: metres.
        points: a ball.
        tries: points that are drawn for each that is kept.
        density: a point counts as dense above this, 1/m.
        farthest: surfaces from here on are left out, metres.
    """

    rays: PositiveInt = 1024
    count: PositiveInt = 5
    radius: PositiveFloat = 0.5
    points: PositiveInt = 576
    tries: PositiveInt = 4
    density: float = Limited(0.5, ge=0)
    farthest: PositiveFloat = 50.0


def draw_features(
    field: ImageField, mask: Bool[Tensor, "B H W"], balls: BallConfig, near: float, far: float, samples: int
) -> tuple[Float[Tensor, "M P C"], Float[Tensor, "B P C"]]:
    """The field's features in the balls that are full, whatever their number, and at some pixels.

    Args:
        field: of B images.
        mask: True on pixels that the images really show; surfaces are looked for there.
        balls: what to draw; as many pixels as a ball has points.
        near, far: of the samples along a ray, metres.
        samples: along a ray.
    """
    K, (batch, height, width) = field.K, mask.shape
    count = max(balls.rays, balls.points)
    place = torch.rand(batch, count, 2, device=K.device) * K.new_tensor([width, height])
    origins, directions = pixel_rays(place, K, torch.eye(4, device=K.device, dtype=K.dtype).expand(batch, 4, 4))
    rays = Rays(origins=origins, directions=directions)
    distances = inverse_distances(near, far, samples, (batch, count), jitter=False, like=directions)
    seen = render(field, rays, distances)
    assert seen.features is not None
    column, row = place.long().unbind(dim=-1)
    covered = mask[torch.arange(batch, device=mask.device)[:, None], row, column]
    distance = torch.where(covered, seen.distance, torch.inf)
    centres, some = draw_surface_points(directions * seen.distance[..., None], distance, balls.farthest, balls.count)
    features, full = dense_ball_features(
        field, centres, radius=balls.radius, count=balls.points, tries=balls.tries, density=balls.density
    )
    return features[full & some[:, None]], seen.features[:, : balls.points]


def draw_surface_points(
    points: Float[Tensor, "B N 3"], distance: Float[Tensor, "B N"], farthest: float, bins: int
) -> tuple[Float[Tensor, "B K 3"], Bool[Tensor, "B"]]:  # noqa: UP037
    """One random point from each of K quantile bins of distance, so that near and far count alike.

    Args:
        points: that the camera sees, one a ray.
        distance: of each from the camera, metres.
        farthest: points from here on are left out (sky ends up at the far plane).
        bins: how many.

    Returns:
        The points, and False for scenes where everything lies too far: their points mean nothing.
    """
    near = distance < farthest
    order = torch.where(near, distance, torch.inf).argsort(dim=1)
    count = near.sum(dim=1, keepdim=True)
    bin_start = torch.arange(bins, device=points.device)
    rank = (bin_start + torch.rand(len(points), bins, device=points.device)) / bins * count
    chosen = order.gather(1, torch.minimum(rank.long(), (count - 1).clamp(min=0)))
    return points.gather(1, chosen[..., None].expand(-1, -1, 3)), count[:, 0] > 0


def draw_ball(centres: Float[Tensor, "B K 3"], radius: float, count: int) -> Float[Tensor, "B K P 3"]:
    """Points uniform in the ball around each centre."""
    direction = torch.randn(*centres.shape[:2], count, 3, device=centres.device)
    length = radius * torch.rand(*centres.shape[:2], count, 1, device=centres.device) ** (1 / 3)
    return centres[:, :, None] + torch.nn.functional.normalize(direction, dim=-1) * length


def dense_ball_features(
    field: Field, centres: Float[Tensor, "B K 3"], *, radius: float, count: int, tries: int, density: float
) -> tuple[Float[Tensor, "B K P C"], Bool[Tensor, "B K"]]:
    """The field's features at `count` dense points around each centre, and where so many were found.

    Args:
        field: which is asked.
        centres: of the balls, in its coordinates.
        radius: metres.
        count: points that are kept of each ball.
        tries: points that are drawn for each that is kept.
        density: a point counts as dense above this, 1/m; points where the field has no evidence do not count.

    Returns:
        Features, meaningless in balls that are not full, and True for the full ones. Which balls are
        full differs from scene to scene: flatten the two first axes before using it as a mask.
    """
    points = draw_ball(centres, radius, count * tries)
    sample = field(points.flatten(1, 2))
    if sample.features is None:
        raise ValueError("dense_ball_features: expected a field with features, got one without")
    shape = points.shape[1:3]
    dense = ((sample.density > density) & sample.valid).unflatten(1, shape)
    # A stable sort of "not dense" brings the dense points to the front and keeps their order.
    first = (~dense).to(torch.uint8).argsort(dim=-1, stable=True)[..., :count]
    features = sample.features.unflatten(1, shape)
    kept = features.gather(2, first[..., None].expand(-1, -1, -1, features.shape[-1]))
    return kept, dense.sum(dim=-1) >= count
