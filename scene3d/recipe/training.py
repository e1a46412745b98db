"""What is done by a recipe: look at its data, prepare them, and train."""

from __future__ import annotations

import logging
from pathlib import Path

from scene3d.config import dump, to_yaml
from scene3d.data.loading import Split
from scene3d.data.truth_folder import fill_truth_folder
from scene3d.data.views import view_camera, view_to_world
from scene3d.engine.evaluator import evaluate as score
from scene3d.engine.finishing import Prepared, calibrate_deviation, choose_threshold, find_and_name_clusters, prepare
from scene3d.engine.fitting import Progress
from scene3d.engine.predictor import TrainingView
from scene3d.engine.random_state import seed_all
from scene3d.engine.run import Run
from scene3d.engine.trainer import Trainer
from scene3d.errors import ConfigError, DataError
from scene3d.geometry.se3 import invert
from scene3d.geometry.voxels import default_grid_to_cam
from scene3d.methods import Method, as_module
from scene3d.recipe.recipe import Recipe
from scene3d.stereo.drives import match_drives

log = logging.getLogger(__name__)


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


def depth_truth(recipe: Recipe, *, split: Split = "test", progress: Progress | None = None) -> tuple[Path, int]:
    """Prepare the true depth that the recipe's depth protocol scores against; see `fill_truth_folder`.

    Raises:
        ConfigError: the protocol has no truth of its own, or the recipe names no folder.
    """
    kind = recipe.evaluate.depth_protocol.truth
    if kind is None:
        raise ConfigError(f'evaluate.depth: "{recipe.evaluate.depth}" scores against the frames and needs no truth')
    return fill_truth_folder(recipe.data, split, kind, progress)


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
        begin=lambda method: _begin(recipe, method),
        finish=lambda method: _finish(recipe, method),
        notes={"view": view.notes()},
        progress=progress,
    ).train()
    return run.folder


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
    rules = recipe.evaluate
    space = rules.completion_protocol.space.name
    data = recipe.data.build("val", training=False, truth=rules.depth_protocol.truth, voxel_space=space)
    device = next(as_module(method).parameters()).device
    report = score(method, data, recipe.evaluate, split="val", device=device)
    return {
        f"{table.title}/{row}/{column}": figure
        for table in report.tables
        for row, figures in table.rows.items()
        for column, figure in zip(table.columns, figures, strict=True)
        if figure is not None
    }


def _begin(recipe: Recipe, method: Method) -> None:
    """Measure what a method starts from, if it wants to; only then are the data read."""
    if isinstance(method, Prepared):
        prepare(method, recipe.data.build("train", training=False), next(as_module(method).parameters()).device)


def _finish(recipe: Recipe, method: Method) -> None:
    """Choose what is chosen by looking at data; data that cannot be had must not cost the weights."""
    device = next(as_module(method).parameters()).device
    try:
        space = recipe.evaluate.completion_protocol.space.name
        train_data = recipe.data.build("train", training=False, voxel_space=space)
        val_data = recipe.data.build("val", training=False, voxel_space=space) if recipe.data.has("val") else None
    except DataError as error:
        log.warning("%s; the density threshold and the names of clusters stay as they are", error)
        return
    # In this order: clusters without names make for quick predictions.
    choose_threshold(method, train_data, recipe.evaluate, device)
    calibrate_deviation(method, val_data, device)
    find_and_name_clusters(method, train_data, val_data, device)
