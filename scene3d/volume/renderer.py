"""Rendering: a field asked along rays, and what the rays then see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.structures.rays import Rays
from scene3d.volume import Field
from scene3d.volume.along_rays import RayField, sample_along_rays
from scene3d.volume.source_views import SourceViews


@dataclass(frozen=True)
class Rendering:
    """What R rays of each of B scenes see.

    Attributes:
        distance: expected distance along the ray, metres.
        nearness: expected inverse distance, 1/m. Its inverse is the steadier depth: a twentieth of the weight
            left at the far end moves the mean distance by metres, and this hardly at all.
        opacity: sum of the weights; 1 where the last sample is capped.
        weights: of the S samples.
        unknown: share of the weight that lies where the field has no evidence.
        density: at the samples, 1/m.
        features: None where the field has none or they were not asked for.
        colour: as reconstructed from each of V source views; None without source views.
        unseen: share of the weight that lies where a source view cannot see.
    """

    distance: Float[Tensor, "B R"]
    nearness: Float[Tensor, "B R"]
    opacity: Float[Tensor, "B R"]
    weights: Float[Tensor, "B R S"]
    unknown: Float[Tensor, "B R"]
    density: Float[Tensor, "B R S"]
    features: Float[Tensor, "B R C"] | None = None
    colour: Float[Tensor, "B V R 3"] | None = None
    unseen: Float[Tensor, "B V R"] | None = None


def joined(parts: Sequence[Rendering]) -> Rendering:
    """Renderings of some rays of the same scenes each, as one of all of them in that order."""
    found: dict[str, Any] = {}
    for f in fields(Rendering):
        values = [getattr(part, f.name) for part in parts]
        # Views come before rays.
        found[f.name] = None if values[0] is None else torch.cat(values, dim=2 if f.name in ("colour", "unseen") else 1)
    return Rendering(**found)


def render(
    field: Field,
    rays: Rays,
    distances: Float[Tensor, "B R S"],
    *,
    capped: bool = True,
    features: bool = True,
    sources: SourceViews | None = None,
) -> Rendering:
    """Ask the field at distances along rays and composite the answers.

    Args:
        field: in the coordinates of the rays.
        rays: R of each of B scenes.
        distances: of the samples, metres, ascending along each ray.
        capped: whether the last sample takes all that is left (see `density_to_opacity`).
        features: whether to composite the field's features.
        sources: views to fetch colours from; each makes its own reconstruction of every ray.
    """
    moved = rays.origins.requires_grad or rays.directions.requires_grad or distances.requires_grad
    ask = field.along_rays if isinstance(field, RayField) and not moved else partial(sample_along_rays, field)
    met = ask(rays, distances, capped=capped, features=features, sources=sources)
    return Rendering(
        distance=(met.weights * distances).sum(dim=-1),
        nearness=(met.weights / distances).sum(dim=-1),
        opacity=met.weights.sum(dim=-1),
        weights=met.weights,
        unknown=met.unknown,
        density=met.density,
        features=met.features,
        colour=met.colour,
        unseen=met.unseen,
    )
