"""What the operators on a pixel-aligned field have in common: one folded map, and the little network that reads it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.ops import sample_views
from scene3d.ops.frequencies import encode_frequencies, octaves_of

NEAREST = 1e-3
"""Metres in front of the camera from which a point has a place in the image."""

POINTS_AT_ONCE = 2**16
"""Points that the references hold at a time."""


class FieldArrays(NamedTuple):
    """A pixel-aligned field as operators take it.

    Attributes:
        folded: feature map after the image part of the first layer, channels last. May be stored in float16 or
            bfloat16 beside the rest in float32.
        K: of the image, in pixels of an image of `height` x `width`, not of the map.
        from_position: first layer's part for the encoded position, without bias.
        to_density: second layer.
        bias: of the second layer.
        height, width: of the image.
        near, far: depths between which inverse depth is encoded from 1 to -1, metres.
    """

    folded: Float[Tensor, "B h w D"]
    K: Float[Tensor, "B 3 3"]
    from_position: Float[Tensor, "D E"]
    to_density: Float[Tensor, " D"]
    bias: Float[Tensor, ""]
    height: int
    width: int
    near: float
    far: float


ARRAYS = "Tensor folded, Tensor K, Tensor from_position, Tensor to_density, Tensor bias"
EXTENT = "int height, int width, float near, float far"


@dataclass(frozen=True)
class Looked:
    """What a field says at N points of each of B scenes, and how it came to say it.

    Attributes:
        pixels: of the map, where the points project to.
        valid: whether they lie in front of the camera and within its image.
        encoded: positions.
        hidden: after the first layer and ReLU.
        logit: density before softplus.
    """

    pixels: Float[Tensor, "B N 2"]
    valid: Bool[Tensor, "B N"]
    encoded: Float[Tensor, "B N E"]
    hidden: Float[Tensor, "B N D"]
    logit: Float[Tensor, "B N"]

    @property
    def density(self) -> Float[Tensor, "B N"]:
        """Density, 1/m."""
        return torch.nn.functional.softplus(self.logit)


def look(field: FieldArrays, points: Float[Tensor, "B N 3"]) -> Looked:
    """Ask the field at points in its camera's coordinates."""
    depth = points[..., 2]
    in_front = depth.clamp(min=NEAREST)
    pixels = ((points / in_front[..., None]) @ field.K.mT)[..., :2]
    size = pixels.new_tensor([field.width, field.height])
    valid = (depth > NEAREST) & ((pixels >= 0) & (pixels <= size)).all(dim=-1)
    in_image = (2 * pixels / size - 1).clamp(-2, 2)
    inverse = (1 / in_front - 1 / field.far) / (1 / field.near - 1 / field.far)
    position = torch.cat([in_image, (2 * inverse - 1).clamp(-2, 2)[..., None]], dim=-1)
    encoded = encode_frequencies(position, octaves_of(field.from_position.shape[1], 3))
    on_map = pixels * (pixels.new_tensor([field.folded.shape[2], field.folded.shape[1]]) / size)
    hidden = torch.relu(sample_views.reference(field.folded, on_map) + encoded @ field.from_position.mT)
    return Looked(on_map, valid, encoded, hidden, hidden @ field.to_density + field.bias)


def raised(*arguments: Any) -> FieldArrays:
    """The field of a reference's arguments, with its map in what is computed in."""
    field = FieldArrays(*arguments)
    return field._replace(folded=field.folded.to(field.K.dtype))


class FieldGradients(NamedTuple):
    """Gradients to the map and to the network, to which points add theirs."""

    folded: Float[Tensor, "B h w D"]
    from_position: Float[Tensor, "D E"]
    to_density: Float[Tensor, " D"]
    bias: Float[Tensor, ""]


def no_gradients(field: FieldArrays) -> FieldGradients:
    """Those of no point at all."""
    parts = (field.folded, field.from_position, field.to_density, field.bias)
    return FieldGradients(*(torch.zeros_like(part) for part in parts))


def look_backward(
    field: FieldArrays,
    seen: Looked,
    to_density: Float[Tensor, "B N"],
    to_hidden: Float[Tensor, "B N D"] | None,
    into: FieldGradients,
) -> None:
    """Add what follows from the gradients of the density and, where it was used, of the hidden layer."""
    to_logit = to_density * torch.sigmoid(seen.logit)
    through = to_logit[..., None] * field.to_density
    if to_hidden is not None:
        through = through + to_hidden
    through = torch.where(seen.hidden > 0, through, 0)
    into.folded.add_(sample_views.reference_map_backward(through, field.folded, seen.pixels))
    into.from_position.add_(through.flatten(0, 1).mT @ seen.encoded.flatten(0, 1))
    into.to_density.add_(seen.hidden.flatten(0, 1).mT @ to_logit.flatten())
    into.bias.add_(to_logit.sum())
