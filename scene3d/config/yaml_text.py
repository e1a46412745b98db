"""YAML as plain values only: no tags, no aliases, no key twice, no surprises of YAML 1.1."""

from __future__ import annotations

import re
from typing import Any

import yaml
from yaml import MarkedYAMLError

from scene3d.errors import ConfigError

DEEPEST = 32  # levels of nesting


def read_text(text: str, *, source: str) -> Any:
    """The plain values in a YAML text.

    Numbers, booleans and null follow YAML 1.2's core schema, so ``1e-4`` is a number and ``on`` a string;
    a number that starts with 0, such as the drive ``07``, is a name.

    Raises:
        ConfigError: it is not YAML, or holds a tag, an alias or a key twice, or nests too deeply.
    """
    try:
        _refuse(text, source)
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{source}{where}: expected YAML, got {error.problem}") from None
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"{source}: expected YAML, got {error}") from None


def write_text(tree: Any) -> str:
    """The YAML text from which `read_text` makes the same plain values, keys in their own order."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None)


def _refuse(text: str, source: str) -> None:
    """Nothing in a recipe needs a tag, which names code, or an alias, by which 271 bytes become gigabytes."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        where = f"{source}:{event.start_mark.line + 1}" if event.start_mark else source
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            raise ConfigError(f"{where}: expected at most {DEEPEST} levels, got more")
        if isinstance(event, yaml.AliasEvent):
            got = f"got the alias *{event.anchor}"
            raise ConfigError(f"{where}: expected plain values, {got}", hint="write the value out")
        tag = getattr(event, "tag", None)
        if tag is not None:
            raise ConfigError(f"{where}: expected plain values, got the tag {tag}", hint="leave it out")


class _Loader(yaml.SafeLoader):
    """Safe, and a key that comes twice is an error rather than the last one's win."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                raise MarkedYAMLError(problem="a key that is not a string", problem_mark=key.start_mark)
            if key.value in seen:
                raise MarkedYAMLError(problem=f"the key {key.value!r} twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Dumper(yaml.SafeDumper):
    """Quotes what the loader would not read as a string, and never writes an alias."""

    yaml_implicit_resolvers: dict[str, Any] = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True


# YAML 1.2's core schema: https://yaml.org/spec/1.2.2/#103-core-schema; a number with a leading 0 is a name.
_CORE = (
    ("null", r"~|null|Null|NULL|", [*"~nN", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", [*"-+0123456789"]),
    (
        "float",
        r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        [*"-+.0123456789"],
    ),
)
for _name, _pattern, _first in _CORE:
    for _class in (_Loader, _Dumper):
        _class.add_implicit_resolver(f"tag:yaml.org,2002:{_name}", re.compile(rf"^(?:{_pattern})$"), _first)
