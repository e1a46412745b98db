"""What is done with trained weights: load, score, pass on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import torch

from scene3d.compat.bts import load_bts
from scene3d.compat.manydepth import load_manydepth, load_monodepth2
from scene3d.compat.neus import load_neus
from scene3d.compat.scenedino import load_scenedino
from scene3d.compat.torch_files import Released
from scene3d.config import apply_overrides, dump, parse
from scene3d.config.mistakes import nearest
from scene3d.data.loading import DataConfig, Split
from scene3d.engine.distributed import pick_device
from scene3d.engine.evaluator import evaluate as score
from scene3d.engine.finishing import find_calibration
from scene3d.engine.fitting import Predicts, Progress, SomeFrames
from scene3d.engine.predictor import Predictor, TrainingView
from scene3d.engine.probes import fit_probes
from scene3d.engine.provenance import of_data, of_weights
from scene3d.engine.rules import EvaluateConfig
from scene3d.engine.silhouettes import silhouettes_of
from scene3d.engine.surface_scores import TrueSurface, method_scores
from scene3d.engine.weights import Weights, fill, load_run, load_weights, save_weights
from scene3d.errors import CheckpointError, ConfigError, UsageError
from scene3d.evaluation.occupancy import SCANS
from scene3d.evaluation.published import SSCBENCH_TEST, SSCBENCH_TEST_SEQUENCE
from scene3d.evaluation.report import Report
from scene3d.fusion.visibility import Silhouette
from scene3d.geometry.occupancy import OccupancyCalibration
from scene3d.geometry.voxels import default_grid_to_cam
from scene3d.methods import Method, as_module
from scene3d.methods.several_frames import SeveralFrames
from scene3d.methods.voted_frames import VotedFrames
from scene3d.nn.labeller import Labeller
from scene3d.recipe.recipe import Recipe, load_data

RELEASED: dict[str, Callable[[str], Released]] = {
    "bts": load_bts,
    "manydepth": load_manydepth,
    "monodepth2": load_monodepth2,
    "neus": load_neus,
    "scenedino": load_scenedino,
}
"""Folders and files of other people's weights, by what stands before the colon."""


A_FIT = (
    "data.fit is set, so splits may share drives: these figures are of a fit, and names, thresholds and checkpoints "
    "may have been chosen on what is reported."
)


def load(path_or_name: Path | str, device: str = "auto") -> Predictor:
    """A trained method, ready for images.

    Args:
        path_or_name: a run folder, a .safetensors file, the name of packaged weights, such as "street", or a folder
            as other people released it: "bts:FOLDER", "manydepth:FOLDER", "monodepth2:FOLDER", "scenedino:FOLDER", or
            such a file: "neus:FILE".
        device: "auto", "cpu", "cuda", "cuda:1".

    Raises:
        CheckpointError: there is no such file, or it is damaged.
        UsageError: it is neither a path nor a packaged name.
    """
    kind, _, folder = str(path_or_name).partition(":")
    if folder and kind in RELEASED:
        released = RELEASED[kind](folder)
        view = TrainingView(released.camera, default_grid_to_cam())
        return Predictor(released.method, view, device=device, earlier=released.earlier)
    recipe, weights, source = _stored(path_or_name)
    return _predictor(recipe, weights, source, device)


def evaluate(
    path_or_name: Path | str,
    *,
    split: Split = "val",
    device: str = "auto",
    data: Any = None,
    changes: Iterable[str] = (),
    surface: TrueSurface | None = None,
    progress: Progress | None = None,
) -> Report:
    """Score trained weights on a split of their recipe's data, beside baselines fitted on its training split.

    Args:
        path_or_name: as for `load`.
        split: which drives.
        device: "auto", "cpu", "cuda", "cuda:1".
        data: a data config to use instead of the recipe's, or a YAML file that has one. One whose `train` names no
            drive is scored without baselines.
        changes: ``key.of.it=value`` to lay over the recipe's data and evaluation.
        surface: a true one in the world, to compare the method's with, and how.
        progress: called with what is being done, how far, and of how much.

    Raises:
        UsageError: a surface is given, and the method has none, or no masks to cut it by.
        ConfigError: a change is wrong, or is of what was trained.
    """
    recipe, weights, source = _stored(path_or_name)
    changes = list(changes)
    for change in changes:
        if not change.strip().startswith(("data.", "evaluate.")):
            raise ConfigError(f"{change}: expected a key of data or evaluate; the rest is what was trained")
    if isinstance(data, (str, Path)):
        about_data = [change for change in changes if change.strip().startswith("data.")]
        data, changes = load_data(data, about_data), [change for change in changes if change not in about_data]
    recipe = parse(Recipe, apply_overrides(dump(recipe), changes), source)
    data = recipe.data if data is None else data
    data, scored = _with_what_is_scored(data, recipe.evaluate)
    predictor = _predictor(recipe, weights, source, device)
    space = recipe.evaluate.completion_protocol.space.name
    samples = scored.build(split, training=False, truth=recipe.evaluate.depth_protocol.truth, voxel_space=space)
    listed = getattr(data.lists, split)
    fit_data = None if data.train == () else data.build("train", training=False, voxel_space=space)
    report = score(
        _asked_with_others(predictor.method, recipe.evaluate),
        samples,
        recipe.evaluate,
        fit_data=fit_data,
        split=split,
        device=predictor.device,
        probes=_probes(predictor, data, fit_data, space, progress) if recipe.evaluate.probes else {},
        published_as=_published_as(data, split),
        provenance=of_weights(weights, source) | of_data(samples, listed),
        progress=progress,
    )
    if data.fit:
        report = replace(report, notes=(*report.notes, A_FIT))
    if surface is None:
        return report
    table = method_scores(predictor.method, surface, lambda: _silhouettes(data, surface))
    return replace(report, tables=(*report.tables, table))


