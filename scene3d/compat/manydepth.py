"""Released folders of ManyDepth and Monodepth2 as our methods, which compute the published functions.

The weights are their authors' and carry their licence, which is not ours: non-commercial use only. Written from the
papers and from the names of the tensors.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from scene3d.compat.torch_files import Released, fill_from, read_torch_file, resnet_depth, resnet_name
from scene3d.errors import CheckpointError
from scene3d.geometry.camera import Camera
from scene3d.methods.multiframe_depth import MultiframeDepth, MultiframeDepthConfig
from scene3d.methods.single_depth import SingleDepth, SingleDepthConfig
from scene3d.nn.disparity_decoder import SCALES, DisparityDecoder
from scene3d.nn.mono_depth import MonoDepth
from scene3d.nn.motion_network import MotionNetwork
from scene3d.nn.resnet import Pyramid, ResNetConfig

log = logging.getLogger(__name__)

LICENCE = (
    "%s: weights of Niantic's authors, for non-commercial use only under the licence that came with them; "
    "a patent on the method is announced"
)
CAMERA = (0.58, 1.92, 0.5, 0.5)
"""fx, fy, cx, cy over the width and height of the image that the published networks were trained with."""

BESIDES = ("backprojector.", "projector.", "prematching_conv.", "height", "width", "min_depth_bin", "max_depth_bin")
"""What the matching encoder's file holds besides: grids that are computed, a layer that is never asked, numbers."""

_LEVELS = [f"layer{i}" for i in range(1, 5)]
_PLAIN = resnet_name([f"encoder.{level}" for level in _LEVELS], ("encoder.conv1", "encoder.bn1"))
_MATCHING = resnet_name(["layer1.1", *_LEVELS[1:]], ("layer0.0", "layer0.1"))


def load_manydepth(folder: Path | str) -> Released:
    """A released ManyDepth folder.

    It holds encoder.pth, depth.pth, pose_encoder.pth, pose.pth, mono_encoder.pth and mono_depth.pth. Without the last
    two, those of the single-frame teacher, predictions come without its opinion.

    Raises:
        CheckpointError: a file is missing, damaged, or of another network.
    """
    folder = Path(folder)
    path = folder / "encoder.pth"
    source = read_torch_file(path)
    height, width = _size(source, path)
    near, far = (_number(source, name, path) for name in ("min_depth_bin", "max_depth_bin"))
    first = source.get("reduce_conv.0.weight")
    if not isinstance(first, torch.Tensor) or first.ndim != 4:
        raise CheckpointError(f"{path}: expected a matching encoder, got one without reduce_conv")
    with_teacher = (folder / "mono_encoder.pth").exists() or (folder / "mono_depth.pth").exists()
    method = MultiframeDepth(
        MultiframeDepthConfig(
            pyramid=_pyramid(resnet_depth(source, "layer1.1", "layer3")),
            teacher_pyramid=_plain_pyramid(folder / "mono_encoder.pth") if with_teacher else None,
            motion_pyramid=_plain_pyramid(folder / "pose_encoder.pth"),
            hypotheses=int(first.shape[1] - first.shape[0]),
            compat="manydepth",
        )
    )
    tensors = {name: value for name, value in source.items() if not name.startswith((*BESIDES, "reduce_conv."))}
    fill_from(method.encoder.pyramid, tensors, _MATCHING, path)
    reduce = {name: value for name, value in source.items() if name.startswith("reduce_conv.")}
    fill_from(method.encoder.reduce, reduce, lambda name: name.removeprefix("reduce_conv."), path)
    method.encoder.range.copy_(torch.tensor([near, far]))
    _fill_decoder(method.decoder, folder / "depth.pth")
    _fill_motion(method.motion, folder)
    if with_teacher:
        assert method.teacher is not None
        _fill_mono(method.teacher, folder, "mono_encoder.pth", "mono_depth.pth")
    else:
        method.teacher = None
    return _released(method, folder, height, width)


