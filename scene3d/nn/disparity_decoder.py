"""Maps of a pyramid to inverse depth at several scales.

Source: Godard et al., "Digging into self-supervised monocular depth", ICCV 2019, section 4.1 and table 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.errors import ConfigError, UsageError

FIRST = -2.0
"""What an untrained head says before the sigmoid: about eight times the nearest depth."""

SCALES = 4
"""Maps that are predicted: at 1, 1/2, 1/4 and 1/8 of the image."""


class DisparityDecoder(nn.Module):
    """Walks a pyramid from coarse to the full image; a sigmoid map at each of the four finest scales.

    Args:
        pyramid: channels of the maps, fine to coarse, at 1/2, 1/4, ... of the image.
        widths: channels of the decoder at 1, 1/2, 1/4, ... of the image; as many as the pyramid has maps.

    Raises:
        ConfigError: the widths do not go with the pyramid, or it has fewer than four maps.
    """

    def __init__(self, pyramid: Sequence[int], widths: Sequence[int] = (16, 32, 64, 128, 256)) -> None:
        super().__init__()
        if len(widths) != len(pyramid) or len(pyramid) < SCALES:
            raise ConfigError(
                f"method.widths: expected one for each of the pyramid's maps and at least {SCALES}, "
                f"got {len(widths)} for {len(pyramid)}"
            )
        self.narrow, self.join = nn.ModuleList(), nn.ModuleList()
        below = pyramid[-1]
        for skip, width in zip([*reversed(pyramid[:-1]), 0], reversed(widths), strict=True):
            self.narrow.append(_block(below, width))
            self.join.append(_block(width + skip, width))
            below = width
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
        x, found = maps[-1], []
        for narrow, join, skip in zip(self.narrow, self.join, [*reversed(maps[:-1]), None], strict=True):
            x = narrow(x)
            size = (2 * x.shape[-2], 2 * x.shape[-1]) if skip is None else skip.shape[-2:]
            x = nn.functional.interpolate(x, size=size, mode="nearest")
            x = join(x if skip is None else torch.cat([x, skip], dim=1))
            found.append(x)
        return found[::-1][:SCALES]

    def disparities(self, features: Sequence[Tensor]) -> list[Tensor]:
        """What the heads say."""
        return [torch.sigmoid(head(x)) for head, x in zip(self.heads, features, strict=True)]


def check_size(image: Float[Tensor, "B 3 H W"], levels: int) -> None:
    """Raise a UsageError if an image cannot be halved so often and still be padded by reflection."""
    whole = 2**levels
    height, width = image.shape[-2:]
    if height % whole or width % whole or min(height, width) < 2 * whole:
        raise UsageError(
            f"image: expected a height and a width that are multiples of {whole} and at least {2 * whole}, "
            f"got {height} x {width}",
            hint="data.snippets.height and width",
        )


def disparity_to_depth(disparity: Float[Tensor, "*shape"], near: float, far: float) -> Float[Tensor, "*shape"]:
    """Depth of a disparity in (0, 1): inverse depth runs linearly from 1 / far to 1 / near."""
    return 1 / (1 / far + (1 / near - 1 / far) * disparity)


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """Padded by reflection, so that the border of the image is no edge."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, padding_mode="reflect")


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv3x3(inputs, outputs), nn.ELU(inplace=True))
