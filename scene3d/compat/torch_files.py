"""Tensors of published `.pth` files, renamed; nothing in such a file is executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from scene3d.errors import CheckpointError
from scene3d.geometry.camera import Camera
from scene3d.methods import Method

SHOWN = 6
"""Keys that an error names at most."""


class Released(NamedTuple):
    """A method with published weights.

    Attributes:
        method: ready to predict.
        camera: that it was trained with, at the size that it takes.
        earlier: offsets of the frames before the reference that it looks at.
    """

    method: Method
    camera: Camera
    earlier: tuple[int, ...] = ()


def read_torch_file(path: Path) -> dict[str, Any]:
    """What a file holds under its names: tensors and plain values.

    Raises:
        CheckpointError: it is missing, damaged, holds more than tensors and plain values, or is no mapping.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; each means that it is not to be trusted
        reason = str(error).splitlines()[0]
        raise CheckpointError(f"{path}: expected tensors and plain values, got something else: {reason}") from None
    if not isinstance(found, Mapping):
        raise CheckpointError(f"{path}: expected a mapping of names to tensors, got {type(found).__name__}")
    return dict(found)


def checkpoint_file(folder: Path, name: str) -> Path:
    """The file of this name without suffix in a folder, or its only .pt or .pth file.

    Raises:
        CheckpointError: there is none, or there are several.
    """
    found = sorted(file for file in folder.glob("*") if file.suffix in (".pt", ".pth"))
    named = [file for file in found if file.stem == name]
    if len(named or found) != 1:
        got = ", ".join(file.name for file in found) or "none"
        raise CheckpointError(f"{folder}: expected {name}.pt, or one other .pt or .pth file, got {got}")
    return (named or found)[0]


def unwrapped(found: Mapping[str, Any], wrapper: str, besides: tuple[str, ...]) -> dict[str, Tensor]:
    """A network's tensors by their names within it, of a file of the network, of a model, or of a whole training.

    Args:
        found: what the file holds, whose tensors may lie under "model".
        wrapper: what then stands before the names.
        besides: beginnings of the names of what is left out.
    """
    inner = found.get("model")
    tensors = dict(inner if isinstance(inner, Mapping) else found)
    if any(name.startswith(wrapper) for name in tensors):
        outside = {name: tensors[name] for name in tensors if "." not in name}
        tensors = {name.removeprefix(wrapper): tensors[name] for name in tensors if name.startswith(wrapper)} | outside
    return {
        name: value for name, value in tensors.items() if isinstance(value, Tensor) and not name.startswith(besides)
    }


def shape_of(source: Mapping[str, Tensor], name: str, dimensions: int, path: Path) -> tuple[int, ...]:
    """Sides of a tensor.

    Raises:
        CheckpointError: it is not there, or has not so many dimensions.
    """
    value = source.get(name)
    if value is None:
        raise CheckpointError(f"{path}: is of another network: lacks {name}")
    if value.ndim != dimensions:
        raise CheckpointError(f"{path}: {name}: expected {dimensions} dimensions, got shape {tuple(value.shape)}")
    return tuple(int(side) for side in value.shape)


def fill_from(module: nn.Module, source: Mapping[str, Any], rename: Callable[[str], str | None], path: Path) -> None:
    """Copy tensors into a module.

    Args:
        module: all of whose parameters and buffers are to be found.
        source: tensors by their published names.
        rename: the module's name of a published one; None leaves it out.
        path: of the file, for messages.

    Raises:
        CheckpointError: a tensor is missing, is of another shape, or belongs nowhere; the differing names are listed.
    """
    found = {name: rename(name) for name, value in source.items() if isinstance(value, Tensor)}
    named = {ours: source[name] for name, ours in found.items() if ours is not None}
    wanted = module.state_dict()
    missing = [name for name in wanted if name not in named and not name.endswith("num_batches_tracked")]
    strange = [name for name in named if name not in wanted]
    apart = [name for name in wanted if name in named and named[name].shape != wanted[name].shape]
    if missing or strange or apart:
        parts = [
            f"{what} {some(names)}"
            for what, names in (("lacks", missing), ("has besides", strange), ("has in another shape", apart))
            if names
        ]
        raise CheckpointError(f"{path}: is of another network: {'; '.join(parts)}")
    module.load_state_dict(named, strict=False)


def some(names: Sequence[object]) -> str:
    """The first few names, for a message of one line."""
    return ", ".join(map(str, names[:SHOWN])) + (", ..." if len(names) > SHOWN else "")


def resnet_name(levels: Sequence[str], stem: tuple[str, str]) -> Callable[[str], str | None]:
    """Renames tensors of a torchvision ResNet into those of `ResNetPyramid`; its classifier is left out.

    Args:
        levels: prefix of each level as published, fine to coarse.
        stem: prefix of the first convolution and of its normalisation.
    """
    prefixes = {stem[0]: "stem.0", stem[1]: "stem.1", levels[0]: "levels.0.1"}
    prefixes |= {prefix: f"levels.{i}" for i, prefix in enumerate(levels) if i}

    def rename(name: str) -> str | None:
        if re.search(r"(^|\.)fc\.", name):
            return None
        for prefix, ours in prefixes.items():
            if name.startswith(prefix + "."):
                return ours + name[len(prefix) :]
        return name

    return rename


def resnet_depth(source: Mapping[str, Any], first_level: str, third_level: str) -> int:
    """18, 34 or 50, by which tensors there are."""
    if f"{first_level}.0.conv3.weight" in source:
        return 50
    return 34 if f"{third_level}.5.conv1.weight" in source else 18
