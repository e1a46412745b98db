"""Released folders of SceneDINO as our methods, which compute the published function.

The published network takes images in [-1, 1] and intrinsics of an image that spans [-1, 1] both ways; ours takes
[0, 1] and pixels, which is the same once K is brought over by `pixels_of_normalised`.

Source: Jevtic et al., "Feed-forward SceneDINO for unsupervised semantic scene completion", ICCV 2025, and the names in
the code that came with it (Apache-2.0).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.compat.scenedino_settings import PublishedSettings, read_settings
from scene3d.compat.torch_files import (
    Released,
    checkpoint_file,
    fill_from,
    read_torch_file,
    shape_of,
    some,
    unwrapped,
)
from scene3d.errors import CheckpointError
from scene3d.geometry.camera import Camera
from scene3d.methods.distillation import TeacherConfig
from scene3d.methods.scene_completion import SceneCompletion, SceneCompletionConfig
from scene3d.methods.scene_semantics import SceneSemantics, SceneSemanticsConfig
from scene3d.nn.dino_encoder import DinoEncoderConfig, DinoFeaturesConfig
from scene3d.nn.dpt import DPTConfig
from scene3d.nn.image_encoder import DPTEncoderConfig
from scene3d.ops.frequencies import octaves_of

CAMERA = (552.554261, 682.049453, 238.769549, 376, 1408)
"""Focal length, cx, cy, height and width of KITTI-360's rectified images, which the networks were trained with. The
published code takes the file's principal point as if the first pixel began at 0; here it stays so."""

WRAPPER = "renderer.net."
"""What stands before the network's names in files of a whole training."""

BESIDES = ("code_xyz.", "downstream_head.direct_", "downstream_head.stego_linear_head.")
"""What a file holds besides: constants, and probes that were fitted for comparison."""

ENCODER, TEACHER, HEAD = "encoder.encoder.model.vit.", "encoder.gt_encoder.model.vit.", "downstream_head."

_NAMES = (
    (r"encoder\.encoder\.model\.vit\.", "encoder.trunk.network."),
    (r"encoder\.decoder\.project\.", "encoder.decoder.smooth."),
    (r"encoder\.decoder\.reassemble_blocks\.projects\.", "encoder.decoder.project."),
    (r"encoder\.decoder\.reassemble_blocks\.resize_layers\.", "encoder.decoder.resize."),
    (r"encoder\.decoder\.convs\.", "encoder.decoder.adapt."),
    (r"encoder\.decoder\.output_head\.head_modules\.", "encoder.decoder.head."),
    (r"encoder\.downsampler\.patch_weight", "downsampler.scale"),
    (r"encoder\.downsampler\.patch_bias", "downsampler.offset"),
    (r"encoder\.downsampler\.conv\.", "downsampler.salience."),
    (r"encoder\.dim_reduction\.linear_in\.", "expansion.layers.0."),
    (r"encoder\.dim_reduction\.linear_out\.", "expansion.layers.2."),
    (r"artifact_field", "artefacts"),
)
_PROJECTS = "encoder.decoder.reassemble_blocks.projects."
_SIZES = (
    *(f"{prefix}{name}" for prefix in (ENCODER, TEACHER) for name in ("pos_embed", "patch_embed.proj.weight")),
    *(f"{_PROJECTS}{i}.weight" for i in range(4)),
    "encoder.decoder.project.weight",
    "encoder.dim_reduction.linear_in.weight",
)
"""Tensors that say how large the network is."""

_FUSION = re.compile(r"encoder\.decoder\.fusion_blocks\.(\d)\.(project|res_conv_unit[12]\.conv[12])\.")
_FUSED = {
    "project": "out",
    "res_conv_unit1.conv1": "side.first",
    "res_conv_unit1.conv2": "side.second",
    "res_conv_unit2.conv1": "main.first",
    "res_conv_unit2.conv2": "main.second",
}


