"""What rays see of a surface: its sections made opaque where they enter it, before a background.

Source: Wang et al., "NeuS: learning neural implicit surfaces by volume rendering", NeurIPS 2021, equations 10 to 13.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.ops.composite import Composite, composite
from scene3d.ops.grid_march import March
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.ops.neus_composite import neus_composite
from scene3d.volume import SurfaceSample
from scene3d.volume.background import Background
from scene3d.volume.surface_field import SurfaceField
from scene3d.volume.surface_sampling import ray_of


@dataclass(frozen=True)
class SurfaceRendering:
    """What R rays see, and what the field said in the middles of their N sections.

    Attributes:
        colour: RGB, weighted sum; what shines through is black.
        opacity: sum of the weights, in [0, 1].
        surface: sum of the weights within the unit sphere, in [0, 1]: the part of it that is no background.
        distance: sum of weight times distance within the unit sphere; over `surface`, the mean distance.
        normals: sum of weight times normal within the unit sphere; of the surface, pointing outwards.
        weights: of all sections, ray after ray: of the `whole` where there is a background.
        points: middles of the sections of the surface.
        inside: whether they lie within the unit sphere.
        sdf: at the points.
        gradients: of the signed distance there; an eikonal term wants them of length 1.
        beside: what the field said at the points that it was asked at besides.
    """

    colour: Float[Tensor, "R 3"]
    opacity: Float[Tensor, "R"]  # noqa: UP037
    surface: Float[Tensor, "R"]  # noqa: UP037
    distance: Float[Tensor, "R"]  # noqa: UP037
    normals: Float[Tensor, "R 3"]
    weights: Float[Tensor, "K"]  # noqa: UP037
    points: Float[Tensor, "N 3"]
    inside: Bool[Tensor, "N"]  # noqa: UP037
    sdf: Float[Tensor, "N"]  # noqa: UP037
    gradients: Float[Tensor, "N 3"]
    beside: SurfaceSample


@dataclass(frozen=True)
class _Middles:
    """Of each of N sections: its ray's direction, its distance, place and length."""

    directions: Float[Tensor, "N 3"]
    distances: Float[Tensor, "N"]  # noqa: UP037
    points: Float[Tensor, "N 3"]
    lengths: Float[Tensor, "N"]  # noqa: UP037


def render_surface(
    field: SurfaceField,
    origins: Float[Tensor, "R 3"],
    directions: Float[Tensor, "R 3"],
    sections: March,
    *,
    anneal: float = 1.0,
    background: Background | None = None,
    whole: March | None = None,
    places: Int[Tensor, "N"] | None = None,  # noqa: UP037
    within: Callable[[Tensor], Tensor] | None = None,
    beside: Float[Tensor, "K 3"] | None = None,
) -> SurfaceRendering:
    """Ask a surface, and what lies around it, in sections of rays, and composite the answers.

    Args:
        field: in coordinates in which the scene lies in the unit sphere.
        origins, directions: of the rays, in the same; directions of length 1.
        sections: where the field is asked: by `place_sections`, or by `grid_march` in occupied cells. A ray may have
            none.
        anneal: see `neus_alpha`; rises from 0 to 1 in the first part of a training without masks.
        background: what is seen of sections outside of the unit sphere, where it takes the place of the surface. None
            leaves these to the surface.
        whole: with a background, all sections, those of `sections` among them.
        places: their indices there; None where on every ray they come first.
        within: which of N points are the surface's; None is those within the unit sphere.
        beside: more points that the field is asked at; with those along the rays, which costs less than by themselves.

    Returns:
        Gradients flow to all but `anneal`, and from the field's gradients too.
    """
    middles = _middles(origins, directions, sections)
    sample, others = _ask(field, middles.points, beside)
    inside = middles.points.norm(dim=1) < 1 if within is None else within(middles.points)
    normals = field.normals(sample)
    colours = field.colour(middles.points, middles.directions, sample)
    share = inside.to(colours.dtype)
    features = torch.cat([colours, normals * share[:, None], share[:, None]], dim=1)
    cosine = (middles.directions * normals).sum(dim=1)
    if background is None:
        depth = middles.distances * share
        seen = neus_composite(
            sample.sdf, cosine, middles.lengths, field.sharpness, features, depth, sections.offsets, anneal
        )
    else:
        if whole is None:
            raise ValueError("render_surface: expected the whole of the rays beside a background, got none")
        opacity = neus_alpha(sample.sdf, cosine, middles.lengths, field.sharpness, anneal)
        if places is None:
            places = _first_places(sections.offsets, whole.offsets, len(inside))
        near = _Layer(places[inside], opacity[inside], features[inside], middles.distances[inside])
        seen = _before_background(near, background, _middles(origins, directions, whole), whole.offsets)
    return _rendering(seen, middles.points, inside, sample, others)


def _ask(field: SurfaceField, points: Tensor, beside: Tensor | None) -> tuple[SurfaceSample, SurfaceSample]:
    """What the field says along the rays, and beside them."""
    found = field(points if beside is None else torch.cat([points, beside]))
    count = len(points)
    return SurfaceSample(*(part[:count] for part in found)), SurfaceSample(*(part[count:] for part in found))


def _middles(origins: Tensor, directions: Tensor, sections: March) -> _Middles:
    ray = ray_of(sections.offsets, len(sections.begin))
    distances = (sections.begin + sections.end) / 2
    points = origins[ray] + directions[ray] * distances[:, None]
    return _Middles(directions[ray], distances, points, sections.end - sections.begin)


def _first_places(offsets: Int[Tensor, " edges"], whole: Int[Tensor, " edges"], total: int) -> Int[Tensor, "N"]:  # noqa: UP037
    """Index in the whole of each of the sections that a ray has first there."""
    ahead = (whole - offsets)[:-1]
    return torch.arange(total, device=offsets.device) + ahead[ray_of(offsets, total)]


@dataclass(frozen=True)
class _Layer:
    """Sections that the surface holds, and their places among all."""

    places: Int[Tensor, "N"]  # noqa: UP037
    opacity: Float[Tensor, "N"]  # noqa: UP037
    features: Float[Tensor, "N C"]
    distances: Float[Tensor, "N"]  # noqa: UP037


def _before_background(
    near: _Layer, background: Background, middles: _Middles, offsets: Int[Tensor, " edges"]
) -> Composite:
    """Composite the surface's sections with the background's, which is asked in all the others and in these only."""
    free = torch.ones(len(middles.points), dtype=torch.bool, device=offsets.device).index_fill(0, near.places, False)
    around = background(middles.points[free], middles.directions[free])
    places = torch.cat([near.places, free.nonzero()[:, 0]])
    opacity = torch.cat([near.opacity, -torch.expm1(-around.density * middles.lengths[free])])
    nothing = near.features.new_zeros(len(around.colour), near.features.shape[1] - 3)
    features = torch.cat([near.features, torch.cat([around.colour, nothing], dim=1)])
    depth = torch.cat([near.distances, torch.zeros_like(around.density)])
    order = places.argsort()
    return composite(opacity[order], features[order], depth[order], offsets)


def _rendering(
    seen: Composite, points: Tensor, inside: Tensor, sample: SurfaceSample, beside: SurfaceSample
) -> SurfaceRendering:
    return SurfaceRendering(
        colour=seen.features[:, :3],
        opacity=seen.opacity,
        surface=seen.features[:, 6],
        distance=seen.distance,
        normals=seen.features[:, 3:6],
        weights=seen.weights,
        points=points,
        inside=inside,
        sdf=sample.sdf,
        gradients=sample.gradient,
        beside=beside,
    )
