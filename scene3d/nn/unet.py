"""The upward half of a U-Net: a pyramid of maps to one fine map."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.errors import ConfigError
from scene3d.nn.resnet import group_norm


class UNetDecoder(nn.Module):
    """Walks a pyramid from coarse to fine, each time doubling the map and joining the finer one.

    Args:
        pyramid: channels of the maps, fine to coarse, each half the size of the one before.
        widths: channels after joining each level, fine to coarse; one fewer than the pyramid.
        channels: of the result, which has the size of the finest map.

    Raises:
        ConfigError: the widths are not one fewer than the pyramid.
    """

    def __init__(self, pyramid: Sequence[int], widths: Sequence[int], channels: int) -> None:
        super().__init__()
        if len(widths) != len(pyramid) - 1:
            wanted = len(pyramid) - 1
            raise ConfigError(f"encoder.widths: expected {wanted} for a pyramid of {len(pyramid)}, got {len(widths)}")
        self.narrow, self.join = nn.ModuleList(), nn.ModuleList()
        below = pyramid[-1]
        for skip, width in zip(reversed(pyramid[:-1]), reversed(widths), strict=True):
            self.narrow.append(_block(below, width))
            self.join.append(_block(width + skip, width))
            below = width
        self.last = nn.Conv2d(below, channels, kernel_size=3, padding=1)

    def forward(self, maps: Sequence[Tensor]) -> Float[Tensor, "B C h w"]:
        """The fine map; `maps` run from fine to coarse."""
        x = maps[-1]
        for narrow, join, skip in zip(self.narrow, self.join, reversed(maps[:-1]), strict=True):
            x = nn.functional.interpolate(narrow(x), size=skip.shape[-2:], mode="nearest")
            x = join(torch.cat([x, skip], dim=1))
        return self.last(x)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False),
        group_norm(outputs),
        nn.ELU(inplace=True),
    )
