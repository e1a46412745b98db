"""What depth that was found by matching teaches a field: where rays end, and what is solid behind.

The matching is `scene3d data match`. Source of the idea: Watson et al., "Self-supervised monocular depth hints",
ICCV 2019; here the hint is not a depth to regress, but a sample of where a ray ends.
"""

from __future__ import annotations

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from scene3d.config import Config
from scene3d.losses import LossTerms
from scene3d.losses.termination import solidity, termination
from scene3d.volume.hint_rays import draw_hint_rays
from scene3d.volume.pixel_aligned import PixelAlignedField
from scene3d.volume.views import PlacedViews


class HintConfig(Config):
    """How depth that was found by matching helps (`data.snippets.hints`).

    Attributes:
        weight: of the likelihood that rays end where the hints say.
        rays: a snippet and step.
        before: points asked for on the way to the hinted surface.
        thickness: metres behind it that count as the surface.
        solid: weight of the prior that what lies behind a surface is solid, unless another view sees through it.
        reach: metres behind the surface that the prior holds for.
    """

    weight: float = Field(0.05, ge=0)
    rays: PositiveInt = 2048
    before: PositiveInt = 6
    thickness: PositiveFloat = 0.5
    solid: float = Field(0.2, ge=0)
    reach: PositiveFloat = 4.0


def hint_terms(config: HintConfig, field: PixelAlignedField, views: PlacedViews) -> LossTerms:
    """How unlikely it is that rays end where the hints of all views say, and that what is behind is solid.

    Few points on the way, spread evenly, give the integral of the density without bias, so a step can have many rays.
    """
    rays = draw_hint_rays(views, config.rays)
    distance = rays.distance[..., None]
    strata = torch.arange(config.before, device=distance.device)
    draws = torch.rand(*distance.shape[:2], config.before + 2, device=distance.device)
    before = field.near + (distance - field.near).clamp(min=0) * (strata + draws[..., :-2]) / config.before
    surface = distance + config.thickness * draws[..., -2:-1]
    behind = distance + config.thickness + config.reach * draws[..., -1:]
    sample = field(rays.points(torch.cat([before, surface, behind], dim=-1)), features=False)
    # Where the field has no evidence it borrows that of its border, which must not learn from that.
    density = torch.where(sample.valid, sample.density, sample.density.detach())
    density = density.unflatten(1, (config.rays, config.before + 2))
    length = (rays.distance - field.near).clamp(min=0)
    ends = termination(density[..., :-2], length, density[..., -2], config.thickness)
    filled = solidity(density[..., -1], config.thickness)
    share = rays.known / rays.known.sum().clamp(min=1)
    return LossTerms(
        {"hint": (ends * share).sum(), "solid": (filled * share).sum()},
        {"hint": config.weight, "solid": config.weight * config.solid},
    )
