"""Files that are whole or not there: written beside their name, synced, renamed."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from scene3d.errors import CheckpointError


class HashingSink:
    """Passes bytes on to a file and keeps their sha256."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        """Write and hash; the number of bytes written."""
        self._hash.update(data)
        return self._file.write(data)

    def flush(self) -> None:
        """Hand what was written to the system."""
        self._file.flush()

    def digest(self) -> str:
        """sha256 of everything so far, 64 hexadecimal digits."""
        return self._hash.hexdigest()


def write_whole(path: Path | str, write: Callable[[BinaryIO], None]) -> None:
    """Make a file by `write`; whoever looks, even after a crash, sees all of it or what was there before.

    Args:
        path: what to write; its folder exists.
        write: is given an open binary file.

    Raises:
        CheckpointError: the disk is full or cannot be written; what was there before is untouched.
    """
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with open(beside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        # torch's own writer turns an OSError into a RuntimeError that has it as its context.
        cause = _os_error(error)
        if cause is None:
            raise
        full = cause.errno in (errno.ENOSPC, errno.EDQUOT)
        what = "the disk is full" if full else f"cannot write ({cause.strerror})"
        hint = "free some space, then run the same command again: it goes on from there" if full else None
        raise CheckpointError(f"{path}: {what}; what was saved before is whole", hint=hint) from None
    finally:
        beside.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> None:
    """`write_whole` for text in UTF-8."""
    write_whole(path, lambda file: _write_all(file, text.encode()))


def remove_leftovers(folder: Path) -> None:
    """Delete what a killed process had half written in a folder."""
    for leftover in folder.glob(".*.part"):
        leftover.unlink(missing_ok=True)


def _write_all(file: BinaryIO, data: bytes) -> None:
    file.write(data)


def _os_error(error: BaseException | None) -> OSError | None:
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last; a system that cannot sync a folder (Windows) is let off."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
