"""What the paper and the released files say of Behind the Scenes' network, written out slowly.

Independent of the package: maps are fetched and rays walked point by point, names are those of the released files.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
import yaml
from torch import Tensor

from tests.compat.published import pyramid, random_resnet

HEIGHT, WIDTH = 64, 96
CHANNELS, HIDDEN, OCTAVES = 8, 10, 6
WIDTHS = [8, 8, 12, 16, 20]  # of the decoder at 1, 1/2, 1/4, 1/8 and 1/16 of the image
CONFIG = {
    "name": "kitti_360",
    "data": {"image_size": [HEIGHT, WIDTH]},
    "model_conf": {
        "arch": "BTSNet",
        "use_code": True,
        "code": {"num_freqs": OCTAVES, "freq_factor": 1.5, "include_input": True},
        "encoder": {"type": "monodepth2", "resnet_layers": 18, "num_ch_dec": [4, 4, 12, 16, 20], "d_out": CHANNELS},
        "mlp_coarse": {"type": "resnet", "n_blocks": 0, "d_hidden": HIDDEN},
        "mlp_fine": {"type": "empty", "n_blocks": 1, "d_hidden": 128},
        "z_near": 3,
        "z_far": 80,
        "inv_z": True,
        "learn_empty": False,
        "code_mode": "z",
    },
    "renderer": {"n_coarse": 6, "n_fine": 0, "lindisp": True, "hard_alpha_cap": True},
}
ENCODER, DECODER = "encoder.encoder.encoder.", "encoder.decoder.decoder."


def random_network(depth: int) -> tuple[torch.nn.Module, dict[str, Tensor]]:
    """A ResNet, and every tensor of a released file by its name, the ResNet's included."""
    net = random_resnet(depth)
    tensors = {ENCODER + name: value for name, value in net.state_dict().items()}
    down = [64, *(c * (4 if depth == 50 else 1) for c in (64, 128, 256, 512))]
    number = 0

    def convolution(name: str, inputs: int, outputs: int) -> None:
        scale = (1.5 / (9 * inputs)) ** 0.5
        tensors[f"{DECODER}{name}.weight"] = scale * torch.randn(outputs, inputs, 3, 3)
        tensors[f"{DECODER}{name}.bias"] = 0.2 * torch.randn(outputs)

    for i in range(4, -1, -1):
        convolution(f"{number}.conv.conv", down[-1] if i == 4 else WIDTHS[i + 1], WIDTHS[i])
        convolution(f"{number + 1}.conv.conv", WIDTHS[i] + (down[i - 1] if i else 0), WIDTHS[i])
        number += 2
    for i in range(4):
        convolution(f"{number + i}.conv", WIDTHS[i], CHANNELS)
    inputs = CHANNELS + 3 + 6 * OCTAVES
    tensors["mlp_coarse.lin_in.weight"] = torch.randn(HIDDEN, inputs) / inputs**0.5
    tensors["mlp_coarse.lin_in.bias"] = 0.2 * torch.randn(HIDDEN)
    tensors["mlp_coarse.lin_out.weight"] = torch.randn(1, HIDDEN)
    tensors["mlp_coarse.lin_out.bias"] = torch.randn(1)
    tensors["code_xyz._freqs"], tensors["code_xyz._phases"] = torch.rand(1, 12, 1), torch.rand(1, 12, 1)
    return net, tensors


def write(folder: Path, content: dict, config: dict | None = CONFIG, name: str = "training_checkpoint_5.pt") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(content, folder / name)
    if config is not None:
        (folder / "exp_kitti_360.yaml").write_text(yaml.safe_dump(config))


def feature_map(net: torch.nn.Module, tensors: dict[str, Tensor], image: Tensor) -> Tensor:
    """[C, H, W] of one image [1, 3, H, W] in [0, 1]."""

    def conv(x: Tensor, name: str) -> Tensor:
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.conv2d(padded, tensors[f"{DECODER}{name}.weight"], tensors[f"{DECODER}{name}.bias"])

    maps = pyramid(net, image)
    x = maps[-1]
    for number, i in enumerate(range(4, -1, -1)):
        x = F.elu(conv(x, f"{2 * number}.conv.conv"))
        x = x.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
        if i:
            x = torch.cat([x, maps[i - 1]], dim=1)
        x = F.elu(conv(x, f"{2 * number + 1}.conv.conv"))
    return conv(x, "10.conv")[0]


def fetch(features: Tensor, u: float, v: float) -> Tensor:
    """Bilinear at (u, v), where -1 and 1 are the outer edges of the map; beyond the border, the border."""
    _, height, width = features.shape
    x = min(max((u + 1) / 2 * width - 0.5, 0.0), width - 1.0)
    y = min(max((v + 1) / 2 * height - 0.5, 0.0), height - 1.0)
    left, top = min(int(x), width - 2), min(int(y), height - 2)
    a, b = x - left, y - top
    square = features[:, top : top + 2, left : left + 2]
    upper = square[:, 0, 0] * (1 - a) + square[:, 0, 1] * a
    return upper * (1 - b) + (square[:, 1, 0] * (1 - a) + square[:, 1, 1] * a) * b


def density(tensors: dict[str, Tensor], features: Tensor, K: Tensor, point: Tensor) -> float:
    """1/m at one point of the camera's coordinates; K is of an image that spans [-1, 1] both ways."""
    z = float(point[2])
    u, v = (float(row @ point) / z for row in K[:2])
    nearness = 2 * (1 / z - 1 / 80) / (1 / 3 - 1 / 80) - 1
    code = [u, v, nearness]
    for octave in range(OCTAVES):
        for shift in (0.0, math.pi / 2):
            code += [math.sin(1.5 * 2**octave * c + shift) for c in (u, v, nearness)]
    inputs = torch.cat([fetch(features, u, v), torch.tensor(code, dtype=features.dtype)])
    hidden = F.relu(tensors["mlp_coarse.lin_in.weight"] @ inputs + tensors["mlp_coarse.lin_in.bias"])
    raw = tensors["mlp_coarse.lin_out.weight"] @ hidden + tensors["mlp_coarse.lin_out.bias"]
    return math.log1p(math.exp(float(raw)))


def distance(
    tensors: dict[str, Tensor], features: Tensor, K: Tensor, row: int, column: int, height: int, width: int
) -> float:
    """Expected distance along the ray of one pixel, without jitter; the last sample takes all that is left."""
    u, v = 2 * (column + 0.5) / width - 1, 2 * (row + 0.5) / height - 1
    direction = torch.linalg.inv(K) @ torch.tensor([u, v, 1.0], dtype=K.dtype)
    direction = direction / direction.norm()
    count = CONFIG["renderer"]["n_coarse"]
    steps = [(i + 0.5) / count for i in range(count)]
    places = [1 / ((1 - s) / 3 + s / 80) for s in steps]
    left, expected = 1.0, 0.0
    for i, place in enumerate(places):
        opaque = 1.0
        if i < count - 1:
            opaque = 1 - math.exp(-(places[i + 1] - place) * density(tensors, features, K, place * direction))
        expected += left * opaque * place
        left *= 1 - opaque
    return expected