def load_scenedino(folder: Path | str) -> Released:
    """A released SceneDINO folder: `checkpoint.pt`, or one other .pt or .pth file, and `training_config.yaml`.

    Without the latter, settings are as published. A file of a training holds the network a level or two down. With the
    head of the second stage the method has classes, named as the file names them; else it has features alone.

    Raises:
        CheckpointError: a file is missing, damaged, or of another network.
    """
    folder = Path(folder)
    path = checkpoint_file(folder, "checkpoint")
    settings = read_settings(folder)
    source = unwrapped(read_torch_file(path), WRAPPER, BESIDES)
    config = _config(source, settings, path)
    camera = _camera().resize(settings.height, settings.width)
    if not any(name.startswith(f"{HEAD}stego_head.") for name in source):
        method = config.build()
        _fill(method, source, settings, path)
        return Released(method, camera)
    centres = shape_of(source, f"{HEAD}stego_cluster_head.cluster_centers", 2, path)
    semantics = SceneSemanticsConfig(completion=config, clusters=centres[0], codes=centres[1]).build()
    _fill(semantics.completion, source, settings, path)
    _fill_head(semantics, source, path)
    return Released(semantics, camera)


def pixels_of_normalised(K: Float[Tensor, "*batch 3 3"], height: int, width: int) -> Float[Tensor, "*batch 3 3"]:
    """K in pixels of an image, of one that maps to [-1, 1]: -1 is the left and upper edge of the first pixel."""
    to_pixels = K.new_tensor([[width / 2, 0, width / 2], [0, height / 2, height / 2], [0, 0, 1]])
    return to_pixels @ K


def _camera() -> Camera:
    focal, cx, cy, height, width = CAMERA
    return Camera(torch.tensor([[focal, 0, cx], [0, focal, cy], [0, 0, 1]]), int(height), int(width))


def _config(source: Mapping[str, Tensor], settings: PublishedSettings, path: Path) -> SceneCompletionConfig:
    """Of a network with these tensors."""
    lacking = [name for name in _SIZES if name not in source]
    if lacking:
        strange = [name for name in source if not name.startswith(("encoder.", "heads.", HEAD))]
        besides = f"; has besides {some(strange)}" if strange else ""
        raise CheckpointError(f"{path}: is of another network: lacks {some(lacking)}{besides}")
    channels = shape_of(source, "encoder.decoder.project.weight", 4, path)[0]
    head = _head_name(source, path)
    hidden, inputs = shape_of(source, f"{head}.lin_in.weight", 2, path)
    features = shape_of(source, f"{head}.lin_out.weight", 2, path)[0] - 1
    a, b, c, d = (shape_of(source, f"{_PROJECTS}{i}.weight", 4, path)[0] for i in range(4))
    artefacts = source.get("artifact_field")
    encoder, teacher = (_vit(source, prefix, settings, path) for prefix in (ENCODER, TEACHER))
    if encoder["depth"] <= max(settings.layers):
        raise CheckpointError(f"{path}: expected at least {max(settings.layers) + 1} blocks, got {encoder['depth']}")
    return SceneCompletionConfig(
        encoder=DPTEncoderConfig(
            vit=DinoEncoderConfig(**encoder, layers=settings.layers),
            dpt=DPTConfig(width=channels, projections=(a, b, c, d), align_corners=True),
            channels=channels,
        ),
        hidden=hidden,
        octaves=octaves_of(inputs - channels, 3),
        teacher=TeacherConfig(
            extractor=DinoFeaturesConfig(**teacher),
            channels=features,
            hidden=shape_of(source, "encoder.dim_reduction.linear_in.weight", 2, path)[0],
            artefacts=None if artefacts is None else (int(artefacts.shape[-2]), int(artefacts.shape[-1])),
        ),
        near=settings.near,
        far=settings.far,
        samples=settings.samples,
        patch=teacher["stride"],
        render_stride=1,
        compat="scenedino",
    )


