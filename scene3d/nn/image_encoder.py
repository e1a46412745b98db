"""From an image to one dense feature map: the choices of encoder that a method may make."""

from __future__ import annotations

from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.nn.dpt import DPTConfig
from scene3d.nn.resnet import ResNetConfig, SmallResNetConfig
from scene3d.nn.unet import UNetDecoder
from scene3d.nn.vit import ViTEncoderConfig


class UNetEncoderConfig(Config):
    """A ResNet pyramid with a U-Net decoder; the map has half the size of the image.

    Attributes:
        pyramid: the downward half.
        widths: of the upward half, fine to coarse; one fewer than the pyramid has levels.
        channels: of the map.
    """

    kind: Literal["unet"] = "unet"
    pyramid: Annotated[ResNetConfig | SmallResNetConfig, Field(discriminator="kind")] = SmallResNetConfig()
    widths: tuple[int, ...] = (48, 64, 96, 128)
    channels: int = 64

    def build(self) -> ImageEncoder:
        """The network."""
        pyramid = self.pyramid.build()
        return ImageEncoder(pyramid, UNetDecoder(pyramid.channels, self.widths, self.channels), self.channels)


class DPTEncoderConfig(Config):
    """A vision transformer with a DPT decoder.

    Attributes:
        vit: the transformer.
        dpt: the decoder.
        channels: of the map.
        rate: factor on the learning rate of the transformer, which starts from pretrained weights.
    """

    kind: Literal["dpt"] = "dpt"
    vit: ViTEncoderConfig = ViTEncoderConfig()
    dpt: DPTConfig = DPTConfig()
    channels: int = 256
    rate: float = 0.1

    def build(self) -> ImageEncoder:
        """The network."""
        vit = self.vit.build()
        return ImageEncoder(vit, self.dpt.build(vit.channels, self.channels), self.channels, trunk_rate=self.rate)


ImageEncoderConfig = Annotated[UNetEncoderConfig | DPTEncoderConfig, Field(discriminator="kind")]
"""Every encoder that a recipe may name, told apart by `kind`; each has `build()`."""


class ImageEncoder(nn.Module):
    """A trunk that makes several maps, and a decoder that makes one of them.

    Args:
        trunk: image to a list of maps.
        decoder: list of maps to one map.
        channels: of the map.
        trunk_rate: factor on the learning rate of the trunk.
    """

    def __init__(self, trunk: nn.Module, decoder: nn.Module, channels: int, *, trunk_rate: float = 1.0) -> None:
        super().__init__()
        self.trunk, self.decoder = trunk, decoder
        self.channels, self.trunk_rate = channels, trunk_rate

    def forward(self, image: Float[Tensor, "B D H W"]) -> Float[Tensor, "B C h w"]:
        """The map of an image: RGB in [0, 1], then the extra channels the trunk was made for."""
        return self.decoder(self.trunk(image))
