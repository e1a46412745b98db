"""Released folders of Behind the Scenes as our scene completion, which computes the published function.

Sources: Wimbauer et al., "Behind the scenes: density fields for single view reconstruction", CVPR 2023, and the names
in the code that came with it.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from scene3d.compat.published_yaml import at, depth_range, expect, read_tree, whole_numbers
from scene3d.compat.torch_files import (
    Released,
    checkpoint_file,
    fill_from,
    read_torch_file,
    resnet_depth,
    resnet_name,
    shape_of,
    some,
    unwrapped,
)
from scene3d.errors import CheckpointError
from scene3d.geometry.camera import Camera
from scene3d.methods.scene_completion import SceneCompletion, SceneCompletionConfig
from scene3d.nn.image_encoder import FullSizeEncoderConfig
from scene3d.nn.resnet import ResNetConfig
from scene3d.ops.frequencies import octaves_of

log = logging.getLogger(__name__)

CAMERAS = {
    "kitti_360": (552.554261, 682.049453, 238.769549, 376, 1408),
    "kitti_raw": (721.5377, 609.5593, 172.854, 375, 1242),
}
"""Focal length, cx, cy, height and width of the images of a training, by its name. The published code takes a file's
principal point as if the first pixel began at 0; here it stays so."""

WRAPPER = "renderer.net."
"""What stands before the network's names in files of a whole training."""

TRUNK, DECODER, HEAD = "encoder.encoder.encoder.", "encoder.decoder.decoder.", "mlp_coarse."
BESIDES = ("code_xyz.",)
"""What a file holds besides: constants."""

OCCUPIED = 0.5
"""Density (1/m) from which the published evaluation of occupancy counts a point."""

EXPECTED: dict[str, object] = {
    "arch": "BTSNet",
    "use_code": True,
    "learn_empty": False,
    "empty_empty": False,
    "sample_color": True,
    "code_mode": "z",
    "inv_z": True,
    "code.freq_factor": 1.5,
    "code.include_input": True,
    "encoder.type": "monodepth2",
    "mlp_coarse.type": "resnet",
    "mlp_coarse.n_blocks": 0,
    "mlp_coarse.beta": 0.0,
    "mlp_fine.type": "empty",
}
"""Settings of which only one value is known here; a key that is absent has it."""

_SIZES = (f"{TRUNK}conv1.weight", f"{DECODER}0.conv.conv.weight", f"{HEAD}lin_in.weight", f"{HEAD}lin_out.weight")
"""Tensors without which it is no such network."""

_LEVELS = 5
_RESNET = resnet_name([f"layer{i}" for i in range(1, _LEVELS)], ("conv1", "bn1"))


@dataclass(frozen=True)
class _Settings:
    """What the tensors do not say; unless a file says otherwise, what was published for KITTI-360."""

    name: str = "kitti_360"
    height: int = 192
    width: int = 640
    samples: int = 64
    near: float = 3.0
    far: float = 80.0


def load_bts(folder: Path | str) -> Released:
    """A released Behind the Scenes folder: one .pt or .pth file, and the .yaml of its training where there is one.

    Without the latter, settings are as published for KITTI-360. A file of a training holds the network a level or two
    down.

    Raises:
        CheckpointError: a file is missing, damaged, or of another network; differing names are listed.
    """
    folder = Path(folder)
    path = checkpoint_file(folder, "checkpoint")
    settings = _read_settings(folder)
    source = unwrapped(read_torch_file(path), WRAPPER, BESIDES)
    method = _config(source, settings, path).build()
    fill_from(method, _split_layers(source, method, path), _rename, path)
    focal, cx, cy, height, width = CAMERAS[settings.name]
    camera = Camera(torch.tensor([[focal, 0, cx], [0, focal, cy], [0, 0, 1]]), int(height), int(width))
    return Released(method, camera.resize(settings.height, settings.width))


