"""What a field says along rays, and the general way to find it: to ask it sample by sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.ops.render_weights import render_weights
from scene3d.structures.rays import Rays
from scene3d.volume import Field
from scene3d.volume.opacity import density_to_opacity
from scene3d.volume.source_views import SourceViews


@dataclass(frozen=True)
class AlongRays:
    """What R rays of each of B scenes meet at S samples.

    Attributes:
        density: at the samples, 1/m.
        weights: of the samples.
        unknown: share of the weight that lies where the field has no evidence.
        features: weighted sum of the field's; None where it has none or they were not asked for.
        colour: weighted sum of what each of V source views shows; None without source views.
        unseen: share of the weight that lies where a source view cannot see.
    """

    density: Float[Tensor, "B R S"]
    weights: Float[Tensor, "B R S"]
    unknown: Float[Tensor, "B R"]
    features: Float[Tensor, "B R C"] | None
    colour: Float[Tensor, "B V R 3"] | None
    unseen: Float[Tensor, "B V R"] | None


@runtime_checkable
class RayField(Field, Protocol):
    """A field that knows a faster way along rays than `sample_along_rays`, with the same result.

    It may leave out the gradients to where the rays are; whoever wants these asks sample by sample.
    """

    def along_rays(
        self,
        rays: Rays,
        distances: Float[Tensor, "B R S"],
        *,
        capped: bool,
        features: bool,
        sources: SourceViews | None,
    ) -> AlongRays:
        """As `sample_along_rays` of this field."""
        ...


def sample_along_rays(
    field: Field,
    rays: Rays,
    distances: Float[Tensor, "B R S"],
    *,
    capped: bool,
    features: bool,
    sources: SourceViews | None,
) -> AlongRays:
    """Ask a field at distances along rays and composite the answers; arguments as in `render`."""
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
    unknown = (weights.detach() * (~sample.valid).to(weights.dtype).unflatten(1, per_ray)).sum(dim=-1)
    return AlongRays(density, weights, unknown, vectors, colour, unseen)
