"""Checkpoints of a training: plain values only, sealed with a sha256, whole or absent.

A file is what `torch.save` writes, then one line: ``scene3d checkpoint 1 sha256 <64 digits>``. One file, so
that one rename makes it; the seal at its end, so that it can be streamed. torch alone does not notice a
flipped byte.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from scene3d.engine.files import HashingSink, remove_leftovers, write_whole
from scene3d.errors import CheckpointError, DataError

SEAL = re.compile(rb"\nscene3d checkpoint 1 sha256 ([0-9a-f]{64})\n\Z")
SEAL_BYTES = 1 + len("scene3d checkpoint 1 sha256 ") + 64 + 1

log = logging.getLogger(__name__)


def save_checkpoint(path: Path | str, state: Mapping[str, Any]) -> None:
    """Write a state so that `load_checkpoint` gives it back, bit for bit; tuples come back as lists.

    Args:
        path: the file; its folder exists.
        state: tensors, strings, numbers, booleans, None, and lists, tuples and mappings of these.

    Raises:
        TypeError: the state holds anything else; the message says where.
        CheckpointError: the disk is full; earlier files are untouched.
    """
    plain = _plain(state, "state")

    def write(file: BinaryIO) -> None:
        sink = HashingSink(file)
        torch.save(plain, sink)  # type: ignore[arg-type]
        file.write(f"\nscene3d checkpoint 1 sha256 {sink.digest()}\n".encode())

    write_whole(path, write)


def load_checkpoint(path: Path | str) -> dict[str, Any]:
    """The state in a checkpoint, on the CPU.

    Raises:
        CheckpointError: the file is absent, cut off, changed by as little as a bit, or not a checkpoint.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: expected a checkpoint, got {error.strerror}") from None
    if not content:
        raise CheckpointError(f"{path}: expected a checkpoint, got an empty file")
    seal = SEAL.search(content, max(0, len(content) - SEAL_BYTES))
    if seal is None:
        got = what_it_is(content[:8]) or "a file without the seal at its end (cut off, or something else)"
        raise CheckpointError(f"{path}: expected a checkpoint of scene3d, got {got}")
    payload = memoryview(content)[:-SEAL_BYTES]
    if hashlib.sha256(payload).hexdigest().encode() != seal[1]:
        raise CheckpointError(f"{path}: expected the sha256 at its end, got another: the file is damaged")
    try:
        state = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many kinds; each means that this is not ours
        raise CheckpointError(f"{path}: expected plain values, got {str(error).splitlines()[0]}") from None
    if not isinstance(state, dict):
        raise CheckpointError(f"{path}: expected a mapping, got {type(state).__name__}")
    return state


def what_it_is(head: bytes) -> str | None:
    """A guess at a file from its first bytes, for messages."""
    if head.startswith(b"PK"):
        return "a zip file, such as torch.save writes"
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "a pickle, which may run code and is never read"
    return None


def checkpoint_name(step: int) -> str:
    """The file of a step, so that names sort as steps do."""
    return f"step_{step:08d}.ckpt"


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a folder, oldest first; none of them is opened."""
    return sorted(folder.glob("step_????????.ckpt"))


def newest_valid(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """The newest checkpoint that can be trusted, and its state; a damaged one is passed over with a warning.

    Raises:
        CheckpointError: there are checkpoints, and none of them can be read: starting anew in silence
            would throw away what was learnt.
    """
    found = checkpoints(folder)
    for path in reversed(found):
        try:
            return path, load_checkpoint(path)
        except DataError as error:
            log.warning("%s; trying the one before", error)
    if found:
        hint = "remove them to start anew"
        raise CheckpointError(f"{folder}: all {len(found)} checkpoints are damaged", hint=hint)
    return None


def keep_newest(folder: Path, count: int) -> None:
    """Delete all but the newest `count` checkpoints, and what a killed process left half written."""
    remove_leftovers(folder)
    for path in checkpoints(folder)[: -max(count, 1)]:
        path.unlink(missing_ok=True)


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    # Exactly these types: a numpy scalar is a float too, and cannot be read back without pickle.
    if value is None or type(value) in (str, int, float, bool):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping) and all(type(key) in (str, int) for key in value):
        return {key: _plain(item, f"{where}[{key!r}]") for key, item in value.items()}
    raise TypeError(f"{where}: expected tensors, strings, numbers, lists, mappings, got {type(value).__name__}")
