"""A DINO network out of a checkpoint that holds it among others: as trainable encoder, and as frozen features.

Colours are normalised with the mean and deviation of ImageNet.
"""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.errors import ConfigError
from scene3d.nn.dino_vit import DinoViT, ViTSizes
from scene3d.nn.extractor import FeatureExtractor, normalise, pad_to_patches
from scene3d.nn.vit import IMAGENET_MEAN, IMAGENET_STD, resize_patches


class DinoViTConfig(Config):
    """Sizes of the network; those not given are of DINO's ViT-S/8 for images of 192 x 640.

    Attributes:
        kind: tells it from other networks.
        weights: it starts from scratch; who loads a checkpoint fills it.
        width, depth, heads, patch: as in `ViTSizes`.
        grid: rows and columns of the position embedding: of patches in the image that it is made for.
        registers: 4 in DINOv2 with registers.
        scaled: as in DINOv2.
        stride: pixels of the given image a token; where that is not the patch, the image is resized first.
    """

    kind: Literal["dino_vit"] = "dino_vit"
    weights: Literal["random"]
    width: PositiveInt = 384
    depth: PositiveInt = 12
    heads: PositiveInt = 6
    patch: PositiveInt = 8
    grid: tuple[PositiveInt, PositiveInt] = (24, 80)
    registers: int = 0
    scaled: bool = False
    stride: PositiveInt = 8

    def network(self) -> DinoViT:
        """The bare network."""
        return DinoViT(ViTSizes(self.width, self.depth, self.heads, self.patch, self.grid, self.registers, self.scaled))


class DinoEncoderConfig(DinoViTConfig):
    """The network as encoder; see `DinoViTConfig`.

    Attributes:
        layers: blocks, counted from 0, whose outputs are the first three maps; the fourth is the end.
    """

    layers: tuple[int, int, int] = (3, 6, 9)

    def build(self) -> DinoEncoder:
        """The encoder."""
        return DinoEncoder(self)


class DinoFeaturesConfig(DinoViTConfig):
    """The network as frozen features; see `DinoViTConfig`."""

    def build(self) -> DinoFeatures:
        """The frozen extractor."""
        return DinoFeatures(self)


class DinoEncoder(nn.Module):
    """Four maps of one size: raw outputs of three blocks, and the final tokens at unit length.

    Attributes:
        channels: of each map.
        stride: pixels of the image a cell.

    Source: Jevtic et al., "Feed-forward SceneDINO for unsupervised semantic scene completion", ICCV 2025.
    """

    def __init__(self, config: DinoEncoderConfig) -> None:
        super().__init__()
        if not all(0 <= layer < config.depth for layer in config.layers):
            raise ConfigError(f"layers: expected numbers of blocks from 0 to {config.depth - 1}, got {config.layers}")
        self.network = config.network()
        self.layers, self.channels = config.layers, config.width
        self.patch, self.stride = config.patch, config.stride

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B C h w"]]:
        """Maps of RGB images in [0, 1], padded right and bottom to a multiple of `stride`; shallow first.

        Raises:
            DataError: the image is smaller than a patch.
        """
        padded = normalise(pad_to_patches(image, self.stride), IMAGENET_MEAN, IMAGENET_STD)
        *raw, last = self.network(resize_patches(padded, self.stride, self.patch), self.layers)
        return [*raw, nn.functional.normalize(last, dim=1)]


class DinoFeatures(FeatureExtractor):
    """Patch tokens after the final norm."""

    def __init__(self, config: DinoFeaturesConfig) -> None:
        settings = {"kind": config.kind, "stride": config.stride, "patch": config.patch}
        super().__init__(config.network, channels=config.width, stride=config.stride, settings=settings)
        self._patch = config.patch

    def dense(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Features of an image whose sides are multiples of `stride`."""
        pixels = normalise(image, IMAGENET_MEAN, IMAGENET_STD)
        return self.network(resize_patches(pixels, self.stride, self._patch))[0]
