"""What pydantic says of a wrong configuration, said in one line: the key, what was expected, what came."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from scene3d.config import Config

WHOLE = 60  # characters of a wrong value that are shown


def describe(config_class: type[Config], tree: Mapping[str, Any], error: ValidationError) -> list[str]:
    """One line for each mistake, without the file's name.

    Args:
        config_class: what the tree should have been.
        tree: what came.
        error: pydantic's list of what does not fit.
    """
    expected: dict[str, list[str]] = {}
    got: dict[str, str] = {}
    lines = []
    for detail in error.errors():
        place = _walk(config_class, tree, detail["loc"])
        line = _special(place, detail)
        if line is None:
            # Each member of a union complains for itself; the user wrote one value.
            expected.setdefault(place.key, []).append(_expectation(detail))
            got[place.key] = _shown(place.value)
        else:
            lines.append(line)
    lines += [f"{key}: expected {' or '.join(dict.fromkeys(what))}, got {got[key]}" for key, what in expected.items()]
    return list(dict.fromkeys(lines))


def nearest(name: str, known: list[str]) -> str:
    """``; did you mean 'steps'?``, or all known names where none is near."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; known: {', '.join(sorted(known))}" if known else ""


@dataclass(frozen=True)
class _Place:
    """Where in the file something is wrong.

    Attributes:
        key: dotted, with the numbers of list items.
        value: what stands there.
        holders: what the mapping around it may be.
        members: what the value itself may be.
    """

    key: str
    value: Any
    holders: list[type[Config]]
    members: list[type[Config]]


def _special(place: _Place, detail: ErrorDetails) -> str | None:
    """The line for mistakes that are more than a wrong value."""
    key, kind, context = place.key, detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        known = [name for holder in place.holders for name in holder.model_fields]
        return f"{key}: unknown key{nearest(key.rpartition('.')[2], known)}"
    if kind == "missing":
        return f"{key}: expected a value, got none"
    if kind == "union_tag_invalid":
        known = [name.strip(" '") for name in str(context["expected_tags"]).split(",")]
        tag = str(context["tag"])
        return f"{key}.kind: expected one of {', '.join(known)}, got {tag!r}{nearest(tag, known)}"
    if kind == "union_tag_not_found":
        return f"{key}.kind: expected one of {', '.join(_kinds(place.members))}, got none"
    if kind == "literal_error":
        known = [name.strip(" '") for name in str(context["expected"]).replace(" or ", ", ").split(",")]
        near = nearest(str(place.value), known)
        return f"{key}: expected {context['expected']}, got {_shown(place.value)}{near}"
    if kind == "value_error":
        prefix = f"{key}." if place.members else f"{key}: "
        return f"{prefix if key else ''}{context['error']}"
    return None


def _expectation(detail: ErrorDetails) -> str:
    wordings = {
        "int_type": "an integer",
        "int_parsing": "an integer",
        "int_from_float": "an integer",
        "float_type": "a number",
        "float_parsing": "a number",
        "bool_type": "true or false",
        "bool_parsing": "true or false",
        "string_type": "a string (put quotes round a number)",
        "tuple_type": "a list",
        "list_type": "a list",
        "dict_type": "a mapping",
        "model_type": "a mapping",
        "model_attributes_type": "a mapping",
        "path_type": "a path",
    }
    return wordings.get(detail["type"], detail["msg"].removeprefix("Input should be "))


def _walk(config_class: type[Config], tree: Any, location: tuple[int | str, ...]) -> _Place:
    """The place in the file of an error in pydantic's tree of types.

    pydantic's location also names the members of unions that it tried; the file knows nothing of those.
    """
    path: list[str] = []
    node: Any = tree
    holders: list[type[Config]] = []
    members = [config_class]
    for position, item in enumerate(location):
        last = position == len(location) - 1
        if isinstance(node, Mapping) and (item in node or (last and node.get("kind") != item)):
            holders, members = members, _children(members, str(item))
            node = node.get(str(item))
        elif isinstance(node, (list, tuple)) and isinstance(item, int) and item < len(node):
            node = node[item]
        else:
            continue
        path.append(str(item))
        if isinstance(node, Mapping) and "kind" in node:
            members = [member for member in members if node["kind"] in _kinds([member])] or members
    return _Place(".".join(path), node, holders, members)


def _children(classes: list[type[Config]], name: str) -> list[type[Config]]:
    fields = [known.model_fields[name] for known in classes if name in known.model_fields]
    return [found for field in fields for found in _configs(field.annotation)]


def _configs(annotation: Any) -> Iterator[type[Config]]:
    if isinstance(annotation, type) and issubclass(annotation, Config):
        yield annotation
    for argument in get_args(annotation):
        yield from _configs(argument)


def _kinds(classes: list[type[Config]]) -> list[str]:
    tagged = [known for known in classes if "kind" in known.model_fields]
    return [kind for known in tagged for kind in get_args(known.model_fields["kind"].annotation)]


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "a mapping"
    if value is None:
        return "nothing"
    if isinstance(value, (list, tuple)):
        value = list(value)
    text = repr(str(value) if isinstance(value, str) else value)
    return text if len(text) <= WHOLE else text[:WHOLE] + "..."