def _read_settings(folder: Path) -> _Settings:
    files = sorted(folder.glob("*.yaml"))
    if not files:
        return _Settings()
    if len(files) > 1:
        raise CheckpointError(f"{folder}: expected one .yaml file, got {', '.join(file.name for file in files)}")
    path, plain = files[0], _Settings()
    tree = read_tree(path, "model_conf")
    expect(tree, {f"model_conf.{key}": value for key, value in EXPECTED.items()}, path)
    expect(tree, {"renderer.lindisp": True, "renderer.n_fine": 0, "renderer.hard_alpha_cap": True}, path)
    height, width = whole_numbers(tree, "data.image_size", 2, (plain.height, plain.width), path)
    (samples,) = whole_numbers(tree, "renderer.n_coarse", 1, (plain.samples,), path)
    near, far = depth_range(tree, "model_conf", (plain.near, plain.far), path)
    name = str(at(tree, "name", plain.name))
    if name not in CAMERAS:
        log.warning("%s: the camera of %s is not known here; an image without K is taken for KITTI-360's", path, name)
        name = plain.name
    return _Settings(name, height, width, samples, near, far)


def _config(source: Mapping[str, Tensor], settings: _Settings, path: Path) -> SceneCompletionConfig:
    """Of a network with these tensors."""
    lacking = [name for name in _SIZES if name not in source]
    if lacking:
        strange = [name for name in source if not name.startswith(("encoder.", HEAD))]
        besides = f"; has besides {some(strange)}" if strange else ""
        raise CheckpointError(f"{path}: is of another network: lacks {some(lacking)}{besides}")
    hidden, inputs = shape_of(source, f"{HEAD}lin_in.weight", 2, path)
    # From coarse to fine: the path's first convolution of each level, two a level; then what ends it.
    widths = [shape_of(source, f"{DECODER}{2 * i}.conv.conv.weight", 4, path)[0] for i in range(_LEVELS)]
    channels = shape_of(source, f"{DECODER}{2 * _LEVELS}.conv.weight", 4, path)[0]
    depth = resnet_depth(source, f"{TRUNK}layer1", f"{TRUNK}layer3")
    pyramid = ResNetConfig.model_validate({"depth": depth, "normalise": "uniform"})
    return SceneCompletionConfig(
        encoder=FullSizeEncoderConfig(pyramid=pyramid, widths=tuple(reversed(widths)), channels=channels),
        hidden=hidden,
        octaves=octaves_of(inputs - channels, 3),
        near=settings.near,
        far=settings.far,
        samples=settings.samples,
        render_stride=1,
        threshold=OCCUPIED,
        compat="bts",
    )


def _split_layers(source: Mapping[str, Tensor], method: SceneCompletion, path: Path) -> dict[str, Tensor]:
    """The point decoder's two layers as our three; the heads of coarser maps, which are never asked, are left out."""
    coarser = tuple(f"{DECODER}{2 * _LEVELS + i}." for i in range(1, 4))
    named = {name: value for name, value in source.items() if not name.startswith(coarser)}
    channels = method.encoder.channels
    first = named.pop(f"{HEAD}lin_in.weight")
    named |= {"decoder.from_map.weight": first[:, :channels], "decoder.from_position.weight": first[:, channels:]}
    for ours, theirs in (
        ("from_map.bias", "lin_in.bias"),
        ("to_density.weight", "lin_out.weight"),
        ("to_density.bias", "lin_out.bias"),
    ):
        if (value := named.pop(f"{HEAD}{theirs}", None)) is not None:
            named[f"decoder.{ours}"] = value
    return named | {"threshold": method.threshold, "calibration": method.calibration}


def _rename(name: str) -> str | None:
    if name.startswith(TRUNK):
        within = _RESNET(name.removeprefix(TRUNK))
        return None if within is None else f"encoder.trunk.{within}"
    if found := re.fullmatch(re.escape(DECODER) + r"(\d+)\.conv\.(?:conv\.)?(weight|bias)", name):
        number, what = int(found[1]), found[2]
        if number == 2 * _LEVELS:
            return f"encoder.decoder.last.{what}"
        return f"encoder.decoder.{'join' if number % 2 else 'narrow'}.{number // 2}.0.{what}"
    return name