def _silhouettes(data: Any, surface: TrueSurface) -> Iterator[Silhouette]:
    """Cameras and masks of what was learnt from."""
    learnt = data.build("train", training=False)
    if surface.cleaning.dilation is not None and not learnt.config.masks:
        hint = "data.snippets.masks: true, and data.scoring.masks"
        raise UsageError("expected data with masks to cut a surface by, got data without", hint=hint)
    return silhouettes_of(learnt[i] for i in range(len(learnt)))


def _with_what_is_scored(data: Any, rules: EvaluateConfig) -> tuple[Any, Any]:
    """The data with the frames that have a say, and that with what some figures need besides."""
    looked_up = tuple(dict.fromkeys((*rules.earlier, *rules.votes)))
    if looked_up:
        data = data.looking_back(looked_up)
    scored = data.with_scans(SCANS) if rules.occupancy else data
    return data, scored.with_views(rules.novel_views) if rules.novel_views else scored


def _asked_with_others(method: Method, config: EvaluateConfig) -> Predicts:
    """The method itself, or with the frames before the reference that are to have a say."""
    several = SeveralFrames(method, config.earlier) if config.earlier else method
    return VotedFrames(method, config.votes, several) if config.votes else several


def _probes(
    predictor: Predictor, data: DataConfig, train: SomeFrames | None, space: str, progress: Progress | None
) -> dict[str, Labeller]:
    if train is None or not data.has("val"):
        raise ConfigError("evaluate.probes: expected drives to learn from and drives to name clusters on, got none")
    val = data.build("val", training=False, voxel_space=space)
    return fit_probes(predictor.method, train, val, predictor.device, progress=progress)


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


def calibrate(
    path_or_name: Path | str, file: Path | str, *, device: str = "auto", changes: Iterable[str] = ()
) -> OccupancyCalibration:
    """Find on training data how probably a cell of each density is occupied, and write the weights with it.

    A training ends with this by itself; it is for weights that were made before there was such a thing.

    Args:
        path_or_name: as for `load`.
        file: to write, a .safetensors file.
        device: "auto", "cpu", "cuda", "cuda:1".
        changes: ``key.of.it=value`` to lay over the recipe's data and evaluation.

    Raises:
        UsageError: the file is there already, the method has no density, or the training data has no voxels.
    """
    file = Path(file)
    if file.exists():
        raise UsageError(f"{file}: exists already", hint="another name")
    recipe, weights, source = _stored(path_or_name)
    changed = parse(Recipe, apply_overrides(dump(recipe), changes), source)
    predictor = _predictor(recipe, weights, source, device)
    space = changed.evaluate.completion_protocol.space.name
    data = changed.data.build("train", training=False, voxel_space=space)
    found = find_calibration(predictor.method, data, changed.evaluate, predictor.device)
    if found is None:
        raise UsageError(f"{source}: expected a method of completion and training data with voxels, got neither")
    # What was stored is kept bit for bit.
    names = [name for name in as_module(predictor.method).state_dict() if name.split(".")[-1] == "calibration"]
    added = {name: as_module(predictor.method).state_dict()[name] for name in names}
    save_weights(file, weights.tensors | added, recipe=weights.recipe, notes=weights.notes)
    return found


def packaged() -> dict[str, Path]:
    """The weights that come with the package, by name."""
    folder = Path(str(resources.files("scene3d"))) / "weights"
    return {file.stem: file for file in sorted(folder.glob("*.safetensors"))}


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


def _published_as(data: DataConfig, split: Split) -> str | None:
    """What papers call the data of a split; None where it is nothing that they score."""
    if data.kind == "kitti_360":
        return SSCBENCH_TEST if split == "test" and data.test == (SSCBENCH_TEST_SEQUENCE,) else None
    # KITTI's test images are a list of some of its frames; those of Cityscapes are its test cities.
    return data.kind if getattr(data.lists, split) is not None or data.kind == "cityscapes" else None


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
