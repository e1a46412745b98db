"""Frequency encoding of positions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def encoded_size(dimensions: int, octaves: int) -> int:
    """Number of channels that `encode_frequencies` makes of that many dimensions."""
    return dimensions * (1 + 2 * octaves)


def encode_frequencies(x: Float[Tensor, "*n D"], octaves: int, base: float = 1.5) -> Float[Tensor, "*n E"]:
    """The input itself, then sine and cosine of it at `octaves` frequencies base, 2 base, 4 base, ...

    Channels are ordered by frequency, then sine before cosine, then dimension.

    Source: Mildenhall et al., "NeRF", ECCV 2020, eq. 4; base 1.5 as in "Behind the scenes", CVPR 2023.
    """
    frequencies = base * 2.0 ** torch.arange(octaves, device=x.device, dtype=x.dtype)
    angles = x[..., None, :] * frequencies[:, None]
    waves = torch.stack([angles.sin(), angles.cos()], dim=-2)
    return torch.cat([x, waves.flatten(-3)], dim=-1)


def octaves_of(encoded: int, dimensions: int) -> int:
    """How many octaves make that many channels: the inverse of `encoded_size`."""
    return (encoded // dimensions - 1) // 2


def frequency_gradient(
    encoded: Float[Tensor, "*n E"], gradient: Float[Tensor, "*n E"], dimensions: int, base: float = 1.5
) -> Float[Tensor, "*n D"]:
    """The chain rule of `encode_frequencies`: from a derivative by its result to one by its input.

    Args:
        encoded: what `encode_frequencies` made.
        gradient: of a number, by every channel of it.
        dimensions: of the input.
        base: as it was encoded with.
    """
    octaves = octaves_of(encoded.shape[-1], dimensions)
    frequencies = base * 2.0 ** torch.arange(octaves, device=encoded.device, dtype=encoded.dtype)
    sine, cosine = encoded[..., dimensions:].unflatten(-1, (octaves, 2, dimensions)).unbind(dim=-2)
    to_sine, to_cosine = gradient[..., dimensions:].unflatten(-1, (octaves, 2, dimensions)).unbind(dim=-2)
    waves = frequencies[:, None] * (cosine * to_sine - sine * to_cosine)
    return gradient[..., :dimensions] + waves.sum(dim=-2)
