"""From a folder of photographs to a mesh: which recipe fits them, and what is done by it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scene3d.config import parse
from scene3d.data.from_images import register_photographs
from scene3d.data.images import IMAGE_SUFFIXES
from scene3d.data.trees import LAYOUTS, kind_of_photographs
from scene3d.data.viewpoints import check_viewpoints
from scene3d.data.views import view_camera
from scene3d.engine.surface_files import Surfaced, write_surface
from scene3d.errors import UsageError, wrong_file
from scene3d.evaluation.report import Report
from scene3d.fusion.mesh_cleaning import CleaningConfig
from scene3d.fusion.meshing import MeshingConfig
from scene3d.recipe.recipe import Recipe
from scene3d.recipe.trained import evaluate, load
from scene3d.recipe.training import train
from scene3d.structures.scene import Scene

log = logging.getLogger(__name__)

HOLD_OUT = 8
"""Every so manieth photograph is kept for scoring, where there are enough."""

ENOUGH = 16
"""Photographs of which some may be held out."""

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Reconstruction:
    """What became of a folder of photographs.

    Attributes:
        run: the training's folder, for `scene3d.load` and `scene3d evaluate`.
        files: all that was written, the mesh among them.
        report: scores of the photographs that were held out; None where none were.
    """

    run: Path
    files: tuple[Path, ...]
    report: Report | None


def reconstruct(
    folder: Path | str,
    out: Path | str,
    *,
    scene: str | None = None,
    bounds: Bounds | None = None,
    masks: bool | None = None,
    longest: int = 400,
    steps: int = 6000,
    meshing: MeshingConfig = MeshingConfig(),  # noqa: B008  (frozen)
    cleaning: CleaningConfig | None = None,
    max_minutes: float | None = None,
    device: str = "auto",
    turn: int = 36,
    overwrite: bool = False,
    progress: bool = True,
    told: Callable[[Path], object] = lambda path: None,
) -> Reconstruction:
    """Fit the surface of a scene and write it; a run that was stopped is gone on with.

    Args:
        folder: in one of the layouts of photographs, or plain photographs, whose cameras are found first (pycolmap).
        out: folder for the run (`run/`), the mesh, pictures and the report.
        scene, bounds, masks, longest, steps: see `surface_recipe`.
        meshing: how fine the mesh is.
        cleaning: of the mesh; None keeps the largest part and, with masks, what lies within them grown by 2 % of the
            longest edge of the images.
        max_minutes: stop the training after that long.
        device: "auto", "cpu", "cuda", "cuda:1".
        turn: pictures of the turning video; 0 makes none.
        overwrite: throw away the run that is there.
        progress: whether to show a bar.
        told: called with each file as it is written.

    Raises:
        DataError: the folder holds no photographs that can be used, or no surface was found.
        UsageError: there are several scenes and no name.
    """
    folder, out = Path(folder), Path(out)
    source = posed(folder, out / "posed")
    recipe = surface_recipe(source, scene=scene, bounds=bounds, masks=masks, longest=longest, steps=steps)
    run = train(recipe, out / "run", overwrite=overwrite, max_minutes=max_minutes, device=device, progress=progress)
    report = evaluate(run, split="val", device=device) if recipe.data.hold_out else None
    if cleaning is None:
        cleaning = CleaningConfig(dilation=0.02 * longest if recipe.data.snippets.masks else None)
    files = []
    for path in _written(recipe, run, out, folder.resolve().name, report, meshing, cleaning, turn, device):
        files.append(path)
        told(path)
    return Reconstruction(run, tuple(files), report)


def _written(
    recipe: Recipe,
    run: Path,
    out: Path,
    title: str,
    report: Report | None,
    meshing: MeshingConfig,
    cleaning: CleaningConfig,
    turn: int,
    device: str,
) -> Iterator[Path]:
    """All files beside the run, as they are written."""
    method: Any = load(run, device=device).method
    assert isinstance(method, Surfaced)
    if report is not None:
        report.save(out / "report.json")
        yield out / "report.json"
    yield from write_surface(
        method,
        recipe.data.build("train", training=False),
        out,
        meshing=meshing,
        cleaning=cleaning,
        shown=recipe.data.build("val") if recipe.data.hold_out else None,
        title=title,
        facts={} if report is None else _figures(report),
        turn=turn,
    )


def posed(folder: Path, found: Path) -> Path:
    """The folder, or where its photographs have no cameras, another with the cameras that were found.

    Raises:
        DataError: it holds no photographs; or too few of them show the same things.
        MissingExtraError: cameras are to be found and pycolmap is not installed.
    """
    if kind_of_photographs(folder) is not None:
        return folder
    if not any(path.suffix.lower() in IMAGE_SUFFIXES for path in folder.glob("*")):
        got = "none of them" if folder.is_dir() else "no such folder"
        raise wrong_file(folder, expected=f"photographs, or {LAYOUTS}", got=got)
    if kind_of_photographs(found) is None:
        log.info("%s: no cameras: finding them by structure from motion", folder)
        register_photographs(folder, found)
    return found


def surface_recipe(
    folder: Path,
    *,
    scene: str | None = None,
    bounds: Bounds | None = None,
    masks: bool | None = None,
    longest: int = 400,
    steps: int = 6000,
) -> Recipe:
    """The recipe that fits photographs with cameras: a hash grid, before any colour with masks, else in a background.

    Args:
        folder: in one of the layouts of photographs.
        scene: which, where the folder holds several.
        bounds: corners (min, max) of what is to be reconstructed, in the world; None finds it, see
            `scene3d.data.normalisation.normalise`.
        masks: whether to use masks; None uses them where every image has one.
        longest: edge that images are shrunk to, pixels.
        steps: of the training.

    Raises:
        DataError: the folder is of no layout; the cameras do not suffice.
        UsageError: there are several scenes and no name.
    """
    kind = kind_of_photographs(folder)
    if kind is None:
        raise wrong_file(folder, expected=LAYOUTS, got="none of them" if folder.is_dir() else "no such folder")
    data: dict[str, Any] = {"kind": kind, "root": str(folder)}
    found = _one_scene(parse(Recipe, {"data": data, "method": {"kind": "neural_surface"}}, folder), scene)
    check_viewpoints(found)
    if masks is None:
        masks = all(shot.mask is not None for shot in found.shots)
    camera = view_camera(found.shots[0], found.shots[0].camera.height, found.shots[0].camera.width)
    shrink = min(longest / max(camera.height, camera.width), 1.0)
    # NeuS' boxes are those of a ball.
    region: dict[str, Any] = {"bounds": bounds, "fit": "within" if kind == "neus" and bounds is None else "around"}
    snippets = {
        "height": round(camera.height * shrink),
        "width": round(camera.width * shrink),
        "region": region,
        "masks": masks,
        "cache": "memory",
        "views": [{"sensor": found.shots[0].sensor}],
    }
    data |= {"train": [found.name], "snippets": snippets, "scoring": snippets}
    data["hold_out"] = HOLD_OUT if len(found.shots) >= ENOUGH else None
    tree = {"data": data, "method": _method(masks, steps), "train": _training(steps)}
    return parse(Recipe, tree, folder)


def _one_scene(recipe: Recipe, name: str | None) -> Scene:
    scenes = recipe.data.read(None if name is None else [name])
    if len(scenes) > 1:
        names = ", ".join(scene.name for scene in scenes[:5])
        raise UsageError(f"{recipe.data.root}: expected the name of one of its scenes, got none", hint=names)
    return scenes[0]


def _method(masks: bool, steps: int) -> dict[str, Any]:
    around = {"kind": "sphere", "width": 64, "layers": 3, "skip": None, "octaves": 6}
    return {
        "kind": "neural_surface",
        "surface": {"sdf": {"kind": "hash"}, "colour": {"width": 64, "layers": 2}, "unit_normals": True},
        "background": {"kind": "plain"} if masks else around,
        "sampling": {"kind": "march", "outside": 0 if masks else 16},
        "inside": 0.3 if masks else 0.0,
        "anneal": 0.0 if masks else 0.2,
        "loss": {"points": 512},
        "scales": {"networks": 0.2, "sharpness": 0.3},
        "steps": steps,
    }


def _training(steps: int) -> dict[str, Any]:
    optim = {"kind": "adam", "rate": 1e-2, "floor": 0.02, "warm_up": 50, "clip_norm": None, "epsilon": 1e-15}
    return {"steps": steps, "optim": optim, "log_every": 100, "save_every": 1000}


def _figures(report: Report) -> dict[str, str]:
    """The figures of the held-out views, for the report."""
    (table,) = report.tables
    (row,) = table.rows.values()
    return {
        f"{name}, held-out views": f"{value:.3f}"
        for name, value in zip(table.columns, row, strict=True)
        if value is not None
    }
