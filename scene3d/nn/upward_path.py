"""The upward half of a depth network: a pyramid of maps is walked from coarse to the size of the image.

Source: Godard et al., "Digging into self-supervised monocular depth estimation", ICCV 2019, table 6.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.errors import ConfigError, UsageError


class UpwardPath(nn.Module):
    """Doubles the map at each level and joins it with that of the pyramid.

    Args:
        pyramid: channels of the maps, fine to coarse, at 1/2, 1/4, ... of the image.
        widths: channels of the path at 1, 1/2, 1/4, ... of the image; as many as the pyramid has maps.

    Raises:
        ConfigError: there are not as many widths as maps.
    """

    def __init__(self, pyramid: Sequence[int], widths: Sequence[int]) -> None:
        super().__init__()
        if len(widths) != len(pyramid):
            raise ConfigError(
                f"method.widths: expected one for each of the pyramid's maps, got {len(widths)} for {len(pyramid)}"
            )
        self.narrow, self.join = nn.ModuleList(), nn.ModuleList()
        below = pyramid[-1]
        for skip, width in zip([*reversed(pyramid[:-1]), 0], reversed(widths), strict=True):
            self.narrow.append(_block(below, width))
            self.join.append(_block(width + skip, width))
            below = width

    def features(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """The maps of the path, from the full image's size to the coarsest; `maps` run from fine to coarse."""
        x, found = maps[-1], []
        for narrow, join, skip in zip(self.narrow, self.join, [*reversed(maps[:-1]), None], strict=True):
            x = narrow(x)
            size = (2 * x.shape[-2], 2 * x.shape[-1]) if skip is None else skip.shape[-2:]
            x = nn.functional.interpolate(x, size=size, mode="nearest")
            x = join(x if skip is None else torch.cat([x, skip], dim=1))
            found.append(x)
        return found[::-1]


class FullSizeDecoder(UpwardPath):
    """An upward path that ends in one map of the size of the image.

    Args:
        pyramid, widths: see `UpwardPath`.
        channels: of the map.

    Source: Wimbauer et al., "Behind the scenes", CVPR 2023.
    """

    def __init__(self, pyramid: Sequence[int], widths: Sequence[int], channels: int) -> None:
        super().__init__(pyramid, widths)
        self.last = conv3x3(widths[0], channels)

    def forward(self, maps: Sequence[Tensor]) -> Float[Tensor, "B C H W"]:
        """The map; `maps` run from fine to coarse."""
        return self.last(self.features(maps)[0])


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


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """Padded by reflection, so that the border of the image is no edge."""
    return nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, padding_mode="reflect")


def _block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(conv3x3(inputs, outputs), nn.ELU(inplace=True))
