"""Rendering: a field asked along rays, and what the rays then see."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.ops.render_weights import render_weights
from scene3d.structures.rays import Rays
from scene3d.volume import Field
from scene3d.volume.opacity import density_to_opacity
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
    points = (rays.origins[:, :, None] + rays.directions[:, :, None] * distances[..., None]).flatten(1, 2)
    sample = field(points, features=features)
    per_ray = distances.shape[1:]
    # Where the field has no evidence it borrows that of its border; the border must not learn from that.
    density = torch.where(sample.valid, sample.density, sample.density.detach()).unflatten(1, per_ray)
    weights = render_weights(density_to_opacity(density, distances, capped=capped))
    colour, unseen = None, None
    if sources is not None:
        colour, unseen = sources.along_rays(points.unflatten(1, per_ray), weights)
    vectors = None
    if sample.features is not None:
        vectors = (weights[..., None, :] @ sample.features.unflatten(1, per_ray))[..., 0, :]
    return Rendering(
        distance=(weights * distances).sum(dim=-1),
        nearness=(weights / distances).sum(dim=-1),
        opacity=weights.sum(dim=-1),
        weights=weights,
        unknown=(weights.detach() * (~sample.valid).to(weights.dtype).unflatten(1, per_ray)).sum(dim=-1),
        density=density,
        features=vectors,
        colour=colour,
        unseen=unseen,
    )
