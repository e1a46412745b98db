"""Image pyramids: torchvision's ResNets, and a small one of the same blocks for CPU minutes."""

from __future__ import annotations

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from scene3d.config import Config

Normalisation = Literal["imagenet", "uniform"]
_MEAN_AND_DEVIATION = {
    "imagenet": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "uniform": ((0.45, 0.45, 0.45), (0.225, 0.225, 0.225)),
}


class ResNetConfig(Config):
    """A torchvision ResNet.

    Attributes:
        depth: 18, 34 or 50.
        pretrained: start from torchvision's ImageNet weights, which it downloads once.
        images: seen at once, their channels one after the other; a pretrained stem is shared out among them.
        extra_channels: inputs beside RGB, such as camera rays.
        normalise: RGB by ImageNet's mean and deviation of each channel, or by 0.45 and 0.225 for all, as depth
            networks have it since Zhou et al., CVPR 2017.
    """

    kind: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50] = 50
    pretrained: bool = False
    images: int = Field(1, ge=1)
    extra_channels: int = Field(0, ge=0)
    normalise: Normalisation = "imagenet"

    def build(self) -> ResNetPyramid:
        """The network."""
        return ResNetPyramid(self)


class SmallResNetConfig(Config):
    """A narrow ResNet with group normalisation, which does not mind batches of one.

    Attributes:
        widths: channels at 1/2, 1/4, 1/8, ... of the image.
        blocks: residual blocks a level.
        images: as in `ResNetConfig`.
        extra_channels: inputs beside RGB.
        normalise: as in `ResNetConfig`.
    """

    kind: Literal["small_resnet"] = "small_resnet"
    widths: tuple[int, ...] = (32, 48, 96, 160, 224)
    blocks: int = 2
    images: int = Field(1, ge=1)
    extra_channels: int = Field(0, ge=0)
    normalise: Normalisation = "imagenet"

    def build(self) -> SmallResNet:
        """The network."""
        return SmallResNet(self)


PyramidConfig = Annotated[ResNetConfig | SmallResNetConfig, Field(discriminator="kind")]
"""Every image pyramid that a recipe may name."""


class Pyramid(nn.Module):
    """Feature maps from fine to coarse: a stem, and levels each of which halves the map.

    Attributes:
        channels: of the maps at 1/2, 1/4, 1/8, ... of the image.
    """

    channels: list[int]
    stem: nn.Module
    levels: nn.ModuleList

    def __init__(self, images: int, normalise: Normalisation) -> None:
        super().__init__()
        self._images, self._normalisation = images, normalise

    def forward(self, image: Float[Tensor, "B C H W"]) -> list[Tensor]:
        """Maps from fine to coarse; RGB in [0, 1]."""
        fine = self.fine(image)
        return fine + self.coarse(fine[-1])

    def fine(self, image: Float[Tensor, "B C H W"]) -> list[Tensor]:
        """The maps at 1/2 and 1/4 of the image."""
        first = self.stem(self._normalise(image))
        return [first, self.levels[0](first)]

    def coarse(self, quarter: Float[Tensor, "B C h w"]) -> list[Tensor]:
        """The maps from 1/8 on, of that at 1/4."""
        maps = [quarter]
        for level in self.levels[1:]:
            maps.append(level(maps[-1]))
        return maps[1:]

    def _normalise(self, image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        """RGB of every image; further channels as they are."""
        mean, deviation = (
            image.new_tensor(v * self._images)[:, None, None] for v in _MEAN_AND_DEVIATION[self._normalisation]
        )
        rgb, rest = image.split([len(mean), image.shape[1] - len(mean)], dim=1)
        return torch.cat([(rgb - mean) / deviation, rest], dim=1)


class ResNetPyramid(Pyramid):
    """Feature maps of a ResNet at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image."""

    def __init__(self, config: ResNetConfig) -> None:
        from torchvision import models

        super().__init__(config.images, config.normalise)
        make = getattr(models, f"resnet{config.depth}")
        trunk = make(weights="IMAGENET1K_V1" if config.pretrained else None)
        stem = trunk.conv1
        if config.images > 1 or config.extra_channels:
            inputs = 3 * config.images + config.extra_channels
            stem = nn.Conv2d(inputs, 64, kernel_size=7, stride=2, padding=3, bias=False)
            with torch.no_grad():
                stem.weight.zero_()
                stem.weight[:, : 3 * config.images] = trunk.conv1.weight.repeat(1, config.images, 1, 1) / config.images
        self.stem = nn.Sequential(stem, trunk.bn1, trunk.relu)
        self.levels = nn.ModuleList(
            [nn.Sequential(trunk.maxpool, trunk.layer1), trunk.layer2, trunk.layer3, trunk.layer4]
        )
        self.channels = [64, *(c * (4 if config.depth == 50 else 1) for c in (64, 128, 256, 512))]


class SmallResNet(Pyramid):
    """Feature maps of a narrow ResNet at 1/2, 1/4, ... of the image, one level a width."""

    def __init__(self, config: SmallResNetConfig) -> None:
        super().__init__(config.images, config.normalise)
        self.channels = list(config.widths)
        first = config.widths[0]
        inputs = 3 * config.images + config.extra_channels
        self.stem = nn.Sequential(
            nn.Conv2d(inputs, first, kernel_size=5, stride=2, padding=2, bias=False),
            group_norm(first),
            nn.ReLU(inplace=True),
        )
        self.levels = nn.ModuleList()
        for before, width in zip(config.widths[:-1], config.widths[1:], strict=True):
            shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=2, bias=False), group_norm(width))
            first_block = ResidualBlock(before, width, shortcut)
            more = [ResidualBlock(width, width) for _ in range(config.blocks - 1)]
            self.levels.append(nn.Sequential(first_block, *more))


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, with group normalisation.

    Its parts are called as those of torchvision's block, which importing would take as long as importing torch.

    Args:
        before, width: channels of what comes and of the result.
        shortcut: what comes, as it is added to the result; one that halves the map makes the block halve it. None adds
            it as it is.

    Source: He et al., "Deep residual learning for image recognition", CVPR 2016, figure 5, left.
    """

    def __init__(self, before: int, width: int, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        stride = 1 if shortcut is None else 2
        self.conv1 = nn.Conv2d(before, width, 3, stride=stride, padding=1, bias=False)
        self.bn1 = group_norm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = group_norm(width)
        self.downsample = shortcut

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        """The map of the next block."""
        inner = nn.functional.relu(self.bn1(self.conv1(x)), inplace=True)
        added = x if self.downsample is None else self.downsample(x)
        return nn.functional.relu(self.bn2(self.conv2(inner)) + added, inplace=True)


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with groups of about eight channels."""
    groups = next(g for g in range(max(channels // 8, 1), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels)
