"""Vision transformers of the DINO families: frozen dense features, and a trainable encoder.

Colours are normalised with the mean and deviation of ImageNet, as all four families were taught.

Sources: Caron et al., "Emerging properties in self-supervised vision transformers", ICCV 2021;
Oquab et al., "DINOv2", TMLR 2024; Darcet et al., "Vision transformers need registers", ICLR 2024;
Simeoni et al., "DINOv3", 2025.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from einops import rearrange
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.errors import ConfigError
from scene3d.nn.extractor import FeatureExtractor, normalise, pad_to_patches
from scene3d.nn.vit_weights import Family, load_vit, patch_size, random_vit

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class ViTFeaturesConfig(Config):
    """Frozen features of one of the DINO families.

    Attributes:
        kind: the family. A supervised ViT has the same architecture as "dino" and cannot be told from it.
        weights: folder with `config.json` and `model.safetensors`, or a hub name; None is the
            published base size of the family.
        stride: pixels of the given image a feature. None is the network's patch; any other number
            resizes the image first, so that DINOv2's patch of 14 can give a feature every 16 pixels.
    """

    kind: Family
    weights: str | None = None
    stride: PositiveInt | None = None

    def build(self) -> ViTFeatures:
        """The frozen extractor."""
        return ViTFeatures(self)


class ViTFeatures(FeatureExtractor):
    """Patch tokens of the last block, after the final layer norm."""

    def __init__(self, config: ViTFeaturesConfig) -> None:
        network = load_vit(config.kind, config.weights)
        patch = patch_size(network)
        stride = config.stride or patch
        super().__init__(
            lambda: network,
            channels=network.config.hidden_size,
            stride=stride,
            settings={"kind": config.kind, "stride": stride, "architecture": network.config.to_json_string()},
        )
        self._patch = patch

    def dense(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Features of an image whose sides are multiples of `stride`."""
        pixels = resize_patches(normalise(image, IMAGENET_MEAN, IMAGENET_STD), self.stride, self._patch)
        tokens = _run(self.network, pixels).last_hidden_state
        return _to_map(tokens, pixels, self._patch)


class ViTEncoderConfig(Config):
    """A trainable ViT that hands four maps to a DPT decoder.

    Attributes:
        kind: tells it from other encoders.
        family: architecture.
        weights: as in `ViTFeaturesConfig`; "random" starts from scratch with the sizes below.
        stride: as in `ViTFeaturesConfig`.
        layers: blocks, counted from 0, whose outputs are the first three maps; the fourth is the end.
        width, depth, heads, patch: sizes of a network from scratch.
    """

    kind: Literal["vit"] = "vit"
    family: Family = "dino"
    weights: str | None = None
    stride: PositiveInt | None = None
    layers: tuple[int, int, int] = (3, 6, 9)
    width: PositiveInt = 384
    depth: PositiveInt = 12
    heads: PositiveInt = 6
    patch: PositiveInt = 16

    def build(self) -> ViTEncoder:
        """The encoder."""
        return ViTEncoder(self)


class ViTEncoder(nn.Module):
    """Four maps of one size: raw outputs of three blocks, and the final tokens at unit length.

    Attributes:
        channels: of each map.
        stride: pixels of the image a cell.

    Source: Jevtic et al., "Feed-forward SceneDINO for unsupervised semantic scene completion", ICCV 2025.
    """

    def __init__(self, config: ViTEncoderConfig) -> None:
        super().__init__()
        self.network = (
            random_vit(config.family, width=config.width, depth=config.depth, heads=config.heads, patch=config.patch)
            if config.weights == "random"
            else load_vit(config.family, config.weights)
        )
        depth = self.network.config.num_hidden_layers
        if not all(0 <= layer < depth for layer in config.layers):
            raise ConfigError(f"layers: expected numbers of blocks from 0 to {depth - 1}, got {config.layers}")
        self.layers = config.layers
        self.channels: int = self.network.config.hidden_size
        self.patch = patch_size(self.network)
        self.stride = config.stride or self.patch

    def forward(self, image: Float[Tensor, "B 3 H W"]) -> list[Float[Tensor, "B C h w"]]:
        """Maps of RGB images in [0, 1], padded right and bottom to a multiple of `stride`; shallow first.

        Raises:
            DataError: the image is smaller than a patch.
        """
        padded = pad_to_patches(image, self.stride)
        pixels = resize_patches(normalise(padded, IMAGENET_MEAN, IMAGENET_STD), self.stride, self.patch)
        output = _run(self.network, pixels, output_hidden_states=True)
        # hidden_states[0] is the embedding, so the output of block i is hidden_states[i + 1].
        tokens = [output.hidden_states[layer + 1] for layer in self.layers]
        tokens.append(nn.functional.normalize(output.last_hidden_state, dim=-1))
        return [_to_map(each, pixels, self.patch) for each in tokens]


def _run(network: Any, pixels: Float[Tensor, "B 3 H W"], **options: bool) -> Any:
    # ViTModel resamples its position embedding only when told to; the others always do.
    if network.config.model_type == "vit":
        options["interpolate_pos_encoding"] = True
    return network(pixel_values=pixels, **options)


def resize_patches(image: Float[Tensor, "B 3 H W"], stride: int, patch: int) -> Float[Tensor, "B 3 H_ W_"]:
    """The image resized so that `stride` of its pixels become one patch."""
    if stride == patch:
        return image
    size = [side // stride * patch for side in image.shape[-2:]]
    return torch.nn.functional.interpolate(image, size=size, mode="bilinear", align_corners=False, antialias=True)


def _to_map(tokens: Float[Tensor, "B T C"], pixels: Float[Tensor, "B 3 H W"], patch: int) -> Float[Tensor, "B C h w"]:
    """Patch tokens as a map; the class and register tokens, which come first, are left out."""
    height, width = (side // patch for side in pixels.shape[-2:])
    return rearrange(tokens[:, -height * width :], "b (h w) c -> b c h w", h=height)
