"""Maps of a pyramid to inverse depth at several scales.

Source: Godard et al., "Digging into self-supervised monocular depth", ICCV 2019, section 4.1 and table 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.errors import ConfigError
from scene3d.nn.upward_path import UpwardPath, conv3x3

FIRST = -2.0
"""What an untrained head says before the sigmoid: about eight times the nearest depth."""

SCALES = 4
"""Maps that are predicted: at 1, 1/2, 1/4 and 1/8 of the image."""


class DisparityDecoder(UpwardPath):
    """Walks a pyramid from coarse to the full image; a sigmoid map at each of the four finest scales.

    Args:
        pyramid: channels of the maps, fine to coarse, at 1/2, 1/4, ... of the image.
        widths: channels of the decoder at 1, 1/2, 1/4, ... of the image; as many as the pyramid has maps.

    Raises:
        ConfigError: the widths do not go with the pyramid, or it has fewer than four maps.
    """

    def __init__(self, pyramid: Sequence[int], widths: Sequence[int] = (16, 32, 64, 128, 256)) -> None:
        super().__init__(pyramid, widths)
        if len(pyramid) < SCALES:
            raise ConfigError(f"method.pyramid: expected at least {SCALES} maps, got {len(pyramid)}")
        self.heads = nn.ModuleList(conv3x3(width, 1) for width in widths[:SCALES])
        for head in self.heads:
            # Halfway between nearest and farthest, as a random head says it, is twice the nearest: where motion is
            # learnt along, its scale settles around that, and whatever is nearer than half the scene is cut off.
            nn.init.constant_(head.bias, FIRST)  # type: ignore[arg-type]

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Disparity in (0, 1), from the full image's size to 1/8 of it; `maps` run from fine to coarse."""
        return self.disparities(self.features(maps))

    def features(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """What the heads look at, from the full image's size to 1/8 of it."""
        return super().features(maps)[:SCALES]

    def disparities(self, features: Sequence[Tensor]) -> list[Tensor]:
        """What the heads say."""
        return [torch.sigmoid(head(x)) for head, x in zip(self.heads, features, strict=True)]


def disparity_to_depth(disparity: Float[Tensor, "*shape"], near: float, far: float) -> Float[Tensor, "*shape"]:
    """Depth of a disparity in (0, 1): inverse depth runs linearly from 1 / far to 1 / near."""
    return 1 / (1 / far + (1 / near - 1 / far) * disparity)
