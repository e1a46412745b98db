"""Small files in the layout of SceneDINO's releases, filled with random numbers."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from torch import Tensor

Shapes = dict[str, tuple[int, ...]]
HEIGHT, WIDTH = 32, 48
DIMENSIONS, CODES, CLUSTERS = 6, 5, 7
CONFIG = {
    "model": {
        "arch": "BTSNet",
        "dino_dims": DIMENSIONS,
        "encoder": {
            "type": "dinov2",
            "decoder_arch": "dpt",
            "version": "v1",
            "separate_gt_version": "v1",
            "intermediate_features": [0, 1, 1],
            "image_size": [HEIGHT, WIDTH],
        },
    },
    "renderer": {"n_coarse": 8},
}


def vit_shapes(prefix: str, *, width: int = 64, patch: int = 8, registers: int = 0, scaled: bool = False) -> Shapes:
    stride = 16 if patch == 14 else patch
    places = (HEIGHT // stride) * (WIDTH // stride)
    shapes: Shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, places + (registers == 0), width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
        "norm.weight": (width,),
        "norm.bias": (width,),
    }
    if registers:
        shapes["reg_token"] = (1, registers, width)
    for i in range(2):
        for name, (outputs, inputs) in {
            "attn.qkv": (3 * width, width),
            "attn.proj": (width, width),
            "mlp.fc1": (4 * width, width),
            "mlp.fc2": (width, 4 * width),
        }.items():
            shapes |= {f"blocks.{i}.{name}.weight": (outputs, inputs), f"blocks.{i}.{name}.bias": (outputs,)}
        for name in ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"):
            shapes[f"blocks.{i}.{name}"] = (width,)
        if scaled:
            shapes |= {f"blocks.{i}.ls1.gamma": (width,), f"blocks.{i}.ls2.gamma": (width,)}
    return {prefix + name: shape for name, shape in shapes.items()}


def network_shapes(**vit: int | bool) -> Shapes:
    """Of everything but the second stage: 8 channels, a hidden layer of 10, one octave."""
    width, out, hidden = 64, 8, 10
    stride = {14: 16}.get(int(vit.get("patch", 8)), int(vit.get("patch", 8)))
    layers: Shapes = {
        "encoder.downsampler.patch_weight": (stride, stride),
        "encoder.downsampler.patch_bias": (stride, stride),
    }

    def layer(name: str, *shape: int, channels: int | None = None) -> None:
        layers[f"{name}.weight"] = shape
        layers[f"{name}.bias"] = (shape[0] if channels is None else channels,)

    decoder = "encoder.decoder"
    for i in range(4):
        layer(f"{decoder}.reassemble_blocks.projects.{i}", out, width, 1, 1)
        layers[f"{decoder}.convs.{i}.weight"] = (out, out, 3, 3)
        layer(f"{decoder}.fusion_blocks.{i}.project", out, out, 1, 1)
        for unit in (1, 2) if i else (2,):
            for conv in (1, 2):
                layer(f"{decoder}.fusion_blocks.{i}.res_conv_unit{unit}.conv{conv}", out, out, 3, 3)
    for i, kernel in ((0, 4), (1, 2), (3, 3)):
        layer(f"{decoder}.reassemble_blocks.resize_layers.{i}", out, out, kernel, kernel)
    layer(f"{decoder}.project", out, out, 3, 3)
    for i, kernel in ((0, 3), (1, 2), (2, 3)):
        layer(f"{decoder}.output_head.head_modules.{i}", out, out, kernel, kernel)
    layer("encoder.downsampler.conv", 1, width, 1, 1)
    layer("encoder.dim_reduction.linear_in", 9, DIMENSIONS)
    layer("encoder.dim_reduction.linear_out", width, 9)
    layer("heads.normal_head.lin_in", hidden, out + 9)
    layer("heads.normal_head.lin_out", 1 + DIMENSIONS, hidden)
    return vit_shapes("encoder.encoder.model.vit.", **vit) | vit_shapes("encoder.gt_encoder.model.vit.", **vit) | layers


def head_shapes() -> Shapes:
    return {
        "downstream_head.stego_head.linear_path.0.weight": (CODES, 64, 1, 1),
        "downstream_head.stego_head.linear_path.0.bias": (CODES,),
        "downstream_head.stego_head.nonlinear_path.0.weight": (64, 64, 1, 1),
        "downstream_head.stego_head.nonlinear_path.0.bias": (64,),
        "downstream_head.stego_head.nonlinear_path.2.weight": (CODES, 64, 1, 1),
        "downstream_head.stego_head.nonlinear_path.2.bias": (CODES,),
        "downstream_head.stego_cluster_head.cluster_centers": (CLUSTERS, CODES),
        "downstream_head.direct_cluster_head.cluster_centers": (CLUSTERS, 64),
        "downstream_head.stego_linear_head.linear.weight": (19, CODES),
    }


def fill(shapes: Shapes) -> dict[str, Tensor]:
    """Norm weights and scales near 1, all else of the size that keeps signals alive."""
    found = {}
    for name, shape in shapes.items():
        fan_in = max(int(torch.tensor(shape[1:]).prod()), 1) if len(shape) > 1 else 100
        found[name] = torch.randn(shape) / fan_in**0.5
        if len(shape) == 1 and not name.endswith("bias"):
            found[name] += 1
    return found


def write(folder: Path, tensors: dict[str, Tensor], name: str = "checkpoint.pt", config: dict | None = None) -> None:
    torch.save(tensors, folder / name)
    (folder / "training_config.yaml").write_text(yaml.safe_dump(config or CONFIG))
