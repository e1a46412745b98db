"""A small untrained method as a weights file, for tests of what surrounds a method."""

from __future__ import annotations

from pathlib import Path

import torch

from scene3d.config import dump
from scene3d.data.street import rig
from scene3d.engine.predictor import TrainingView
from scene3d.engine.weights import save_weights
from scene3d.geometry.voxels import default_grid_to_cam
from scene3d.recipe import load_recipe

CONFIGS = Path(__file__).resolve().parents[1] / "configs"
SIZE = (32, 104)
SMALLER = [
    f"data.snippets.height={SIZE[0]}",
    f"data.snippets.width={SIZE[1]}",
    f"data.scoring.height={SIZE[0]}",
    f"data.scoring.width={SIZE[1]}",
    "method.samples=8",
    "method.patches=4",
]
"""What to lay over configs/tiny/scene_completion.yaml to make it smaller still."""


def write_tiny_weights(path: Path) -> Path:
    """The method of configs/tiny with random weights; the same ones every time."""
    recipe = load_recipe(CONFIGS / "tiny" / "scene_completion.yaml", SMALLER)
    torch.manual_seed(0)
    view = TrainingView(rig.perspective(SIZE)[0], default_grid_to_cam())
    notes = {"step": 0, "seed": 0, "view": view.notes()}
    save_weights(path, recipe.method.build().state_dict(), recipe=dump(recipe), notes=notes)
    return path
