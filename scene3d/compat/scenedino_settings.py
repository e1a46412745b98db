"""What SceneDINO's `training_config.yaml` says of the published function, and what of it is not ours to compute."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from scene3d.errors import CheckpointError

NAME = "training_config.yaml"

EXPECTED: dict[str, object] = {
    "arch": "BTSNet",
    "predict_dino": True,
    "learn_empty": False,
    "code_mode": "z",
    "inv_z": True,
    "code.freq_factor": 1.5,
    "code.include_input": True,
    "encoder.type": "dinov2",
    "encoder.mode": "downsample-prediction",
    "encoder.decoder_arch": "dpt",
    "encoder.downsampler_arch": "featup",
    "encoder.dim_reduction_arch": "mlp",
    "encoder.key_features": False,
}
"""Settings of which only one value is known here; a key that is absent has it."""


@dataclass(frozen=True)
class PublishedSettings:
    """What the tensors do not say; unless a file says otherwise, what was published.

    Attributes:
        height, width: of the images, pixels.
        layers: blocks whose outputs the decoder takes, besides the end.
        samples: along a ray.
        near, far: between which inverse depth is encoded and rays are sampled, metres.
        shared: the encoder is the teacher, so that the teacher's tensors are the ones that count.
    """

    height: int = 192
    width: int = 640
    layers: tuple[int, int, int] = (3, 6, 9)
    samples: int = 32
    near: float = 3.0
    far: float = 80.0
    shared: bool = False


def read_settings(folder: Path) -> PublishedSettings:
    """Those of a released folder; the published ones where it has no `training_config.yaml`.

    Raises:
        CheckpointError: the file is damaged, or says what is not known here.
    """
    path = folder / NAME
    if not path.is_file():
        return PublishedSettings()
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: expected plain YAML, got {str(error).splitlines()[0]}") from None
    model = tree.get("model") if isinstance(tree, Mapping) else None
    if not isinstance(model, Mapping):
        raise CheckpointError(f"{path}: expected a mapping called model, got none")
    for key, wanted in EXPECTED.items():
        found = _at(model, key, wanted)
        if found != wanted:
            raise CheckpointError(f"{path}: model.{key}: expected {wanted!r}, got {found!r}")
    plain = PublishedSettings()
    height, width = _whole(model, "encoder.image_size", 2, (plain.height, plain.width), path)
    first, second, third = _whole(model, "encoder.intermediate_features", 3, plain.layers, path)
    (samples,) = _whole(tree, "renderer.n_coarse", 1, (plain.samples,), path)
    near, far = (_at(model, key, value) for key, value in (("z_near", plain.near), ("z_far", plain.far)))
    if not (_is_number(near) and _is_number(far) and 0 < near < far):
        raise CheckpointError(f"{path}: model.z_near and z_far: expected 0 < near < far, got {near!r} and {far!r}")
    # The published default of a key that is absent is None, too.
    shared = "encoder" in model and _at(model, "encoder.separate_gt_version", None) is None
    return PublishedSettings(height, width, (first, second, third), samples, float(near), float(far), shared)


def _at(tree: Mapping[str, Any], key: str, otherwise: Any) -> Any:
    found: Any = tree
    for name in key.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return otherwise
        found = found[name]
    return found


def _whole(tree: Mapping[str, Any], key: str, count: int, otherwise: tuple[int, ...], path: Path) -> tuple[int, ...]:
    """Whole numbers from 0; where one is wanted, it stands alone."""
    found = _at(tree, key, otherwise)
    listed = tuple(found) if isinstance(found, (list, tuple)) else (found,)
    if len(listed) != count or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in listed):
        raise CheckpointError(f"{path}: {key}: expected {count} whole numbers, got {found!r}")
    return listed


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
