"""Random changes of the colours of images, shared by the views of a snippet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Jitter:
    """One draw of a change of colours, shared by all views of a snippet.

    Attributes:
        brightness, contrast, saturation: factors; 1 changes nothing.
        hue: turn of the colour circle, in turns of [-0.5, 0.5]; 0 changes nothing.
        order: in which the four are applied.
    """

    brightness: float
    contrast: float
    saturation: float
    hue: float
    order: tuple[int, ...] = (0, 1, 2, 3)


def draw_jitter(random: np.random.Generator) -> Jitter:
    """Factors within 20 % and a hue within a tenth of a turn, in any order.

    Source: Godard et al., "Digging into self-supervised monocular depth", ICCV 2019, section 4.
    """
    brightness, contrast, saturation = random.uniform(0.8, 1.2, size=3)
    order = tuple(int(i) for i in random.permutation(4))
    return Jitter(float(brightness), float(contrast), float(saturation), float(random.uniform(-0.1, 0.1)), order)


def jitter(image: Float[Tensor, "*batch 3 H W"], draw: Jitter) -> Float[Tensor, "*batch 3 H W"]:
    """Images in [0, 1] with their colours changed; they stay in [0, 1]."""
    from torchvision.transforms.v2 import functional as colour

    steps = (
        lambda x: colour.adjust_brightness(x, draw.brightness),
        lambda x: colour.adjust_contrast(x, draw.contrast),
        lambda x: colour.adjust_saturation(x, draw.saturation),
        lambda x: colour.adjust_hue(x, draw.hue),
    )
    for i in draw.order:
        image = steps[i](image)
    return image
