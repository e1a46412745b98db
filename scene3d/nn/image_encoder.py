"""From an image to one dense feature map: the choices of encoder that a method may make."""

from __future__ import annotations

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.nn.dino_encoder import DinoEncoderConfig
from scene3d.nn.dpt import DPTConfig
from scene3d.nn.resnet import PyramidConfig, ResNetConfig, SmallResNetConfig
from scene3d.nn.unet import UNetDecoder
from scene3d.nn.upward_path import FullSizeDecoder
from scene3d.nn.vit import ViTEncoderConfig


class UNetEncoderConfig(Config):
    """A ResNet pyramid with a U-Net decoder; the map has half the size of the image.

    Attributes:
        pyramid: the downward half.
        widths: of the upward half, fine to coarse; one fewer than the pyramid has levels.
        channels: of the map.
        camera_rays: show it each pixel's viewing direction too, so that it knows its camera.
    """

    kind: Literal["unet"] = "unet"
    pyramid: PyramidConfig = SmallResNetConfig()
    widths: tuple[int, ...] = (48, 64, 96, 128)
    channels: int = 64
    camera_rays: bool = True

    def build(self) -> ImageEncoder:
        """The network."""
        pyramid = self.pyramid.model_copy(update={"extra_channels": 2 if self.camera_rays else 0}).build()
        decoder = UNetDecoder(pyramid.channels, self.widths, self.channels)
        return ImageEncoder(pyramid, decoder, self.channels, takes_rays=self.camera_rays)


class FullSizeEncoderConfig(Config):
    """A ResNet pyramid whose decoder, that of depth networks, goes on to the full size of the image.

    Attributes:
        pyramid: the downward half.
        widths: of the upward half, fine to coarse; as many as the pyramid has levels.
        channels: of the map.

    Source: Wimbauer et al., "Behind the scenes", CVPR 2023.
    """

    kind: Literal["full_size"] = "full_size"
    pyramid: PyramidConfig = ResNetConfig(normalise="uniform")
    widths: tuple[int, ...] = (64, 64, 64, 128, 256)
    channels: int = 64

    def build(self) -> ImageEncoder:
        """The network."""
        pyramid = self.pyramid.build()
        return ImageEncoder(pyramid, FullSizeDecoder(pyramid.channels, self.widths, self.channels), self.channels)


class DPTEncoderConfig(Config):
    """A vision transformer with a DPT decoder.

    Attributes:
        vit: the transformer.
        dpt: the decoder.
        channels: of the map.
        rate: factor on the learning rate of the transformer, which starts from pretrained weights.
    """

    kind: Literal["dpt"] = "dpt"
    vit: Annotated[ViTEncoderConfig | DinoEncoderConfig, Field(discriminator="kind")] = ViTEncoderConfig()
    dpt: DPTConfig = DPTConfig()
    channels: int = 256
    rate: float = 0.1

    def build(self) -> ImageEncoder:
        """The network."""
        vit = self.vit.build()
        return ImageEncoder(vit, self.dpt.build(vit.channels, self.channels), self.channels, trunk_rate=self.rate)


ImageEncoderConfig = Annotated[
    UNetEncoderConfig | FullSizeEncoderConfig | DPTEncoderConfig, Field(discriminator="kind")
]
"""Every encoder that a recipe may name, told apart by `kind`; each has `build()`."""


class ImageEncoder(nn.Module):
    """A trunk that makes several maps, and a decoder that makes one of them.

    Args:
        trunk: image to a list of maps.
        decoder: list of maps to one map.
        channels: of the map.
        trunk_rate: factor on the learning rate of the trunk.
        takes_rays: whether two more channels follow the RGB: x / z and y / z of each pixel's ray.
    """

    def __init__(
        self,
        trunk: nn.Module,
        decoder: nn.Module,
        channels: int,
        *,
        trunk_rate: float = 1.0,
        takes_rays: bool = False,
    ) -> None:
        super().__init__()
        self.trunk, self.decoder = trunk, decoder
        self.channels, self.trunk_rate, self.takes_rays = channels, trunk_rate, takes_rays

    def forward(self, image: Float[Tensor, "B D H W"]) -> Float[Tensor, "B C h w"]:
        """The map of an image: RGB in [0, 1], then the rays if it takes them."""
        return self.decoder(self.trunk(image))