def _vit(source: Mapping[str, Tensor], prefix: str, settings: PublishedSettings, path: Path) -> dict[str, Any]:
    """Sizes of a transformer. DINOv2's patches of 14 pixels stand for 16 of the image."""
    width, _, patch, _ = shape_of(source, f"{prefix}patch_embed.proj.weight", 4, path)
    stride = 16 if patch == 14 else patch
    registers = source.get(f"{prefix}reg_token")
    return {
        "weights": "random",
        "width": width,
        "depth": len({name.split(".")[5] for name in source if name.startswith(f"{prefix}blocks.")}),
        "heads": max(width // 64, 1),
        "patch": patch,
        "grid": (settings.height // stride, settings.width // stride),
        "registers": 0 if registers is None else int(registers.shape[1]),
        "scaled": f"{prefix}blocks.0.ls1.gamma" in source,
        "stride": stride,
    }


def _fill(method: SceneCompletion, source: Mapping[str, Tensor], settings: PublishedSettings, path: Path) -> None:
    teacher = {name.removeprefix(TEACHER): source[name] for name in source if name.startswith(TEACHER)}
    rest = {name: source[name] for name in source if not name.startswith((TEACHER, HEAD))}
    if settings.shared:
        # One network under two names; of these, the published code reads the teacher's last.
        rest |= {ENCODER + name: value for name, value in teacher.items()}
    assert method.teacher is not None
    fill_from(
        method,
        _split_layers(rest, path) | {"threshold": method.threshold, "calibration": method.calibration},
        _rename,
        path,
    )
    fill_from(method.teacher.extractor.network, teacher, lambda name: name, path)


def _split_layers(source: Mapping[str, Tensor], path: Path) -> dict[str, Tensor]:
    """The point decoder's two layers as our four, and the 1x1 convolution of the downsampler as a matrix."""
    head = _head_name(source, path)
    channels = source["encoder.decoder.project.weight"].shape[0]
    named = dict(source)
    first, last = named.pop(f"{head}.lin_in.weight"), named.pop(f"{head}.lin_out.weight")
    named |= {"decoder.from_map.weight": first[:, :channels], "decoder.from_position.weight": first[:, channels:]}
    named |= {"decoder.to_density.weight": last[:1], "decoder.to_features.weight": last[1:]}
    if (bias := named.pop(f"{head}.lin_in.bias", None)) is not None:
        named["decoder.from_map.bias"] = bias
    if (bias := named.pop(f"{head}.lin_out.bias", None)) is not None:
        named |= {"decoder.to_density.bias": bias[:1], "decoder.to_features.bias": bias[1:]}
    if (salience := named.get("encoder.downsampler.conv.weight")) is not None:
        named["encoder.downsampler.conv.weight"] = salience.flatten(1)
    return named


def _rename(name: str) -> str:
    if found := _FUSION.match(name):
        # Published from deep to shallow.
        return f"encoder.decoder.fuse.{3 - int(found[1])}.{_FUSED[found[2]]}.{name[found.end() :]}"
    for pattern, ours in _NAMES:
        if found := re.match(pattern, name):
            return ours + name[found.end() :]
    return name


def _fill_head(method: SceneSemantics, source: Mapping[str, Tensor], path: Path) -> None:
    paths = {f"{HEAD}stego_head.linear_path.0.": "linear.", f"{HEAD}stego_head.nonlinear_path.": "perceptron."}
    rest = {name: value.flatten(1) if value.ndim == 4 else value for name, value in source.items()}
    ours = {
        new + name.removeprefix(old): rest[name] for name in rest for old, new in paths.items() if name.startswith(old)
    }
    fill_from(method.head, ours, lambda name: name, path)
    method.centres.copy_(source[f"{HEAD}stego_cluster_head.cluster_centers"])
    classes = f"{HEAD}stego_cluster_head.pseudo_assignment"
    shape_of(source, classes, 1, path)
    try:
        method.name_clusters(source[classes].long())
    except ValueError as error:
        raise CheckpointError(f"{path}: {classes}: {error}") from None


def _head_name(source: Mapping[str, Tensor], path: Path) -> str:
    """Of the point decoder. Where there are several, the published code asks the first, whatever its settings say."""
    for name in source:
        if found := re.match(r"(heads\.\w+)\.lin_in\.weight", name):
            return found[1]
    raise CheckpointError(f"{path}: is of another network: lacks heads.normal_head.lin_in.weight")
