"""Reads the package by `ast` and says where it breaks the house rules. Used by test_architecture.py."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FLOORS = {
    "ops": 0,
    "config": 0,
    "errors": 0,
    "geometry": 1,
    "structures": 2,
    "data": 3,
    "nn": 3,
    "volume": 4,
    "losses": 4,
    "evaluation": 4,
    "visualise": 4,
    "interop": 4,
    "stereo": 4,
    "objects": 4,
    "fusion": 5,
    "methods": 6,
    "engine": 7,
    "compat": 7,
    "recipe": 8,
    "cli": 9,
    "__init__": 10,
    "__main__": 10,
}
"""Package or module of scene3d -> its floor. It may import from lower floors, and from within itself."""

FOUNDATION = frozenset({"config", "errors"})
"""Modules without torch that even `ops`, on their own floor, may use."""

LONGEST_FILE, LONGEST_FUNCTION = 350, 65
LONG_FILE, LONG_FUNCTION = 300, 60


@dataclass(frozen=True)
class Finding:
    """One broken rule: where, and which."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def findings(source: str, module: str) -> list[Finding]:
    """Every broken rule in one module.

    Args:
        source: its text.
        module: its dotted name, as in "scene3d.data.kitti"; a package ends in "__init__".
    """
    tree = ast.parse(source)
    rules = (_floors, _names, _calls, _module_level_tensors, _lengths)
    found = [finding for rule in rules for finding in rule(tree, module)]
    if source.count("\n") > LONGEST_FILE:
        found.append(Finding(module, f"{source.count(chr(10))} lines, at most {LONGEST_FILE}"))
    return found


def long_parts(source: str, module: str) -> list[str]:
    """What is longer than the house likes, though not yet forbidden."""
    lines = source.count("\n")
    parts = [f"{module}: {lines} lines"] if lines > LONG_FILE else []
    functions = (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef))
    return parts + [f"{module}.{f.name}: {_length(f)} lines" for f in functions if _length(f) > LONG_FUNCTION]


def module_name(path: Path, root: Path) -> str:
    """Dotted name of a file of the package; `root` is the folder that holds the package."""
    return ".".join(path.relative_to(root).with_suffix("").parts)


def imported(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """Line and dotted name of every import, wherever it stands; relative ones are made absolute."""
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            start = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*start, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)


def _floors(tree: ast.AST, module: str) -> Iterator[Finding]:
    here = _part(module)
    if here not in FLOORS:
        yield Finding(module, f"stands on no floor: add {here!r} to FLOORS")
        return
    for line, name in imported(tree, module):
        there = _part(name) if _part(name) in FLOORS else "__init__"
        if name.split(".")[0] != "scene3d" or there == here or name == "scene3d.__version__":
            continue
        if FLOORS[there] >= FLOORS[here] and not (there in FOUNDATION and FLOORS[there] == FLOORS[here]):
            yield Finding(f"{module}:{line}", f"floor {FLOORS[here]} imports {name} of floor {FLOORS[there]}")


def _part(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def _names(tree: ast.AST, module: str) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            yield Finding(f"{module}:{node.lineno}", "import *")
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            for name in {"pickle", "dill", "joblib", "torch.hub"}.intersection(names):
                yield Finding(f"{module}:{node.lineno}", f"imports {name}: files of users must not run code")


def _calls(tree: ast.AST, module: str) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        where, name = f"{module}:{node.lineno}", ast.unparse(node.func)
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}
        if name == "print" and _part(module) != "cli":
            yield Finding(where, "print outside cli")
        if name.endswith(".cuda"):
            yield Finding(where, ".cuda(): the device is passed in")
        if name == "torch.load" and given.get("weights_only") != "True":
            yield Finding(where, "torch.load without weights_only=True")
        if name == "np.load" and given.get("allow_pickle", "False") != "False":
            yield Finding(where, "np.load that allows pickles")
        if name in ("yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load") and not _safe(given):
            yield Finding(where, f"{name} without a loader of ours that extends SafeLoader")
        if name in ("eval", "exec") or name.startswith("torch.hub."):
            yield Finding(where, f"{name}: files of users must not run code")


def _safe(given: dict[str | None, str]) -> bool:
    return given.get("Loader") in ("yaml.SafeLoader", "_Loader")


_MAKES_NO_TENSOR = (
    "torch.library",
    "torch.ops",
    "torch.jit",
    "torch.no_grad",
    "torch.compiler",
    "torch.autograd",
)


def _module_level_tensors(tree: ast.Module, module: str) -> Iterator[Finding]:
    """Importing must cost nothing: no torch function is called outside functions."""
    for node in _run_on_import(tree.body):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name.startswith(("torch.", "F.")) and not name.startswith(_MAKES_NO_TENSOR):
                yield Finding(f"{module}:{node.lineno}", f"{name} is called on import")


def _run_on_import(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """What runs when the module is imported: bodies of classes, not of functions; decorators; defaults."""
    pending: list[ast.AST] = list(body)
    while pending:
        node = pending.pop()
        yield node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            pending += [*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)]
        elif not isinstance(node, ast.Lambda):
            pending += ast.iter_child_nodes(node)


def _lengths(tree: ast.AST, module: str) -> Iterator[Finding]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and _length(node) > LONGEST_FUNCTION:
            what = f"{node.name} has {_length(node)} lines, at most {LONGEST_FUNCTION}"
            yield Finding(f"{module}:{node.lineno}", what)


def _length(function: ast.FunctionDef) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1
