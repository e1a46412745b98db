"""Weights to pass on: safetensors with the recipe that made them inside, sealed with a sha256."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from scene3d.engine.checkpoint import newest_valid, what_it_is
from scene3d.engine.files import write_whole
from scene3d.errors import CheckpointError

FORMAT = "scene3d weights 1"
SEAL = re.compile(rb'"sha256":"([0-9a-f]{64})"')
UNSEALED = "0" * 64

LATER = ("calibration",)
"""Last parts of the names of tensors that weights of earlier versions lack; those of the method stay as they are."""


@dataclass(frozen=True)
class Weights:
    """What a weights file holds.

    Attributes:
        tensors: by name, on the CPU.
        recipe: the resolved recipe as a plain tree.
        notes: whatever the maker wrote along: step, seed, figures.
    """

    tensors: dict[str, Tensor]
    recipe: dict[str, Any]
    notes: dict[str, Any]


def save_weights(
    path: Path | str,
    tensors: Mapping[str, Tensor],
    *,
    recipe: Mapping[str, Any],
    notes: Mapping[str, Any] | None = None,
    dtype: torch.dtype | None = None,
) -> None:
    """Write weights with their recipe.

    The sha256 is that of the whole file with 64 zeros in its own place, so a change of any byte is found.

    Args:
        path: ends in ``.safetensors``.
        tensors: such as a `state_dict`.
        recipe: a plain tree, see `scene3d.config.dump`.
        notes: plain values to keep beside it.
        dtype: of floating-point tensors in the file, such as `torch.float16` for half the size, but for those of
            double precision; None keeps theirs.
    """
    metadata = {
        "format": FORMAT,
        "recipe": json.dumps(recipe),
        "notes": json.dumps(dict(notes or {})),
        "sha256": UNSEALED,
    }
    own = {name: _stored(tensor, dtype) for name, tensor in tensors.items()}
    unsealed = safetensors.torch.save(own, metadata)
    place = _seal_place(unsealed)
    if place is None:
        raise AssertionError("safetensors wrote a header without the metadata it was given")
    digest = hashlib.sha256(unsealed).hexdigest().encode()
    write_whole(path, lambda file: file.writelines([unsealed[: place[0]], digest, unsealed[place[1] :]]))


def load_weights(path: Path | str) -> Weights:
    """Read weights and their recipe.

    Raises:
        CheckpointError: the file is absent, cut off, damaged, or not written by `save_weights`.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: expected weights, got {error.strerror}") from None
    place = _seal_place(content)
    if place is None:
        got = what_it_is(content[:8]) or ("an empty file" if not content else "a file without our seal")
        raise CheckpointError(f"{path}: expected a .safetensors file written by scene3d, got {got}")
    unsealed = b"".join([content[: place[0]], UNSEALED.encode(), content[place[1] :]])
    if hashlib.sha256(unsealed).hexdigest().encode() != content[slice(*place)]:
        raise CheckpointError(f"{path}: expected the sha256 in its header, got another: the file is damaged")
    header = json.loads(content[8 : 8 + _header_bytes(content)])["__metadata__"]
    if header.get("format") != FORMAT:
        raise CheckpointError(f"{path}: expected {FORMAT!r}, got {header.get('format')!r}")
    tensors = safetensors.torch.load(content)
    return Weights(tensors, json.loads(header["recipe"]), json.loads(header["notes"]))


def load_run(folder: Path | str) -> Weights:
    """The weights of a run folder: the exported ones, or while it is still training, those of its newest checkpoint.

    Raises:
        CheckpointError: the folder holds neither, or what it holds is damaged.
    """
    folder = Path(folder)
    exported = folder / "weights.safetensors"
    if exported.exists():
        return load_weights(exported)
    found = newest_valid(folder / "checkpoints")
    if found is None:
        raise CheckpointError(f"{folder}: expected a run with weights or checkpoints, got a folder without")
    state = found[1]
    learner = state["learner"]
    average = learner["average"]["mean"] if learner["average"] else {}
    return Weights({**learner["method"], **average}, state["recipe"], {**state["notes"], "step": state["step"]})


def fill(module: nn.Module, weights: Weights, source: Path | str, *, into: str = "") -> None:
    """Copy weights into a module, all of them and nothing left over, but for what is `LATER` than they are.

    Args:
        module: whose parameters and buffers are set.
        weights: what to set them to.
        source: for messages.
        into: prefix in the module, such as ``"completion."``: only what lies under it is set.

    Raises:
        CheckpointError: names or shapes differ; the first few are listed.
    """
    target = {name: value for name, value in module.state_dict().items() if name.startswith(into)}
    given = {into + name: value for name, value in weights.tensors.items()}
    target = {name: value for name, value in target.items() if name in given or name.split(".")[-1] not in LATER}
    wrong = [f"{name} is missing" for name in target if name not in given]
    wrong += [f"{name} is not in the method" for name in given if name not in target]
    wrong += [
        f"{name} is {tuple(given[name].shape)}, expected {tuple(value.shape)}"
        for name, value in target.items()
        if name in given and given[name].shape != value.shape
    ]
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise CheckpointError(f"{source}: does not fit the method: {'; '.join(wrong[:3])}{more}")
    with torch.no_grad():
        for name, value in target.items():
            value.copy_(given[name])


def start_from(module: nn.Module, source: Path | str, *, into: str = "", part: str = "") -> None:
    """Fill a module, or the part of it under the prefix `into`, with exported weights, or a part of them.

    Args:
        module: to fill.
        source: a run folder or a .safetensors file.
        into: such as "completion."; empty is all of the module.
        part: prefix of the weights that are taken, which is cut off; empty is all of them.

    Raises:
        CheckpointError: the file is absent or damaged, or does not fit.
    """
    weights = load_run(source) if Path(source).is_dir() else load_weights(source)
    taken = {name.removeprefix(part): value for name, value in weights.tensors.items() if name.startswith(part)}
    weights = replace(weights, tensors=taken)
    fill(module, weights, source, into=into)


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    # A clone: safetensors refuses tensors that share memory.
    kept = tensor.detach().cpu().clone().contiguous()
    # What is kept in double precision, such as where a scene lies in the world, is meant to be.
    lower = dtype is not None and kept.is_floating_point() and kept.dtype != torch.float64
    return kept.to(dtype) if lower else kept


def _header_bytes(content: bytes) -> int:
    return int.from_bytes(content[:8], "little")


def _seal_place(content: bytes) -> tuple[int, int] | None:
    """Where in a safetensors file the 64 digits of its sha256 stand."""
    if len(content) < 10 or not 2 <= _header_bytes(content) <= len(content) - 8:
        return None
    found = SEAL.search(content, 8, 8 + _header_bytes(content))
    return None if found is None else found.span(1)