def load_monodepth2(folder: Path | str) -> Released:
    """A released Monodepth2 folder: encoder.pth, depth.pth, and pose_encoder.pth and pose.pth where it has them.

    Weights that saw stereo pairs give depth in units of 5.4 m, as published.

    Raises:
        CheckpointError: a file is missing, damaged, or of another network.
    """
    folder = Path(folder)
    path = folder / "encoder.pth"
    source = read_torch_file(path)
    height, width = _size(source, path)
    with_motion = (folder / "pose_encoder.pth").exists()
    motion = _plain_pyramid(folder / "pose_encoder.pth") if with_motion else None
    method = SingleDepth(SingleDepthConfig(pyramid=_plain_pyramid(path), motion_pyramid=motion))
    _fill_mono(method.network, folder, "encoder.pth", "depth.pth")
    if with_motion:
        _fill_motion(method.motion, folder)
    return _released(method, folder, height, width)


def _pyramid(depth: int) -> ResNetConfig:
    return ResNetConfig.model_validate({"depth": depth, "normalise": "uniform"})


def _plain_pyramid(path: Path) -> ResNetConfig:
    return _pyramid(resnet_depth(read_torch_file(path), "encoder.layer1", "encoder.layer3"))


def _released(method: MultiframeDepth | SingleDepth, folder: Path, height: int, width: int) -> Released:
    log.warning(LICENCE, folder)
    fx, fy, cx, cy = CAMERA
    K = torch.tensor([[fx * width, 0.0, cx * width], [0.0, fy * height, cy * height], [0.0, 0.0, 1.0]])
    earlier = method.config.lookups if isinstance(method, MultiframeDepth) else ()
    return Released(method, Camera(K, height, width), earlier)


def _fill_mono(network: MonoDepth, folder: Path, encoder: str, decoder: str) -> None:
    _fill_pyramid(network.pyramid, folder / encoder)
    _fill_decoder(network.decoder, folder / decoder)


def _fill_motion(network: MotionNetwork, folder: Path) -> None:
    _fill_pyramid(network.pyramid, folder / "pose_encoder.pth")
    path = folder / "pose.pth"
    # Convolution i of the published head is followed by a ReLU, which has a place of its own in ours.
    pattern = re.compile(r"net\.(\d)\.")
    fill_from(network.head, read_torch_file(path), lambda n: pattern.sub(lambda m: f"{2 * int(m[1])}.", n), path)


def _fill_pyramid(pyramid: Pyramid, path: Path) -> None:
    tensors = {name: value for name, value in read_torch_file(path).items() if name.startswith("encoder.")}
    fill_from(pyramid, tensors, _PLAIN, path)


def _fill_decoder(decoder: DisparityDecoder, path: Path) -> None:
    """Published in one list: both blocks of each level from coarse to fine, then the heads from fine to coarse."""
    levels = len(decoder.narrow)

    def rename(name: str) -> str | None:
        found = re.fullmatch(r"decoder\.(\d+)\.conv\.(?:conv\.)?(weight|bias)", name)
        if not found:
            return name
        number, what = int(found[1]), found[2]
        if number < 2 * levels:
            return f"{'join' if number % 2 else 'narrow'}.{number // 2}.0.{what}"
        head = number - 2 * levels
        return f"heads.{head}.{what}" if head < SCALES else name

    fill_from(decoder, read_torch_file(path), rename, path)


def _size(source: Mapping[str, Any], path: Path) -> tuple[int, int]:
    return int(_number(source, "height", path)), int(_number(source, "width", path))


def _number(source: Mapping[str, Any], name: str, path: Path) -> float:
    try:
        value = float(source[name])
    except (KeyError, TypeError, ValueError, RuntimeError):
        raise CheckpointError(f"{path}: expected a number called {name}, got none") from None
    if not math.isfinite(value) or value <= 0:
        raise CheckpointError(f"{path}: expected {name} above 0, got {value:g}")
    return value
