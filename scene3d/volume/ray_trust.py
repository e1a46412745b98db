"""Which source views have a say about which rays: a view that does not see what a ray meets cannot judge it.

Sources: Wimbauer et al., "Behind the scenes", CVPR 2023, whose code names the policies; there a ray is dropped once all
views are without a say, and until then a view without one may still be the best match; here each speaks for itself.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import inside, project
from scene3d.structures.rays import Rays
from scene3d.volume import ImageField
from scene3d.volume.renderer import Rendering
from scene3d.volume.source_views import SourceViews

InvalidRays = Literal["weight_guided", "weight_guided_diverse", "strict", "none"]
"""When a source view has no say about a ray, by the names of the published code:

- ``weight_guided``: too much of the ray's weight lies where the view cannot see, or the field has no evidence.
- ``weight_guided_diverse``: likewise, or the view shows nearly one colour all along the ray, which fits any depth.
- ``strict``: any sample of the ray lies where the view cannot see, or the field has no evidence, weight or none.
- ``none``: never.
"""

UNIFORM = 0.01
"""Standard deviation of the colours along a ray, mean over channels, below which they say nothing about depth."""


def trusted_views(
    policy: InvalidRays,
    rendering: Rendering,
    field: ImageField,
    rays: Rays,
    distances: Float[Tensor, "B R S"],
    sources: SourceViews,
    limit: float,
) -> Bool[Tensor, "B V R"]:
    """True where a source view has a say about a ray.

    Args:
        policy: see `InvalidRays`.
        rendering: of the rays, with colours of the source views.
        field, rays, distances, sources: what was rendered.
        limit: a view has a say while less than this share of the ray's weight is hidden from it, or unknown.
    """
    assert rendering.unseen is not None
    if policy == "none":
        return torch.ones_like(rendering.unseen, dtype=torch.bool)
    if policy == "weight_guided":
        return _mostly_seen(rendering, limit)
    points = (rays.origins[:, :, None] + rays.directions[:, :, None] * distances[..., None]).flatten(1, 2)
    colour, seen = sources.at(points)
    per_ray = distances.shape[1:]
    if policy == "strict":
        known = inside(*project(points, field.K), field.height, field.width)
        return (seen & known[:, None]).unflatten(2, per_ray).all(dim=-1)
    deviation = colour.unflatten(2, per_ray).std(dim=3).mean(dim=-1)
    return _mostly_seen(rendering, limit) & (deviation >= UNIFORM)


def _mostly_seen(rendering: Rendering, limit: float) -> Bool[Tensor, "B V R"]:
    assert rendering.unseen is not None
    return torch.maximum(rendering.unseen, rendering.unknown[:, None]) < limit
