"""Density of a pixel-aligned field at points: projection, map, encoded position and two layers in one."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.ops._library import operator, repeatable
from scene3d.ops.pixel_field import (
    ARRAYS,
    EXTENT,
    POINTS_AT_ONCE,
    FieldArrays,
    FieldGradients,
    look,
    look_backward,
    no_gradients,
    raised,
)


def field_density(
    field: FieldArrays, points: Float[Tensor, "B N 3"]
) -> tuple[Float[Tensor, "B N"], Bool[Tensor, "B N"]]:
    """Density (1/m) at points, and whether the field's camera sees them.

    Args:
        field: map and network.
        points: metres, in the coordinates of the field's camera.

    Returns:
        Points outside of the image take the features of its border and are not valid; nor are points nearer than a
        millimetre. Gradients flow to the map and to the network, not to where the points are.
    """
    return _forward(*field[:5], points, *field[5:])


def reference(*arguments: Any) -> tuple[Tensor, Tensor]:
    """Some points at a time."""
    field, points = raised(*arguments[:5], *arguments[6:]), arguments[5]
    density, valid = [], []
    for part in points.split(_step(points), dim=1):
        seen = look(field, part)
        density.append(seen.density)
        valid.append(seen.valid)
    return torch.cat(density, dim=1), torch.cat(valid, dim=1)


def reference_backward(grad: Tensor, *arguments: Any) -> FieldGradients:
    """Gradients to the map and to the network, with everything computed anew."""
    field, points = raised(*arguments[:5], *arguments[6:]), arguments[5]
    found = no_gradients(field)
    step = _step(points)
    for part, above in zip(points.split(step, dim=1), grad.split(step, dim=1), strict=True):
        look_backward(field, look(field, part), above, None, into=found)
    return found


def _step(points: Tensor) -> int:
    return max(POINTS_AT_ONCE // max(len(points), 1), 1)


def _fake(*arguments: Any) -> tuple[Tensor, Tensor]:
    points = arguments[5]
    return points.new_empty(points.shape[:2]), points.new_empty(points.shape[:2], dtype=torch.bool)


def _save(ctx: Any, inputs: Any, output: Any) -> None:
    ctx.save_for_backward(*inputs[:6])
    ctx.extent = inputs[6:]
    ctx.mark_non_differentiable(output[1])


def _grads(ctx: Any, grad: Tensor, _: Any) -> Any:
    found = _backward(grad, *ctx.saved_tensors, *ctx.extent)
    return found[0].to(ctx.saved_tensors[0].dtype), None, *found[1:], None, None, None, None, None


_backward = repeatable(
    operator(
        f"field_density_backward(Tensor grad, {ARRAYS}, Tensor points, {EXTENT}) -> (Tensor, Tensor, Tensor, Tensor)",
        reference=reference_backward,
        fake=lambda grad, *rest: tuple(grad.new_empty(rest[i].shape) for i in (0, 2, 3, 4)),
        stored=("folded",),
    ),
    reference_backward,
)
_forward = operator(
    f"field_density({ARRAYS}, Tensor points, {EXTENT}) -> (Tensor, Tensor)",
    reference=reference,
    fake=_fake,
    backward=_grads,
    save=_save,
    stored=("folded",),
)
