"""Samples of what stands in a scene: small balls of dense points around the surfaces that a camera sees."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.volume import Field


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
