"""The recipe, and what is done with it."""

from __future__ import annotations

from scene3d.engine.predictor import Predictor
from scene3d.recipe.recipe import MethodConfig, Recipe, load_recipe
from scene3d.recipe.trained import calibrate, evaluate, export, load, packaged
from scene3d.recipe.training import depth_truth, match, rehearse, train, training_view

__all__ = [
    "MethodConfig",
    "Predictor",
    "Recipe",
    "calibrate",
    "depth_truth",
    "evaluate",
    "export",
    "load",
    "load_recipe",
    "match",
    "packaged",
    "rehearse",
    "train",
    "training_view",
]
