"""Configuration: frozen, checked values, and the one way to read them from YAML.

A file says what differs from its parent (``extends:``); a command says what differs from the file
(``train.steps=100``). What is unknown or of the wrong type is an error that names the key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from scene3d.config.yaml_text import read_text, write_text
from scene3d.errors import ConfigError

LARGEST_FILE = 1_000_000  # bytes; a recipe is a few kilobytes

C = TypeVar("C", bound="Config")


class Config(BaseModel):
    """Base of everything that a recipe may set: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, values: Any) -> Any:
        """Relative paths of a file start where the file lies; True is not the number 1."""
        if not isinstance(values, Mapping):
            return values
        read = {}
        for name, value in values.items():
            field = cls.model_fields.get(name)
            kinds = _leaves(field.annotation) if field else set()
            if isinstance(value, bool) and kinds and kinds <= {int, float}:
                raise ValueError(f"{name}: expected a number, got {str(value).lower()}")
            read[str(name)] = _placed(value, as_path=Path in kinds)
        return read


class Text(str):
    """A string that remembers its folder, in case it turns out to be a relative path."""

    folder: Path

    def __new__(cls, value: str, folder: Path) -> Text:  # noqa: D102
        text = super().__new__(cls, value)
        text.folder = folder
        return text


def load_yaml(path: Path | str) -> dict[str, Any]:
    """The mapping in a YAML file, laid over that of the file it ``extends``.

    Mappings merge; everything else, lists too, replaces what the parent says, and so does a mapping of
    another ``kind``. Numbers, booleans and null follow YAML 1.2: ``1e-4`` is a number, ``07`` and ``on``
    are strings. Strings remember the folder of their file, for `parse`.

    Raises:
        ConfigError: the file is absent, over 1 MB, not YAML, holds a tag, an alias or a key twice,
            or extends itself.
    """
    return _load(Path(path), ())


def apply_overrides(tree: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """A copy of the tree with each ``a.b.c=value`` set; values are YAML, paths start in the current folder.

    A number addresses an item of a list, as in ``views.0.sensor=left``.
    """
    result = _copy(tree)
    for override in overrides:
        key, equals, value = override.partition("=")
        names = key.strip().split(".")
        if not equals or not all(names):
            raise ConfigError(f"{override}: expected KEY=VALUE, as in train.steps=100")
        _set(result, names, _remember(read_text(value, source=override), Path.cwd()), source=override)
    return result


def parse(config_class: type[C], tree: Mapping[str, Any], source: Path | str) -> C:
    """The checked configuration in a tree.

    Args:
        config_class: what to make of it.
        tree: from `load_yaml`, `apply_overrides` or `dump`.
        source: the file, for messages.

    Raises:
        ConfigError: one line a mistake: file, key, what was expected, what came, the nearest known name.
    """
    try:
        return config_class.model_validate(tree)
    except ValidationError as error:
        from scene3d.config.mistakes import describe

        raise ConfigError("\n".join(f"{source}: {line}" for line in describe(config_class, tree, error))) from None


def dump(config: Config, *, places: bool = True) -> dict[str, Any]:
    """The configuration as plain mappings, lists, strings and numbers, from which `parse` makes an equal one.

    Args:
        config: what to dump.
        places: whether paths are written in full. Without, only the last part of each is kept, so that a
            file that is passed on does not tell where its maker keeps data.
    """
    return {name: _plain(value, places) for name, value in config}


def to_yaml(tree: Mapping[str, Any]) -> str:
    """A tree as the text of a YAML file, in its own order."""
    return write_text(_copy(tree))


def differing_keys(left: Mapping[str, Any], right: Mapping[str, Any], prefix: str = "") -> list[str]:
    """``key: left != right`` for every key whose values differ."""
    lines = []
    for name in dict.fromkeys([*left, *right]):
        a, b = left.get(name), right.get(name)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            lines += differing_keys(a, b, f"{prefix}{name}.")
        elif a != b:
            lines.append(f"{prefix}{name}: {a!r} != {b!r}")
    return lines


def _load(path: Path, children: tuple[Path, ...]) -> dict[str, Any]:
    path = Path(os.path.abspath(path))
    if path in children:
        raise ConfigError(f"{path}: extends itself by way of {' -> '.join(child.name for child in children)}")
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise ConfigError(f"{path}: expected at most {LARGEST_FILE} bytes of YAML, got {size}")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: expected a file of UTF-8 text, got {error}") from None
    tree = _remember(read_text(text, source=str(path)), path.parent)
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, got {_kind(tree)}")
    if "extends" not in tree:
        return tree
    parent = tree.pop("extends")
    if not isinstance(parent, str):
        raise ConfigError(f"{path}: extends: expected the path of one parent, got {_kind(parent)}")
    return _merge(_load(path.parent / parent, (*children, path)), tree)


def _merge(parent: dict[str, Any], child: dict[str, Any]) -> dict[str, Any]:
    if "kind" in child and child["kind"] != parent.get("kind", child["kind"]):
        return child
    merged = dict(parent)
    for name, value in child.items():
        both = isinstance(value, dict) and isinstance(merged.get(name), dict)
        merged[name] = _merge(merged[name], value) if both else value
    return merged


def _set(tree: Any, names: Sequence[str], value: Any, source: str) -> None:
    *parents, last = names
    for depth, name in enumerate(parents):
        if isinstance(tree, dict):
            tree = tree.setdefault(name, {})
        elif isinstance(tree, list) and name.isdecimal() and int(name) < len(tree):
            tree = tree[int(name)]
        else:
            key = ".".join(names[:depth])
            raise ConfigError(f"{source}: {key}: expected a mapping, got {_kind(tree)}")
    if isinstance(tree, dict):
        tree[last] = value
    elif isinstance(tree, list) and last.isdecimal() and int(last) < len(tree):
        tree[int(last)] = value
    else:
        raise ConfigError(f"{source}: {'.'.join(parents)}: expected a mapping, got {_kind(tree)}")


def _remember(value: Any, folder: Path) -> Any:
    if isinstance(value, dict):
        return {str(name): _remember(item, folder) for name, item in value.items()}
    if isinstance(value, list):
        return [_remember(item, folder) for item in value]
    return Text(value, folder) if isinstance(value, str) else value


def _placed(value: Any, *, as_path: bool) -> Any:
    if isinstance(value, Text):
        return Path(os.path.normpath(value.folder / Path(value).expanduser())) if as_path and value else str(value)
    if isinstance(value, (list, tuple)):
        return type(value)([_placed(item, as_path=as_path) for item in value])
    return value


def _leaves(annotation: Any) -> set[Any]:
    """The types at the ends of an annotation: ``tuple[Path, ...] | None`` gives Path and NoneType."""
    if get_origin(annotation) is Literal:
        return {type(value) for value in get_args(annotation)}
    if get_origin(annotation) is Annotated:
        return _leaves(get_args(annotation)[0])
    inner = [argument for argument in get_args(annotation) if argument is not Ellipsis]
    return set().union(*(_leaves(argument) for argument in inner)) if inner else {annotation}


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _copy(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in value]
    return value


def _plain(value: Any, places: bool) -> Any:
    if isinstance(value, Config):
        return dump(value, places=places)
    if isinstance(value, Mapping):
        return {str(name): _plain(item, places) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, places) for item in value]
    if isinstance(value, Path):
        return str(value.absolute()) if places else value.name
    return value


def _kind(value: Any) -> str:
    names = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return names.get(type(value), repr(value))
