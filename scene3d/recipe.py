"""The recipe: data, method, training and evaluation in one value; and what is done with it."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from scene3d.config import Config, apply_overrides, dump, load_yaml, parse, to_yaml
from scene3d.config.mistakes import nearest
from scene3d.data.loading import DataConfig, Split
from scene3d.data.views import view_camera, view_to_world
from scene3d.engine.distributed import pick_device
from scene3d.engine.evaluator import EvaluateConfig
from scene3d.engine.evaluator import evaluate as score
from scene3d.engine.finishing import choose_threshold, find_and_name_clusters
from scene3d.engine.fitting import Progress
from scene3d.engine.predictor import Predictor, TrainingView
from scene3d.engine.random_state import seed_all
from scene3d.engine.run import Run, versions
from scene3d.engine.trainer import TrainConfig, Trainer
from scene3d.engine.weights import Weights, fill, load_run, load_weights, save_weights
from scene3d.errors import CheckpointError, ConfigError, DataError, UsageError
from scene3d.evaluation.report import Report
from scene3d.geometry.se3 import invert
from scene3d.geometry.voxels import default_grid_to_cam
from scene3d.methods import Method, as_module
from scene3d.methods.scene_completion import SceneCompletionConfig
from scene3d.methods.scene_semantics import SceneSemanticsConfig
from scene3d.stereo.drives import match_drives

log = logging.getLogger(__name__)

__all__ = [
    "Predictor",
    "Recipe",
    "evaluate",
    "export",
    "load",
    "load_recipe",
    "match",
    "packaged",
    "rehearse",
    "train",
]

MethodConfig = Annotated[SceneCompletionConfig | SceneSemanticsConfig, Field(discriminator="kind")]
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


def rehearse(recipe: Recipe) -> str:
    """Read the data, one sample of it, and build the method; the resolved recipe as YAML.

    Raises:
        Scene3dError: whatever would go wrong in the first minute of a training.
    """
    _ = recipe.data.build("train", seed=recipe.train.seed)[0]
    recipe.method.build()
    return to_yaml(dump(recipe))


def match(
    recipe: Recipe,
    *,
    split: Split = "train",
    workers: int | None = None,
    progress: Progress | None = None,
) -> tuple[Path, int]:
    """Find the depth of the views of a recipe's drives by matching them, into the recipe's folder of hints.

    Args:
        recipe: names the drives, the size of the views and, as `data.snippets.hints`, the folder.
        split: which drives.
        workers: processes; None takes one a core.
        progress: called with the stage, what is done and of how many.

    Returns:
        The folder, and how many images were written; those that were there stay.

    Raises:
        ConfigError: the recipe names no folder.
        DataError: a drive has no transforms, or a file is not what it should be.
    """
    snippets = recipe.data.snippets
    if snippets.hints is None:
        raise ConfigError("data.snippets.hints: expected a folder for the depth images, got none")
    size = (snippets.height, snippets.width)
    written = match_drives(recipe.data.scenes(split), snippets.hints, size, workers=workers, progress=progress)
    return snippets.hints, written


def train(
    recipe: Recipe,
    folder: Path | str,
    *,
    overwrite: bool = False,
    max_minutes: float | None = None,
    device: str = "auto",
    progress: bool = True,
) -> Path:
    """Train by a recipe into a run folder, which is returned; the same under torchrun.

    A folder that holds a run of the same recipe is gone on with, from its newest valid checkpoint.

    Args:
        recipe: what to learn.
        folder: of the run.
        overwrite: throw away the run that is there.
        max_minutes: instead of the recipe's.
        device: "auto", "cpu", "cuda", "cuda:1".
        progress: whether to show a bar.

    Raises:
        ConfigError: the folder holds a run of another recipe.
        UsageError: the folder holds something that is not a run.
        KeyboardInterrupt: Ctrl-C, after saving.
    """
    if max_minutes is not None:
        limited = recipe.train.model_copy(update={"max_minutes": max_minutes})
        recipe = recipe.model_copy(update={"train": limited})
    run = Run(folder, dump(recipe), overwrite=overwrite)
    data = recipe.data.build("train", seed=recipe.train.seed)
    view = training_view(recipe)
    seed_all(recipe.train.seed)
    Trainer(
        recipe.method.build(),
        data,
        recipe.train,
        run,
        device=device,
        check=(lambda method, step: _check(recipe, method)) if recipe.train.check_every else None,
        finish=lambda method: _finish(recipe, method),
        notes={"view": view.notes()},
        progress=progress,
    ).train()
    return run.folder


def load(path_or_name: Path | str, device: str = "auto") -> Predictor:
    """A trained method, ready for images.

    Args:
        path_or_name: a run folder, a .safetensors file, or the name of packaged weights, such as "street".
        device: "auto", "cpu", "cuda", "cuda:1".

    Raises:
        CheckpointError: there is no such file, or it is damaged.
        UsageError: it is neither a path nor a packaged name.
    """
    recipe, weights, source = _stored(path_or_name)
    return _predictor(recipe, weights, source, device)


def evaluate(
    path_or_name: Path | str,
    *,
    split: Split = "val",
    device: str = "auto",
    data: Any = None,
    progress: Progress | None = None,
) -> Report:
    """Score trained weights on a split of their recipe's data, beside baselines fitted on its training split.

    Args:
        path_or_name: as for `load`.
        split: which drives.
        device: "auto", "cpu", "cuda", "cuda:1".
        data: a data config to use instead of the recipe's, for weights that came from elsewhere.
        progress: called with what is being done, how far, and of how much.
    """
    recipe, weights, source = _stored(path_or_name)
    data = recipe.data if data is None else data
    predictor = _predictor(recipe, weights, source, device)
    return score(
        predictor.method,
        data.build(split, training=False),
        recipe.evaluate,
        fit_data=data.build("train", training=False),
        split=split,
        device=predictor.device,
        provenance=_provenance(weights, source),
        progress=progress,
    )


def export(run: Path | str, file: Path | str, *, half: bool = True, overwrite: bool = False) -> Path:
    """Write the weights of a run to pass on: small, and without the paths of the machine that made them.

    Args:
        run: run folder or weights file.
        file: to write, a .safetensors file.
        half: store floating-point numbers with 16 bits.
        overwrite: replace a file that is there.
    """
    file = Path(file)
    if file.exists() and not overwrite:
        raise UsageError(f"{file}: exists already", hint="another name, or overwrite=True")
    recipe, weights, _ = _stored(run)
    file.parent.mkdir(parents=True, exist_ok=True)
    dtype = torch.float16 if half else None
    tree = dump(recipe, places=False)
    save_weights(file, weights.tensors, recipe=tree, notes=weights.notes, dtype=dtype)
    return file


def packaged() -> dict[str, Path]:
    """The weights that come with the package, by name."""
    folder = Path(str(resources.files("scene3d"))) / "weights"
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}


def training_view(recipe: Recipe) -> TrainingView:
    """The camera of view 0 at the network's size, and where the voxel grid lies in it."""
    config = recipe.data.snippets
    for scene in recipe.data.scenes("train"):
        references = [shot for shot in scene.shots if shot.sensor == config.views[0].sensor]
        if not references:
            continue
        camera = view_camera(references[0], config.height, config.width)
        grids = {grid.frame: grid.grid_to_world for grid in scene.voxels}
        # The grid lies in velodyne axes, so a scan says as much as a grid does.
        grids = {scan.frame: scan.scan_to_world for scan in scene.scans} | grids
        for shot in references:
            grid, cam = grids.get(shot.frame), view_to_world(shot)
            if grid is not None and cam is not None:
                return TrainingView(camera, (invert(cam.double()) @ grid.double()).float())
        return TrainingView(camera, default_grid_to_cam())
    raise ConfigError(f"data.snippets.views: no training drive has the sensor {config.views[0].sensor!r}")


