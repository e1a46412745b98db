"""The recipe: data, method, training and evaluation in one value."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from scene3d.config import Config, apply_overrides, load_yaml, parse
from scene3d.data.loading import DataConfig
from scene3d.engine.evaluator import EvaluateConfig
from scene3d.engine.trainer import TrainConfig
from scene3d.methods.fused_depth import FusedDepthConfig
from scene3d.methods.multiframe_depth import MultiframeDepthConfig
from scene3d.methods.neural_surface import NeuralSurfaceConfig
from scene3d.methods.object_surface import ObjectSurfaceConfig
from scene3d.methods.scene_completion import SceneCompletionConfig
from scene3d.methods.scene_semantics import SceneSemanticsConfig
from scene3d.methods.single_depth import SingleDepthConfig

MethodConfig = Annotated[
    SceneCompletionConfig
    | SceneSemanticsConfig
    | SingleDepthConfig
    | MultiframeDepthConfig
    | FusedDepthConfig
    | NeuralSurfaceConfig
    | ObjectSurfaceConfig,
    Field(discriminator="kind"),
]
"""Every method that a recipe may name."""


class Recipe(Config):
    """Everything that decides what is learnt, from what, and how it is scored.

    Attributes:
        data: which data set, its splits, and what a sample of it holds.
        method: which method.
        train: how to train it.
        evaluate: how to score it.
    """

    data: DataConfig
    method: MethodConfig
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()


def load_recipe(path: Path | str, overrides: Iterable[str] = ()) -> Recipe:
    """The recipe in a YAML file, with each ``key.of.it=value`` laid over it.

    Raises:
        ConfigError: one line a mistake, with the file, the key and the nearest known name.
    """
    return parse(Recipe, apply_overrides(load_yaml(path), overrides), path)
