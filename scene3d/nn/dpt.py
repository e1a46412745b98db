"""The DPT decoder: four maps of a vision transformer, all of one size, to one dense map.

Source: Ranftl et al., "Vision transformers for dense prediction", ICCV 2021; sizes of SceneDINO, ICCV 2025.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from scene3d.config import Config


class DPTConfig(Config):
    """Sizes of the decoder.

    Attributes:
        width: channels of the fusion path.
        projections: channels that the four maps are first brought to, shallow to deep.
        detail: how often the head halves the pixel: 1 gives 16 pixels a token and way, as published,
            0 gives 8 at a quarter of the cost.
        align_corners: how maps are enlarged. False is the convention of this package; the published
            networks were trained with True.
    """

    width: PositiveInt = 256
    projections: tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt] = (64, 64, 128, 256)
    detail: int = 1
    align_corners: bool = False

    def build(self, in_channels: int, out_channels: int) -> DPTDecoder:
        """The decoder of maps with `in_channels` into one with `out_channels`."""
        return DPTDecoder(in_channels, out_channels, self)


class DPTDecoder(nn.Module):
    """Four maps in, one map of 8 * 2^detail times their height and width out; no activation at its end.

    Args:
        in_channels: of each of the four maps.
        out_channels: of the result.
        config: sizes.
    """

    def __init__(self, in_channels: int, out_channels: int, config: DPTConfig | None = None) -> None:
        super().__init__()
        config = config or DPTConfig()
        a, b, c, d = config.projections
        self.project = nn.ModuleList(nn.Conv2d(in_channels, n, 1) for n in config.projections)
        # Tokens all have one size; these spread the maps over four scales, as a convolutional network does.
        self.resize = nn.ModuleList(
            [
                nn.ConvTranspose2d(a, a, kernel_size=4, stride=4),
                nn.ConvTranspose2d(b, b, kernel_size=2, stride=2),
                nn.Identity(),
                nn.Conv2d(d, d, kernel_size=3, stride=2, padding=1),
            ]
        )
        self.adapt = nn.ModuleList(nn.Conv2d(n, config.width, 3, padding=1, bias=False) for n in (a, b, c, d))
        self.fuse = nn.ModuleList(
            _Fusion(config.width, skip=level < 3, align_corners=config.align_corners) for level in range(4)
        )
        self.smooth = nn.Conv2d(config.width, config.width, 3, padding=1)
        self.head = _head(config.width, out_channels, config.detail)
        self.scale = 8 * 2**config.detail

    def forward(self, maps: list[Float[Tensor, "B C h w"]]) -> Float[Tensor, "B D H W"]:
        """One map of `scale` times the size of the four."""
        parts = (self.project, self.resize, self.adapt, maps)
        levels = [adapt(resize(project(x))) for project, resize, adapt, x in zip(*parts, strict=True)]
        path = self.fuse[3](levels[3], None, levels[2].shape[-2:])
        path = self.fuse[2](path, levels[2], levels[1].shape[-2:])
        path = self.fuse[1](path, levels[1], levels[0].shape[-2:])
        height, width = levels[0].shape[-2:]
        path = self.fuse[0](path, levels[0], (2 * height, 2 * width))
        return self.head(self.smooth(path))


def _head(width: int, out_channels: int, detail: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Conv2d(width, width, 3, padding=1)]
    layers += [nn.ConvTranspose2d(width, width, kernel_size=2, stride=2) for _ in range(detail)]
    return nn.Sequential(*layers, nn.Conv2d(width, out_channels, 3, padding=1))


class _Residual(nn.Module):
    """Two 3x3 convolutions, each after a ReLU, beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        # Not in place: x is also what the result is added to.
        return x + self.second(torch.relu(self.first(torch.relu(x))))


class _Fusion(nn.Module):
    """The path so far and the map of one scale, refined and enlarged to the next scale."""

    def __init__(self, width: int, *, skip: bool, align_corners: bool) -> None:
        super().__init__()
        self.side = _Residual(width) if skip else None
        self.main = _Residual(width)
        self.out = nn.Conv2d(width, width, 1)
        self.align_corners = align_corners

    def forward(
        self, path: Float[Tensor, "B C H W"], level: Float[Tensor, "B C H W"] | None, size: tuple[int, ...]
    ) -> Float[Tensor, "B C H_ W_"]:
        if self.side is not None and level is not None:
            path = path + self.side(level)
        path = nn.functional.interpolate(
            self.main(path), size=tuple(size), mode="bilinear", align_corners=self.align_corners
        )
        return self.out(path)
