"""A pixel-aligned field from rays to pixels in one go, and the gradient of that by computing it again.

Between the two nothing is kept but the arguments: neither the map's features at the samples, nor their encoding, nor
the hidden layer.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.ops import render_weights, sample_views_composite
from scene3d.ops._library import operator, repeatable
from scene3d.ops.pixel_field import (
    ARRAYS,
    EXTENT,
    POINTS_AT_ONCE,
    FieldArrays,
    FieldGradients,
    Looked,
    look,
    look_backward,
    no_gradients,
    raised,
)


class MarchRays(NamedTuple):
    """R rays of each of B scenes, and where they are sampled.

    Attributes:
        origins, directions: in the coordinates of the field's camera; unit directions.
        distances: of the samples, metres, ascending.
        capped: whether the last sample takes all light that is left, or none.
    """

    origins: Float[Tensor, "B R 3"]
    directions: Float[Tensor, "B R 3"]
    distances: Float[Tensor, "B R S"]
    capped: bool


class MarchViews(NamedTuple):
    """V images of each scene that colours are fetched from.

    Attributes:
        images: channels last.
        to_pixels: ``K [R | t]`` from the field's coordinates to their pixels.
        shown: False on pixels that show nothing; None where all do.
    """

    images: Float[Tensor, "B V H W 3"]
    to_pixels: Float[Tensor, "B V 3 4"]
    shown: Bool[Tensor, "B V H W"] | None


class Marched(NamedTuple):
    """What rays see.

    Attributes:
        density: at the samples, 1/m.
        weights: of the samples.
        unknown: share of a ray's weight that lies where the field's camera does not see.
        hidden: weighted sum of the hidden layer; a linear layer of it is the weighted sum of that layer's results,
            once the bias is multiplied by the sum of the weights.
        colour: weighted sum of what each view shows.
        share: of a ray's weight that each view sees, as in `sample_views_composite`.
    """

    density: Float[Tensor, "B R S"]
    weights: Float[Tensor, "B R S"]
    unknown: Float[Tensor, "B R"]
    hidden: Float[Tensor, "B R D"]
    colour: Float[Tensor, "B V R 3"]
    share: Float[Tensor, "B V R"]


def march_field(field: FieldArrays, rays: MarchRays, views: MarchViews) -> Marched:
    """Ask a field along rays, composite what it says, and look into views at the same samples.

    Gradients flow to the map and to the network; neither to where the samples are nor to the views. Through the
    density of samples that the field's camera does not see there is none: what they borrow from the border of the
    map must not teach it.

    Source: Wimbauer et al., "Behind the scenes", CVPR 2023; volume rendering after Max, TVCG 1995.
    """
    extent = (field.height, field.width, field.near, field.far)
    return Marched(*_forward(*field[:5], *rays[:3], *views, *extent, rays.capped))


def reference(*arguments: Any) -> tuple[Tensor, ...]:
    """Some rays at a time."""
    field, rays, views = _unpack(arguments)
    parts = []
    for some in _parts(rays):
        points, seen, valid = _ask(field, some)
        density = seen.density.reshape(some.distances.shape)
        weights = render_weights.reference(_opacity(density, some))
        colour, share = sample_views_composite.reference(views.images, points, views.to_pixels, weights, views.shown)
        hidden = (weights[..., None, :] @ seen.hidden.unflatten(1, weights.shape[1:]))[..., 0, :]
        parts.append((density, weights, (weights * ~valid).sum(dim=-1), hidden, colour, share))
    return tuple(torch.cat(found, dim=axis) for found, axis in zip(zip(*parts, strict=True), _RAY_AXES, strict=True))


def reference_backward(*arguments: Any) -> FieldGradients:
    """Gradients to the map and to the network, from those of everything that `reference` returns."""
    field, rays, views = _unpack(arguments[6:])
    found = no_gradients(field)
    start = 0
    for some in _parts(rays):
        here = slice(start, start + some.origins.shape[1])
        start = here.stop
        density, weights, unknown, hidden = (grad[:, here] for grad in arguments[:4])
        colour, share = (grad[:, :, here] for grad in arguments[4:6])
        points, seen, valid = _ask(field, some)
        opacity = _opacity(seen.density.reshape(some.distances.shape), some)
        weight = render_weights.reference(opacity)
        worth = weights + unknown[..., None] * ~valid
        worth = worth + (seen.hidden.unflatten(1, weight.shape[1:]) @ hidden[..., None])[..., 0]
        worth = worth + sample_views_composite.reference_weight_backward(
            colour, share, views.images, points, views.to_pixels, weight, views.shown
        )
        to_opacity = render_weights.reference_backward(worth, opacity)
        lengths = some.distances.diff(dim=-1, append=some.distances[..., -1:])
        to_density = torch.where(valid, density + to_opacity * lengths * (1 - opacity), 0)
        to_hidden = weight[..., None] * hidden[:, :, None]
        look_backward(field, seen, to_density.flatten(1), to_hidden.flatten(1, 2), into=found)
    return found


_RAY_AXES = (1, 1, 1, 1, 2, 2)


def _unpack(arguments: tuple) -> tuple[FieldArrays, MarchRays, MarchViews]:
    extent = arguments[11:15]
    origins, directions, distances, images, to_pixels, shown = arguments[5:11]
    rays = MarchRays(origins, directions, distances, capped=arguments[15])
    return raised(*arguments[:5], *extent), rays, MarchViews(images, to_pixels, shown)


def _parts(rays: MarchRays) -> list[MarchRays]:
    batch, count, samples = rays.distances.shape
    step = max(POINTS_AT_ONCE // max(batch * samples, 1), 1)
    split = (each.split(step, dim=1) for each in (rays.origins, rays.directions, rays.distances))
    return [MarchRays(o, d, t, rays.capped) for o, d, t in zip(*split, strict=True)]


def _ask(field: FieldArrays, rays: MarchRays) -> tuple[Tensor, Looked, Tensor]:
    points = rays.origins[:, :, None] + rays.directions[:, :, None] * rays.distances[..., None]
    seen = look(field, points.flatten(1, 2))
    return points, seen, seen.valid.reshape(rays.distances.shape)


def _opacity(density: Tensor, rays: MarchRays) -> Tensor:
    """Of the section up to the next sample; the last takes all or nothing."""
    opacity = -torch.expm1(-density[..., :-1] * rays.distances.diff(dim=-1))
    return torch.cat([opacity, torch.full_like(density[..., :1], float(rays.capped))], dim=-1)


def _fake(*arguments: Any) -> tuple[Tensor, ...]:
    folded, distances, images = arguments[0], arguments[7], arguments[8]
    batch, rays, samples = distances.shape
    views = images.shape[1]
    shapes = [(rays, samples), (rays, samples), (rays,), (rays, folded.shape[-1]), (views, rays, 3), (views, rays)]
    return tuple(distances.new_empty(batch, *shape) for shape in shapes)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:11])
    ctx.rest = inputs[11:]


def _grads(ctx: Any, *grads: Tensor) -> Any:
    found = _backward(*grads, *ctx.saved_tensors, *ctx.rest)
    return found[0].to(ctx.saved_tensors[0].dtype), None, *found[1:], *(None for _ in range(11))


_INPUTS = (
    f"{ARRAYS}, Tensor origins, Tensor directions, Tensor distances, Tensor images, Tensor to_pixels, "
    f"Tensor? shown, {EXTENT}, bool capped"
)
_backward = repeatable(
    operator(
        "march_field_backward(Tensor grad_density, Tensor grad_weights, Tensor grad_unknown, Tensor grad_hidden, "
        f"Tensor grad_colour, Tensor grad_share, {_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor)",
        reference=reference_backward,
        fake=lambda grad, *rest: tuple(grad.new_empty(rest[5 + i].shape) for i in (0, 2, 3, 4)),
        stored=("folded",),
    ),
    reference_backward,
)
_forward = operator(
    f"march_field({_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    reference=reference,
    fake=_fake,
    backward=_grads,
    save=_save,
    stored=("folded",),
)
