"""Folders that hold one scene each, told by a file that lies in them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scene3d.errors import wrong_file

SENSOR = "left"
"""What a camera without a rig is called, so that a recipe that names no views reads it."""


@dataclass(frozen=True)
class Layout:
    """How a folder of one scene is known.

    Attributes:
        what: it must hold, for messages.
        marks: patterns, one of which must match in it.
    """

    what: str
    marks: tuple[str, ...]

    def mark(self, folder: Path) -> Path | None:
        """The file that says so, of the first pattern that matches; None where there is none."""
        return next((path for mark in self.marks for path in sorted(folder.glob(mark))), None)

    def found(self, root: Path) -> list[Path]:
        """The folder itself, or those of its sub-folders that hold a scene."""
        if self.mark(root) is not None:
            return [root]
        return [path for path in sorted(root.glob("*")) if path.is_dir() and self.mark(path) is not None]

    def folders(self, root: Path | str, names: Sequence[str] | None) -> list[Path]:
        """The scenes of these names, or all.

        Raises:
            DataError: there is no scene, or none of a name.
        """
        root = Path(root)
        known = {scene_name(folder): folder for folder in self.found(root)}
        if not known:
            got = "none" if root.is_dir() else "no such folder"
            raise wrong_file(root, expected=f"a folder with {self.what}", got=got)
        for name in names or ():
            if name not in known:
                got = ", ".join(list(known)[:5])
                raise wrong_file(root, expected=f"a folder {name} with {self.what}", got=got)
        return [known[name] for name in (known if names is None else names)]


def scene_name(folder: Path) -> str:
    """What to call the scene of a folder."""
    return folder.resolve().name
