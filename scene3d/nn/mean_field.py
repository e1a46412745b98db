"""Labels of a picture made to follow its edges: mean-field inference in a conditional random field.

Every pixel talks to those around it: near ones shall have the same label, the more so the more alike their colours
are. Source: Kraehenbuehl and Koltun, "Efficient inference in fully connected CRFs with Gaussian edge potentials",
NeurIPS 2011, eq. 3 and algorithm 1.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor

from scene3d.config import Config


class MeanFieldConfig(Config):
    """What mean-field inference can be told; weights and widths in pixels are those of SceneDINO.

    Attributes:
        appearance: weight of the kernel of place and colour.
        place, colour: its deviations, pixels and RGB in [0, 1].
        smoothness: weight of the kernel of place alone.
        near: its deviation, pixels.
        reach: pixels whose row and column differ by at most so many talk to each other. Instead of an approximation
            over all pairs (the paper's lattice) the sum is exact over these.
        rounds: of passing messages.
    """

    appearance: float = Field(4.0, ge=0)
    place: PositiveFloat = 20.0
    colour: PositiveFloat = 0.05
    smoothness: float = Field(3.0, ge=0)
    near: PositiveFloat = 3.0
    reach: PositiveInt = 10
    rounds: PositiveInt = 10


def mean_field(
    probabilities: Float[Tensor, "C H W"], image: Float[Tensor, "3 H W"], config: MeanFieldConfig
) -> Float[Tensor, "C H W"]:
    """Probabilities of labels after their pixels talked to each other.

    Differing labels cost the same, whichever they are (Potts). Both kernels are normalised on both sides,
    k_ij / sqrt(n_i n_j) with n_i the sum over j of k_ij with k_ii = 1, as the authors' code does by default, so a
    pixel at the border is not heard less, and a weight says what all neighbours together can do. A pixel does not
    talk to itself.

    Args:
        probabilities: of each label at each pixel, adding up to 1.
        image: RGB in [0, 1].
        config: see there.
    """
    unary = probabilities.clamp(min=1e-6).log()
    pairs = list(_pairs(image, config))
    believed = torch.softmax(unary, dim=0)
    for _ in range(config.rounds):
        heard = torch.zeros_like(believed)
        for here, there, weight in pairs:
            heard[here] += weight * believed[there]
            heard[there] += weight * believed[here]
        # With Potts' costs, the sum over l' != l of m(l') is a constant minus m(l).
        believed = torch.softmax(unary + heard, dim=0)
    return believed


Part = tuple[slice, slice, slice]
"""All channels of some rows and columns."""


def _pairs(image: Float[Tensor, "3 H W"], config: MeanFieldConfig) -> Iterator[tuple[Part, Part, Float[Tensor, "h w"]]]:
    """Each pair of pixels within reach once, those of one offset at a time: one, the other, and their weight."""
    offsets = list(_offsets(image, config.reach))
    kernels = [_kernels(image, config, here, there) for here, there in offsets]
    totals = torch.ones_like(image[:2])
    for (here, there), kernel in zip(offsets, kernels, strict=True):
        totals[here] += kernel
        totals[there] += kernel
    scale = totals.rsqrt() * image.new_tensor([config.appearance, config.smoothness]).sqrt()[:, None, None]
    for (here, there), kernel in zip(offsets, kernels, strict=True):
        yield here, there, (scale[here] * scale[there] * kernel).sum(dim=0)


def _offsets(image: Float[Tensor, "3 H W"], reach: int) -> Iterator[tuple[Part, Part]]:
    """Where the pixels lie that have another one at an offset, and where those others lie; half of all offsets."""
    height, width = image.shape[-2:]
    aside = min(reach, width - 1)
    for down in range(min(reach, height - 1) + 1):
        for right in range(-aside, aside + 1):
            if (down, right) > (0, 0):
                here = slice(None), slice(0, height - down), slice(max(0, -right), width - max(0, right))
                yield here, (slice(None), slice(down, height), slice(max(0, right), width + min(0, right)))


def _kernels(image: Float[Tensor, "3 H W"], config: MeanFieldConfig, here: Part, there: Part) -> Float[Tensor, "2 h w"]:
    """Kernel of place and colour, and of place alone, between pixels and those at an offset."""
    down, right = (b.start - a.start for a, b in zip(here[1:], there[1:], strict=True))
    squared = down**2 + right**2
    difference = (image[here] - image[there]).square().sum(dim=0)
    appearance = squared / (2 * config.place**2) + difference / (2 * config.colour**2)
    smoothness = torch.full_like(appearance, squared / (2 * config.near**2))
    return torch.exp(-torch.stack([appearance, smoothness]))
