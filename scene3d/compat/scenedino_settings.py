"""What SceneDINO's `training_config.yaml` says of the published function, and what of it is not ours to compute."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from scene3d.compat.published_yaml import at, depth_range, expect, read_tree, whole_numbers

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
    tree = read_tree(path, "model")
    expect(tree, {f"model.{key}": value for key, value in EXPECTED.items()}, path)
    plain = PublishedSettings()
    model = tree["model"]
    height, width = whole_numbers(model, "encoder.image_size", 2, (plain.height, plain.width), path)
    first, second, third = whole_numbers(model, "encoder.intermediate_features", 3, plain.layers, path)
    (samples,) = whole_numbers(tree, "renderer.n_coarse", 1, (plain.samples,), path)
    near, far = depth_range(tree, "model", (plain.near, plain.far), path)
    # The published default of a key that is absent is None, too.
    shared = "encoder" in model and at(model, "encoder.separate_gt_version", None) is None
    return PublishedSettings(height, width, (first, second, third), samples, near, far, shared)
