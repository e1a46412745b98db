"""Image pyramids: torchvision's ResNets, and a small one of the same blocks for CPU minutes."""

from __future__ import annotations

from typing import Literal

import torch
import torchvision
from jaxtyping import Float
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from scene3d.config import Config

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ResNetConfig(Config):
    """A torchvision ResNet.

    Attributes:
        depth: 18, 34 or 50.
        pretrained: start from torchvision's ImageNet weights, which it downloads once.
        extra_channels: inputs beside RGB (camera rays, or the RGB of more images).
    """

    kind: Literal["resnet"] = "resnet"
    depth: Literal[18, 34, 50] = 50
    pretrained: bool = False
    extra_channels: int = 0

    def build(self) -> ResNetPyramid:
        """The network."""
        return ResNetPyramid(self)


class SmallResNetConfig(Config):
    """A narrow ResNet with group normalisation, which does not mind batches of one.

    Attributes:
        widths: channels at 1/2, 1/4, 1/8, ... of the image.
        blocks: residual blocks a level.
        extra_channels: inputs beside RGB.
    """

    kind: Literal["small_resnet"] = "small_resnet"
    widths: tuple[int, ...] = (32, 48, 96, 160, 224)
    blocks: int = 2
    extra_channels: int = 0

    def build(self) -> SmallResNet:
        """The network."""
        return SmallResNet(self)


def _normalise(image: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """RGB by ImageNet's mean and deviation; further channels as they are."""
    rgb, rest = image[:, :3], image[:, 3:]
    mean, std = image.new_tensor(_MEAN)[:, None, None], image.new_tensor(_STD)[:, None, None]
    return torch.cat([(rgb - mean) / std, rest], dim=1)


class ResNetPyramid(nn.Module):
    """Feature maps of a ResNet at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        make = getattr(torchvision.models, f"resnet{config.depth}")
        trunk = make(weights="IMAGENET1K_V1" if config.pretrained else None)
        stem = trunk.conv1
        if config.extra_channels:
            stem = nn.Conv2d(3 + config.extra_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
            with torch.no_grad():
                stem.weight.zero_()
                stem.weight[:, :3] = trunk.conv1.weight
        self.stem = nn.Sequential(stem, trunk.bn1, trunk.relu)
        self.levels = nn.ModuleList(
            [nn.Sequential(trunk.maxpool, trunk.layer1), trunk.layer2, trunk.layer3, trunk.layer4]
        )
        self.channels = [64, *(c * (4 if config.depth == 50 else 1) for c in (64, 128, 256, 512))]

    def forward(self, image: Float[Tensor, "B C H W"]) -> list[Tensor]:
        """Maps from fine to coarse; RGB in [0, 1]."""
        maps = [self.stem(_normalise(image))]
        for level in self.levels:
            maps.append(level(maps[-1]))
        return maps


class SmallResNet(nn.Module):
    """Feature maps of a narrow ResNet at 1/2, 1/4, ... of the image, one level a width."""

    def __init__(self, config: SmallResNetConfig) -> None:
        super().__init__()
        self.channels = list(config.widths)
        first = config.widths[0]
        self.stem = nn.Sequential(
            nn.Conv2d(3 + config.extra_channels, first, kernel_size=5, stride=2, padding=2, bias=False),
            group_norm(first),
            nn.ReLU(inplace=True),
        )
        self.levels = nn.ModuleList()
        for before, width in zip(config.widths[:-1], config.widths[1:], strict=True):
            shortcut = nn.Sequential(nn.Conv2d(before, width, 1, stride=2, bias=False), group_norm(width))
            first_block = BasicBlock(before, width, stride=2, downsample=shortcut, norm_layer=group_norm)
            more = [BasicBlock(width, width, norm_layer=group_norm) for _ in range(config.blocks - 1)]
            self.levels.append(nn.Sequential(first_block, *more))

    def forward(self, image: Float[Tensor, "B C H W"]) -> list[Tensor]:
        """Maps from fine to coarse; RGB in [0, 1]."""
        maps = [self.stem(_normalise(image))]
        for level in self.levels:
            maps.append(level(maps[-1]))
        return maps


def group_norm(channels: int) -> nn.GroupNorm:
    """Group normalisation with groups of about eight channels."""
    groups = next(g for g in range(max(channels // 8, 1), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels)
