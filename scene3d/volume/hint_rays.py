"""Rays through pixels whose depth is hinted at, and the points along them that a hint says something of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.rays import pixel_rays
from scene3d.volume.views import PlacedViews


@dataclass(frozen=True)
class HintRays:
    """R rays of each of B scenes.

    Attributes:
        distance: along the unit ray to the hinted surface, metres.
        known: False where the pixel that was drawn has no hint; its distance is 1.
    """

    origins: Float[Tensor, "B R 3"]
    directions: Float[Tensor, "B R 3"]
    distance: Float[Tensor, "B R"]
    known: Bool[Tensor, "B R"]

    def points(self, distances: Float[Tensor, "B R S"]) -> Float[Tensor, "B N 3"]:
        """Points at distances along the rays, ray after ray."""
        return (self.origins[:, :, None] + self.directions[:, :, None] * distances[..., None]).flatten(1, 2)


def draw_hint_rays(views: PlacedViews, count: int) -> HintRays:
    """Rays through pixels drawn uniformly over all present views."""
    assert views.hint is not None
    batch, _, height, width = views.hint.shape
    device = views.hint.device
    chances = views.present.float()
    chances[:, 0] += (~views.present.any(dim=1)).float()
    view = torch.multinomial(chances, count, replacement=True)
    row = torch.randint(0, height, (batch, count), device=device)
    column = torch.randint(0, width, (batch, count), device=device)
    each = torch.arange(batch, device=device)[:, None]
    depth = views.hint[each, view, row, column]
    known = depth > 0
    pixels = torch.stack([column, row], dim=-1)[:, :, None].to(views.K.dtype) + 0.5
    origins, directions = pixel_rays(pixels, views.K[each, view], views.cam_to_field[each, view])
    forward = views.cam_to_field[each, view][..., :3, 2]
    along = (directions[:, :, 0] * forward).sum(dim=-1)
    return HintRays(origins[:, :, 0], directions[:, :, 0], torch.where(known, depth / along, 1.0), known)
