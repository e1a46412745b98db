"""A verb is a function: its signature becomes flags, its docstring help, its mistakes one-line errors."""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from typing import Any, get_type_hints

import tyro

from scene3d.errors import UsageError

_STYLE = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone)


def parse(verb: Callable[..., int], name: str, words: Sequence[str]) -> Callable[[], int]:
    """The verb with its arguments filled in, not yet run.

    Args:
        verb: a function whose docstring has a summary, an "Examples:" block and "Args:".
        name: how it is called, as in "scene3d data check".
        words: what follows the name on the command line.

    Raises:
        UsageError: an unknown flag, a missing or a wrong value.
    """
    _check_flags(verb, name, words)
    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed):
            return tyro.cli(_deferred(verb), prog=name, description=_about(verb), args=list(words), config=_STYLE)
    except SystemExit as stop:
        if stop.code == 0:
            raise
        raise UsageError(_first_complaint(printed.getvalue()), hint=f"{name} --help") from None


def overview(name: str, about: str, verbs: Mapping[str, Callable[..., int]]) -> int:
    """Print what the verbs do, a line each."""
    summaries = {verb: _summarised(function) for verb, function in verbs.items()}
    with contextlib.suppress(SystemExit):
        tyro.extras.subcommand_cli_from_dict(summaries, prog=name, description=about, args=["--help"])
    return 0


def suggest(word: str, known: Sequence[str]) -> str:
    """The nearest known word, or all of them."""
    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"


def _check_flags(verb: Callable[..., int], name: str, words: Sequence[str]) -> None:
    flags = _flags(verb)
    for word in words:
        flag = word.split("=", 1)[0].replace("_", "-")
        if word.startswith("--") and flag not in flags:
            raise UsageError(f"{flag}: {name} has no such flag", hint=suggest(flag, sorted(flags)))


def _flags(verb: Callable[..., int]) -> set[str]:
    hints = get_type_hints(verb, include_extras=True)
    flags = {"--help"}
    for parameter in inspect.signature(verb).parameters.values():
        renamed = [mark.name for mark in getattr(hints[parameter.name], "__metadata__", ()) if hasattr(mark, "name")]
        name = (renamed[0] if renamed and renamed[0] else parameter.name).replace("_", "-")
        flags.add(f"--{name}")
    return flags


def _deferred(verb: Callable[..., int]) -> Callable[..., Any]:
    """Parsing must not run the verb: what tyro calls with the arguments only keeps them."""

    @wraps(verb)
    def keep(*args: Any, **kwargs: Any) -> Callable[[], int]:
        return partial(verb, *args, **kwargs)

    return keep


def _about(verb: Callable[..., int]) -> str:
    return inspect.getdoc(verb).split("\nArgs:")[0].strip() + "\n"  # type: ignore[union-attr]


def _summarised(verb: Callable[..., int]) -> Callable[[], None]:
    def summary() -> None:
        pass

    summary.__doc__ = _about(verb).split("\n")[0]
    return summary


def _first_complaint(printed: str) -> str:
    """The first sentence in tyro's box, without the frame."""
    lines = [re.sub(r"[│╭╮╰╯]", "", line).strip() for line in printed.splitlines()]
    title = lines[0].strip("─ ") if lines else "wrong usage"
    body = []
    for line in lines[1:]:
        if not line or line.startswith("─"):
            break
        body.append(line)
    return f"{title[:1].lower()}{title[1:]}: {' '.join(' '.join(body).split())}"
