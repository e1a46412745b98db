"""PSNR within the masks of held-out views against the CPU time of a training, for both encodings of the distance.

Each gets the same time, and its schedule is as long as that lasts. What is done is kept in the folder: a training that
was cut off goes on, and a checkpoint that was scored is not scored again.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from scene3d.data.images import write_bytes
from scene3d.data.loading import ResumableSampler, loader
from scene3d.engine.checkpoint import checkpoints, load_checkpoint
from scene3d.engine.learner import Learner
from scene3d.recipe import Recipe, load_recipe, train
from scene3d.volume.image_rays import draw_rays

ENCODINGS = {"hash grid": "dtu_masks", "published": "dtu_published"}
"""Recipes of configs/surface."""

POINTS = 8
"""Of a curve, at most."""

PIXELS = 128
"""Of each held-out view: a whole one takes the published networks most of an hour."""

Point = tuple[int, float, float]
"""Steps, CPU seconds and decibels."""


def curve(recipe: Path, data: Path, folder: Path, seconds: float) -> list[Point]:
    """Train for about so many CPU seconds and score the checkpoints.

    Args:
        recipe: its file.
        data: the scan.
        folder: of the run and of `curve.json`, which keeps the length of the training and the points.
        seconds: of the training; scoring comes on top.
    """
    folder.mkdir(parents=True, exist_ok=True)
    notes = folder / "curve.json"
    known = json.loads(notes.read_text()) if notes.exists() else {"steps": 0, "points": {}}
    if not known["steps"]:
        cost = step_seconds(load_recipe(recipe, [f"data.root={data}"]), 1, 2)
        known["steps"] = max(round(seconds / cost), 2)
        _keep(notes, known)
    chosen = _shortened(recipe, data, known["steps"])
    run = train(chosen, folder / "run", device="cpu")
    for path in checkpoints(run / "checkpoints"):
        if path.name not in known["points"]:
            known["points"][path.name] = _point(path, chosen)
            _keep(notes, known)
    return [tuple(known["points"][name]) for name in sorted(known["points"])]


def step_seconds(recipe: Recipe, warm: int, timed: int) -> float:
    """Mean CPU time of some steps after others."""
    torch.manual_seed(0)
    data = recipe.data.build("train")
    learner = Learner(recipe.method.build(), recipe.train.optim, device=torch.device("cpu"))
    batches = iter(loader(data, 1, ResumableSampler(len(data))))
    for step in range(warm):
        learner.step(batches, step, 1e-2)
    start = time.process_time()
    for step in range(warm, warm + timed):
        learner.step(batches, step, recipe.train.optim.rate)
    return (time.process_time() - start) / timed


def print_curves(curves: Mapping[str, Sequence[Point]]) -> None:
    """The points as a table."""
    print("| encoding | steps | CPU seconds | PSNR in mask |")
    print("|---|---:|---:|---:|")
    for name, points in curves.items():
        for steps, seconds, psnr in points:
            print(f"| {name} | {steps:,} | {seconds:.0f} | {psnr:.2f} |")


def draw_curves(curves: Mapping[str, Sequence[Point]], file: Path) -> None:
    """The points as a picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 4), layout="constrained")
    axis = figure.subplots()
    for name, points in curves.items():
        _, seconds, psnr = zip(*points, strict=True)
        axis.plot(seconds, psnr, "o-", label=name)
    axis.set_xlabel("CPU seconds")
    axis.set_ylabel("PSNR in the masks of held-out views, dB")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(frameon=False)
    figure.savefig(file, dpi=120)


def _shortened(recipe: Path, data: Path, steps: int) -> Recipe:
    """The recipe over so many steps, its warm-up for the same share of them."""
    whole = load_recipe(recipe)
    warm_up = max(round(whole.train.optim.warm_up * steps / whole.train.steps), 1)
    changes = {
        "data.root": data,
        "method.steps": steps,
        "train.steps": steps,
        "train.optim.warm_up": warm_up,
        "train.save_every": math.ceil(steps / POINTS),
        "train.keep": POINTS + 1,
    }
    return load_recipe(recipe, [f"{key}={value}" for key, value in changes.items()])


@torch.no_grad()
def _point(path: Path, recipe: Recipe) -> Point:
    """Of random pixels in the masks of the held-out views, the same for every checkpoint."""
    state = load_checkpoint(path)
    method = recipe.method.build()
    method.load_state_dict(state["learner"]["method"])
    views = recipe.data.build("val")
    torch.manual_seed(0)
    errors = []
    for frames in (views[i] for i in range(len(views))):
        rays = draw_rays(frames, method.unit_to_world, PIXELS, inside=1.0)
        seen = method.eval().render_rays(rays.origins, rays.directions)
        errors.append((seen.colour.clamp(0, 1) - rays.colour).square())
    psnr = -10 * torch.cat(errors).mean().log10()
    return int(path.stem.split("_")[1]), float(state["cpu_seconds"]), float(psnr)


def _keep(file: Path, known: Mapping[str, object]) -> None:
    write_bytes(file, json.dumps(known, indent=1).encode())
