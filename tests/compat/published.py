"""What the papers and the released files say of ManyDepth's and Monodepth2's networks, written out slowly.

Independent of the package: images are sampled point by point, names are those of the released files.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
import torchvision
from torch import Tensor

Tensors = dict[str, Tensor]
DECODER = [16, 32, 64, 128, 256]


def random_resnet(depth: int, images: int = 1) -> torch.nn.Module:
    """With statistics of batch normalisation as after a training."""
    net = getattr(torchvision.models, f"resnet{depth}")(weights=None)
    if images > 1:
        net.conv1 = torch.nn.Conv2d(3 * images, 64, 7, 2, 3, bias=False)
    for part in net.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
            torch.nn.init.uniform_(part.weight, 0.5, 1.5)
            torch.nn.init.normal_(part.bias, 0, 0.1)
    return net.eval()


def random_decoder(channels: list[int]) -> Tensors:
    sizes = []
    for i in range(4, -1, -1):
        sizes.append((channels[-1] if i == 4 else DECODER[i + 1], DECODER[i], "conv.conv"))
        sizes.append((DECODER[i] + (channels[i - 1] if i else 0), DECODER[i], "conv.conv"))
    sizes += [(DECODER[s], 1, "conv") for s in range(4)]
    return _convolutions("decoder", sizes, 3)


def random_pose_head(width: int) -> Tensors:
    sizes = [(width, 256, 1), (256, 256, 3), (256, 256, 3), (256, 12, 1)]
    found: Tensors = {}
    for i, (inputs, outputs, kernel) in enumerate(sizes):
        found[f"net.{i}.weight"] = torch.randn(outputs, inputs, kernel, kernel) * (2 / (inputs * kernel**2)) ** 0.5
        found[f"net.{i}.bias"] = torch.randn(outputs) * 0.5
    return found


def _convolutions(prefix: str, sizes: list, kernel: int) -> Tensors:
    found: Tensors = {}
    for i, (inputs, outputs, inner) in enumerate(sizes):
        scale = (1.5 / (inputs * kernel**2)) ** 0.5
        found[f"{prefix}.{i}.{inner}.weight"] = torch.randn(outputs, inputs, kernel, kernel) * scale
        found[f"{prefix}.{i}.{inner}.bias"] = torch.randn(outputs) * 0.2
    return found


def pyramid(net: torch.nn.Module, image: Tensor) -> list[Tensor]:
    maps = [net.relu(net.bn1(net.conv1((image - 0.45) / 0.225)))]
    maps.append(net.layer1(net.maxpool(maps[-1])))
    for level in (net.layer2, net.layer3, net.layer4):
        maps.append(level(maps[-1]))
    return maps


def decode(weights: Tensors, maps: list[Tensor]) -> Tensor:
    """Sigmoid disparity at the size of the image."""

    def conv(x: Tensor, name: str) -> Tensor:
        return F.conv2d(F.pad(x, (1, 1, 1, 1), mode="reflect"), weights[f"{name}.weight"], weights[f"{name}.bias"])

    x = maps[-1]
    for k, i in enumerate(range(4, -1, -1)):
        x = F.elu(conv(x, f"decoder.{2 * k}.conv.conv"))
        x = x.repeat_interleave(2, dim=-1).repeat_interleave(2, dim=-2)
        if i:
            x = torch.cat([x, maps[i - 1]], dim=1)
        x = F.elu(conv(x, f"decoder.{2 * k + 1}.conv.conv"))
    return torch.sigmoid(conv(x, "decoder.10.conv"))


def pose(net: torch.nn.Module, head: Tensors, earlier: Tensor, later: Tensor) -> Tensor:
    """4 x 4, from the earlier camera to the later one: a rotation by axis and angle, then a move."""
    x = pyramid(net, torch.cat([earlier, later], dim=1))[-1]
    for i in range(4):
        weight = head[f"net.{i}.weight"]
        x = F.conv2d(x, weight, head[f"net.{i}.bias"], padding=weight.shape[-1] // 2)
        x = F.relu(x) if i < 3 else x
    numbers = 0.01 * x.mean(dim=(2, 3))[0, :6]
    angle = numbers[:3].norm()
    x_, y_, z_ = (numbers[:3] / (angle + 1e-7)).tolist()
    cross = torch.tensor([[0, -z_, y_], [z_, 0, -x_], [-y_, x_, 0]])
    matrix = torch.eye(4)
    matrix[:3, :3] += angle.sin() * cross + (1 - angle.cos()) * cross @ cross
    matrix[:3, 3] = numbers[3:]
    return matrix


def volume(here: Tensor, there: Tensor, K: Tensor, target_to_lookup: Tensor, depths: Tensor) -> tuple[Tensor, Tensor]:
    """Cost with missing values filled, and confidence; pixel centres at integers, K in pixels of the maps."""
    _, height, width = here.shape
    inverse = torch.linalg.inv(K)
    cost = torch.zeros(len(depths), height, width)
    for d, depth in enumerate(depths.tolist()):
        for y in range(2, height - 2):
            for x in range(2, width - 2):
                point = inverse @ torch.tensor([float(x), float(y), 1.0]) * depth
                q = K @ (target_to_lookup[:3, :3] @ point + target_to_lookup[:3, 3])
                u, v = (q[:2] / (q[2] + 1e-7)).tolist()
                if not (2 <= u <= width - 2 and 2 <= v <= height - 2):
                    continue
                left, top = min(int(u), width - 2), min(int(v), height - 2)
                a, b = u - left, v - top
                square = there[:, top : top + 2, left : left + 2]
                seen = (square[:, 0, 0] * (1 - a) + square[:, 0, 1] * a) * (1 - b)
                seen = seen + (square[:, 1, 0] * (1 - a) + square[:, 1, 1] * a) * b
                cost[d, y, x] = (seen - here[:, y, x]).abs().mean()
    missing = cost == 0
    filled = torch.where(missing, cost.amax(dim=0, keepdim=True), cost)
    return filled, (~missing).all(dim=0).float()


def write_manydepth(folder: Path, depth: int, bins: int, size: tuple[int, int]) -> dict:
    """A released folder of random weights; returns what computes its function."""
    matching, mono, moving = random_resnet(depth), random_resnet(depth), random_resnet(18, images=2)
    widths = [64, *(c * (4 if depth == 50 else 1) for c in (64, 128, 256, 512))]
    encoder: dict = {"height": size[0], "width": size[1], "min_depth_bin": 0.7, "max_depth_bin": torch.tensor(9.0)}
    for name, value in matching.state_dict().items():
        if name.startswith("fc."):
            continue
        for ours, theirs in (("conv1", "layer0.0"), ("bn1", "layer0.1"), ("layer1", "layer1.1")):
            if name.startswith(ours + "."):
                name = theirs + name[len(ours) :]
                break
        encoder[name] = value
    reduce = _convolutions("reduce_conv", [(widths[1] + bins, widths[1], "x")], 3)
    encoder |= {name.replace(".x.", "."): value for name, value in reduce.items()}
    encoder["prematching_conv.0.weight"] = torch.randn(16, widths[1], 1, 1)
    encoder["backprojector.pix_coords"] = torch.zeros(bins, 3, 5)
    decoder, teacher, head = random_decoder(widths), random_decoder(widths), random_pose_head(512)
    torch.save(encoder, folder / "encoder.pth")
    torch.save(decoder, folder / "depth.pth")
    torch.save({f"encoder.{n}": v for n, v in mono.state_dict().items()}, folder / "mono_encoder.pth")
    torch.save(teacher, folder / "mono_depth.pth")
    torch.save({f"encoder.{n}": v for n, v in moving.state_dict().items()}, folder / "pose_encoder.pth")
    torch.save(head, folder / "pose.pth")
    return {
        "matching": matching,
        "reduce": {name.replace(".x.", "."): value for name, value in reduce.items()},
        "decoder": decoder,
        "mono": mono,
        "teacher": teacher,
        "moving": moving,
        "head": head,
    }


def manydepth(parts: dict, target: Tensor, lookup: Tensor, K: Tensor, target_to_lookup: Tensor, bins: int) -> Tensor:
    """Disparity in (0, 1). K is in pixels of the image with centres at integers, scaled as published: by 1/4."""
    net = parts["matching"]
    first = pyramid(net, target)[:2]
    there = pyramid(net, lookup)[1][0]
    K = K.clone()
    K[:2] /= 4
    cost, confident = volume(first[1][0], there, K, target_to_lookup, torch.linspace(0.7, 9.0, bins))
    joined = torch.cat([first[1], (cost * confident)[None]], dim=1)
    x = F.relu(
        F.conv2d(joined, parts["reduce"]["reduce_conv.0.weight"], parts["reduce"]["reduce_conv.0.bias"], padding=1)
    )
    maps = list(first)
    for level in (net.layer2, net.layer3, net.layer4):
        x = level(x)
        maps.append(x)
    return decode(parts["decoder"], maps)
