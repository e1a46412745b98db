"""The recipe, and what is done with it."""

from __future__ import annotations

from scene3d.engine.predictor import Predictor
from scene3d.engine.surface_scores import TrueSurface, score_mesh
from scene3d.fusion.mesh_cleaning import CleaningConfig
from scene3d.fusion.meshing import MeshingConfig
from scene3d.recipe.recipe import MethodConfig, Recipe, load_recipe
from scene3d.recipe.reconstruction import Reconstruction, found_object, reconstruct
from scene3d.recipe.surface_recipe import surface_recipe
from scene3d.recipe.trained import calibrate, evaluate, export, load, packaged
from scene3d.recipe.training import depth_truth, match, rehearse, train, training_view

__all__ = [
    "CleaningConfig",
    "MeshingConfig",
    "MethodConfig",
    "Predictor",
    "Recipe",
    "Reconstruction",
    "TrueSurface",
    "calibrate",
    "depth_truth",
    "evaluate",
    "export",
    "found_object",
    "load",
    "load_recipe",
    "match",
    "packaged",
    "reconstruct",
    "rehearse",
    "score_mesh",
    "surface_recipe",
    "train",
    "training_view",
]
