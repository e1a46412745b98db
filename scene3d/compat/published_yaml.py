"""Settings of published trainings: plain YAML, of which each key that counts is checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from scene3d.errors import CheckpointError

Tree = Mapping[str, Any]


def read_tree(path: Path, section: str) -> Tree:
    """A YAML file that holds a mapping called `section`.

    Raises:
        CheckpointError: it is damaged, no plain YAML, or lacks the section.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path}: expected plain YAML, got {str(error).splitlines()[0]}") from None
    if not isinstance(tree, Mapping) or not isinstance(tree.get(section), Mapping):
        raise CheckpointError(f"{path}: expected a mapping called {section}, got none")
    return tree


def at(tree: Tree, key: str, otherwise: Any) -> Any:
    """What stands at a dotted key; `otherwise` where it is absent."""
    found: Any = tree
    for name in key.split("."):
        if not isinstance(found, Mapping) or name not in found:
            return otherwise
        found = found[name]
    return found


def expect(tree: Tree, wanted: Mapping[str, object], path: Path) -> None:
    """Refuse settings of which another value than the one known here was set; a key that is absent has it."""
    for key, value in wanted.items():
        found = at(tree, key, value)
        if found != value:
            raise CheckpointError(f"{path}: {key}: expected {value!r}, got {found!r}")


def whole_numbers(tree: Tree, key: str, count: int, otherwise: tuple[int, ...], path: Path) -> tuple[int, ...]:
    """Whole numbers from 0; where one is wanted, it stands alone."""
    found = at(tree, key, otherwise)
    listed = tuple(found) if isinstance(found, (list, tuple)) else (found,)
    if len(listed) != count or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in listed):
        raise CheckpointError(f"{path}: {key}: expected {count} whole numbers, got {found!r}")
    return listed


def depth_range(tree: Tree, section: str, otherwise: tuple[float, float], path: Path) -> tuple[float, float]:
    """Nearest and farthest depth, metres: `z_near` and `z_far` of a section."""
    near, far = (at(tree, f"{section}.{key}", v) for key, v in zip(("z_near", "z_far"), otherwise, strict=True))
    if not (_is_number(near) and _is_number(far) and 0 < near < far):
        raise CheckpointError(f"{path}: {section}.z_near and z_far: expected 0 < near < far, got {near!r} and {far!r}")
    return float(near), float(far)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
