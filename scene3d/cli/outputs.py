"""Where commands write: never over what is there unless asked."""

from __future__ import annotations

from pathlib import Path

from scene3d.errors import UsageError


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise a UsageError if a file, or a folder that is not empty, lies where results are to go."""
    taken = any(path.iterdir()) if path.is_dir() else path.exists()
    if taken and not overwrite:
        raise UsageError(f"{path}: exists already", hint="choose another place or add --overwrite")
