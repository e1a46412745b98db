"""The command `scene3d`: finds the verb, parses its flags, runs it, turns errors into one line and a code.

Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 wrong data, 130 stopped by Ctrl-C.
Nothing here or in the verbs' modules imports torch before a verb runs, so that help is quick.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence

from scene3d import __version__
from scene3d.cli.allocator import keep_freed_memory
from scene3d.cli.failures import exit_code, report
from scene3d.cli.parsing import overview, parse, suggest
from scene3d.errors import UsageError

VERBS = {
    "demo": "scene3d.cli.demo:demo",
    "train": "scene3d.cli.train:train",
    "predict": "scene3d.cli.predict:predict",
    "reconstruct": "scene3d.cli.reconstruct:reconstruct",
    "drive": "scene3d.cli.drive:drive",
    "evaluate": "scene3d.cli.evaluate:evaluate",
    "results": "scene3d.cli.results:results",
    "surface": "scene3d.cli.surface:surface",
    "trajectory": "scene3d.cli.trajectory:trajectory",
    "show": "scene3d.cli.show:show",
    "data make-street": "scene3d.cli.data:make_street",
    "data from-images": "scene3d.cli.from_images:from_images",
    "data match": "scene3d.cli.data:match",
    "data depth-truth": "scene3d.cli.data:depth_truth",
    "data split": "scene3d.cli.split:split",
    "data check": "scene3d.cli.data:check",
    "doctor": "scene3d.cli.doctor:doctor",
}
_ABOUT = """Complete a street from one image: depth, occupancy and classes, learned from video without labels.

Examples:
  scene3d demo --out out/demo
  scene3d VERB --help
  scene3d doctor

`--traceback`, after any verb, shows where an error came from. `--version` prints the version."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        argv: the words after `scene3d`; None takes them from the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    traceback = "--traceback" in words
    words = [word for word in words if word != "--traceback"]
    logging.basicConfig(format="scene3d: %(message)s")
    logging.getLogger("scene3d").setLevel(logging.INFO)
    try:
        status = _run(words)
        sys.stdout.flush()
    except SystemExit as stop:  # tyro leaves this way after printing help
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:
        if traceback:
            raise
        report(error)
        return exit_code(error)
    return status


def _run(words: list[str]) -> int:
    if words[:1] == ["--version"]:
        print(__version__)
        return 0
    if words[:1] in (["--help"], ["-h"]):
        return overview("scene3d", _ABOUT, {name: _load(name) for name in VERBS})
    name, rest = _verb(words)
    if name == "data":
        verbs = {verb: _load(verb) for verb in VERBS if verb.startswith("data ")}
        return overview("scene3d", "Make a data set, or check one before training on it.", verbs)
    command = parse(_load(name), f"scene3d {name}", rest)
    keep_freed_memory()
    return command()


def _verb(words: list[str]) -> tuple[str, list[str]]:
    if not words:
        raise UsageError("expected a verb", hint="scene3d --help lists them")
    if " ".join(words[:2]) in VERBS:
        return " ".join(words[:2]), words[2:]
    if words[0] in VERBS:
        return words[0], words[1:]
    if words[0] != "data":
        known = sorted({verb.split()[0] for verb in VERBS})
        raise UsageError(f"{words[0]}: no such verb", hint=suggest(words[0], known))
    if len(words) == 1 or words[1] in ("--help", "-h"):
        return "data", words[1:]
    known = [verb.split()[1] for verb in VERBS if verb.startswith("data ")]
    raise UsageError(f"data {words[1]}: no such verb", hint=suggest(words[1], known))


def _load(name: str) -> Callable[..., int]:
    module, function = VERBS[name].split(":")
    return getattr(importlib.import_module(module), function)
