"""The run folder: the resolved recipe, versions, checkpoints, the log, and at the end the weights."""

from __future__ import annotations

import json
import math
import platform
import shutil
import subprocess
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from scene3d.config import differing_keys, load_yaml, to_yaml
from scene3d.engine.files import write_text
from scene3d.errors import ConfigError, UsageError

PACKAGES = (
    *("scene3d", "torch", "torchvision", "numpy", "kornia", "safetensors"),
    *("pydantic", "transformers", "pillow"),
)
MAY_CHANGE = ("max_minutes", "max_cpu_minutes", "log_every", "save_every", "keep", "workers")
"""Keys of `train` that a resumed run may change: when to pause and what to write, not what is learnt."""


class Run:
    """A folder that holds one training and nothing else.

    Args:
        folder: made where it is absent.
        recipe: resolved, as a plain tree; it is written, or compared with the one that is there.
        overwrite: throw away what is there, and start anew.

    Raises:
        ConfigError: a run of another recipe is there; the keys that differ are listed.
        UsageError: the folder holds something that is not a run.
    """

    def __init__(self, folder: Path | str, recipe: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.folder = Path(folder)
        self.recipe = dict(recipe)
        self.recipe_file = self.folder / "recipe.yaml"
        self.versions_file = self.folder / "versions.json"
        self.metrics_file = self.folder / "metrics.jsonl"
        self.weights_file = self.folder / "weights.safetensors"
        self.best_file = self.folder / "best.safetensors"
        self.dump_file = self.folder / "nonfinite.json"
        self.tensorboard = self.folder / "tensorboard"
        self.checkpoints = self.folder / "checkpoints"
        self._overwrite = overwrite
        self._check()

    def open(self, seed: int) -> None:
        """Make the folder and write what is known at the start; to be called by one process only."""
        if self._overwrite:
            self._clear()
        self.checkpoints.mkdir(parents=True, exist_ok=True)
        write_text(self.recipe_file, to_yaml(self.recipe))
        write_text(self.versions_file, json.dumps(versions() | {"seed": seed}, indent=2) + "\n")

    def log(self, line: Mapping[str, Any]) -> None:
        """Append one line to ``metrics.jsonl``; numbers that JSON cannot say become null."""
        with open(self.metrics_file, "a", encoding="utf-8") as file:
            file.write(json.dumps(_sayable(line)) + "\n")

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of ``metrics.jsonl``, oldest first; one that was cut off by a crash is left out."""
        if not self.metrics_file.exists():
            return []
        lines = []
        for text in self.metrics_file.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
        return lines

    def forget_after(self, step: int) -> None:
        """Drop the lines of steps that a resumed run is about to take again."""
        kept = [line for line in self.metrics() if line.get("step", 0) <= step]
        write_text(self.metrics_file, "".join(json.dumps(line) + "\n" for line in kept))

    def _clear(self) -> None:
        """Remove what a run writes, and nothing else that may lie in the folder."""
        for folder in (self.checkpoints, self.tensorboard):
            shutil.rmtree(folder, ignore_errors=True)
        files = (self.recipe_file, self.versions_file, self.metrics_file, self.weights_file, self.best_file)
        for file in (*files, self.dump_file):
            file.unlink(missing_ok=True)

    def _check(self) -> None:
        if not self.folder.exists():
            return
        if not self.folder.is_dir():
            raise UsageError(f"{self.folder}: expected a folder, got a file")
        if not self.recipe_file.exists():
            if any(self.folder.iterdir()):
                raise UsageError(f"{self.folder}: holds files but no recipe.yaml, so it is not a run")
            return
        if self._overwrite:
            return
        there = load_yaml(self.recipe_file)
        different = differing_keys(_lasting(there), _lasting(self.recipe))
        if different:
            more = f" and {len(different) - 5} more" if len(different) > 5 else ""
            listed = "; ".join(different[:5]) + more
            hint = "another folder, or --overwrite to throw this run away"
            raise ConfigError(f"{self.folder}: holds a run of another recipe: {listed}", hint=hint)


def versions() -> dict[str, Any]:
    """What the result depends on besides the recipe: packages, Python, platform, and the commit."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "packages": found,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "git": _commit(),
    }


def _commit() -> str | None:
    """The commit of the checkout that this code runs from; None where it is installed or has no commit."""
    here = Path(__file__).resolve().parent
    try:
        command = ["git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def _lasting(recipe: Mapping[str, Any]) -> dict[str, Any]:
    train = recipe.get("train")
    if not isinstance(train, Mapping):
        return dict(recipe)
    return {**recipe, "train": {name: value for name, value in train.items() if name not in MAY_CHANGE}}


def _sayable(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _sayable(item) for name, item in value.items()}
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