def _check(recipe: Recipe, method: Method) -> dict[str, float]:
    """Figures of the validation drives during training, by the name of table, row and column."""
    data = recipe.data.build("val", training=False)
    device = next(as_module(method).parameters()).device
    report = score(method, data, recipe.evaluate, split="val", device=device)
    return {
        f"{table.title}/{row}/{column}": figure
        for table in report.tables
        for row, figures in table.rows.items()
        for column, figure in zip(table.columns, figures, strict=True)
        if figure is not None
    }


def _finish(recipe: Recipe, method: Method) -> None:
    """Choose what is chosen by looking at data; data that cannot be had must not cost the weights."""
    device = next(as_module(method).parameters()).device
    try:
        train_data = recipe.data.build("train", training=False)
        val_data = recipe.data.build("val", training=False) if recipe.data.val else None
    except DataError as error:
        log.warning("%s; the density threshold and the names of clusters stay as they are", error)
        return
    # In this order: clusters without names make for quick predictions.
    choose_threshold(method, train_data, recipe.evaluate, device)
    find_and_name_clusters(method, train_data, val_data, device)


def _stored(path_or_name: Path | str) -> tuple[Recipe, Weights, Path]:
    path = Path(path_or_name)
    if not path.exists():
        known = packaged()
        if str(path_or_name) in known:
            path = known[str(path_or_name)]
        elif len(path.parts) > 1 or path.suffix:
            raise CheckpointError(f"{path}: no such run or weights file")
        else:
            near = nearest(path.name, list(known)) or "; no weights come with this installation"
            raise UsageError(f"{path}: neither a path nor the name of packaged weights{near}")
    weights = load_run(path) if path.is_dir() else load_weights(path)
    if "method" not in weights.recipe:
        raise CheckpointError(
            f"{path}: holds weights of a method of your own",
            hint="build it, then scene3d.engine.weights.start_from(method, path)",
        )
    return parse(Recipe, weights.recipe, path), weights, path


def _predictor(recipe: Recipe, weights: Weights, source: Path, device: str) -> Predictor:
    pick_device(device)  # before the work of building
    method = recipe.method.build()
    fill(as_module(method), weights, source)
    view = TrainingView.from_notes(weights.notes.get("view", {}), source)
    return Predictor(method, view, device=device, recipe=recipe, earlier=_earlier(recipe))


def _earlier(recipe: Recipe) -> list[int]:
    """Which frames before the reference the method is asked with, as negative offsets."""
    own, *views = (recipe.data.scoring or recipe.data.snippets).views
    offsets = [view.offset + view.plus for view in views if view.sensor == own.sensor and isinstance(view.offset, int)]
    return [offset for offset in offsets if offset < 0]


def _provenance(weights: Weights, source: Path) -> dict[str, str]:
    file = source / "weights.safetensors" if source.is_dir() else source
    digest = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "not exported yet"
    packages = ", ".join(f"{name} {number}" for name, number in versions()["packages"].items())
    return {
        "weights": f"{source.name}, sha256 {digest}",
        "step": str(weights.notes.get("step")),
        "seed": str(weights.notes.get("seed")),
        "versions": packages,
    }
