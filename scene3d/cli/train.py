"""`scene3d train`: a recipe in, a run folder out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro


def train(
    config: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CONFIG")],
    *,
    out: Path,
    changes: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = (),
    overwrite: bool = False,
    max_minutes: float | None = None,
    dry_run: bool = False,
    device: str = "auto",
) -> int:
    """Train a method by a recipe; Ctrl-C saves a checkpoint first, and the same command goes on from it.

    Examples:
      scene3d train configs/tiny/scene_completion.yaml --out runs/tiny
      scene3d train configs/completion/street.yaml --out runs/street --set train.steps=2000 --max-minutes 30
      torchrun --nproc-per-node 8 -m scene3d train configs/completion/scenedino_kitti_360.yaml --out runs/kitti_360

    Args:
        config: recipe, a YAML file of configs/ or your own.
        out: run folder: resolved recipe, checkpoints, metrics.jsonl, TensorBoard log. One that holds a run of the
            same recipe is gone on with from its newest valid checkpoint; of another recipe, is refused.
        changes: KEY=VALUE laid over the recipe, as in train.steps=100; may be repeated.
        overwrite: throw away the run that the folder holds, and start anew.
        max_minutes: stop after that long, over all the times it was gone on with, with a checkpoint.
        dry_run: read the recipe and the data, build the method, print the resolved recipe and stop.
        device: "auto", "cpu", "cuda" or "cuda:1".
    """
    from scene3d import recipe

    read = recipe.load_recipe(config, changes)
    if dry_run:
        print(recipe.rehearse(read))
        return 0
    print(f"run: {out}")
    run = recipe.train(read, out, overwrite=overwrite, max_minutes=max_minutes, device=device)
    print(f"run: {run}")
    print(f"next: scene3d evaluate {run} --split val")
    return 0
