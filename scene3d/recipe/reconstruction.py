"""From a folder of photographs to a mesh: which recipe fits them, and what is done by it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from scene3d.data.from_images import register_photographs
from scene3d.data.images import IMAGE_SUFFIXES, write_image
from scene3d.data.object_files import FILE as OBJECT_FILE
from scene3d.data.object_files import write_object
from scene3d.data.trees import LAYOUTS, kind_of_photographs
from scene3d.data.viewpoints import check_viewpoints
from scene3d.engine.surface_files import Surfaced, write_surface
from scene3d.errors import wrong_file
from scene3d.evaluation.report import Report
from scene3d.fusion.mesh_cleaning import CleaningConfig
from scene3d.fusion.meshing import MeshingConfig
from scene3d.objects.discovery import find_object
from scene3d.objects.region import grown_box
from scene3d.objects.silhouettes import silhouettes
from scene3d.recipe.recipe import Recipe
from scene3d.recipe.surface_recipe import Bounds, scene_of, surface_recipe
from scene3d.recipe.trained import evaluate, load
from scene3d.recipe.training import train

log = logging.getLogger(__name__)


BOX_ROOM = 1.15
"""An object's box is larger than its outlines by this: a surface that touches a face of it is cut open there."""


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
    find: bool = False,
    square: bool = False,
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
        scene, bounds, masks, square, longest, steps: see `surface_recipe`.
        find: look for the object that the photographs are of, without masks, and reconstruct it alone; what was found
            lies in `object/`, its masks in `masks/`.
        meshing: how fine the mesh is.
        cleaning: of the mesh; None keeps the largest part and, with masks, what lies within them grown by 2 % of the
            longest edge of the images.
        max_minutes: stop the training after that long.
        device: "auto", "cpu", "cuda", "cuda:1".
        turn: pictures of the turning video; 0 makes none.
        overwrite: throw away the run and the object that are there.
        progress: whether to show a bar.
        told: called with each file as it is written.

    Raises:
        DataError: the folder holds no photographs that can be used, or no surface was found.
        UsageError: there are several scenes and no name.
    """
    folder, out = Path(folder), Path(out)
    source = posed(folder, out / "posed")
    found = found_object(source, out / "object", scene=scene, overwrite=overwrite) if find else None
    recipe = surface_recipe(
        source,
        scene=scene,
        bounds=bounds,
        masks=masks,
        found=found,
        square=square,
        longest=longest,
        steps=steps,
    )
    run = train(recipe, out / "run", overwrite=overwrite, max_minutes=max_minutes, device=device, progress=progress)
    report = evaluate(run, split="val", device=device) if recipe.data.hold_out else None
    if cleaning is None:
        cleaning = CleaningConfig(dilation=0.02 * longest if recipe.data.snippets.masks else None)
    files = []
    for path in _written(recipe, run, out, folder.resolve().name, report, meshing, cleaning, turn, device, find):
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
    masks: bool,
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
        masks=masks,
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
        if any((folder / f"cameras.{end}").exists() for end in ("bin", "txt")):
            hint = "the folder that holds images/ and, in it, sparse/"
            raise wrong_file(folder, expected="photographs", got="a COLMAP model without them", hint=hint)
        got = "none of them" if folder.is_dir() else "no such folder"
        raise wrong_file(folder, expected=f"photographs, or {LAYOUTS}", got=got)
    if kind_of_photographs(found) is None:
        log.info("%s: no cameras: finding them by structure from motion", folder)
        register_photographs(folder, found)
    return found


def found_object(source: Path, folder: Path, *, scene: str | None = None, overwrite: bool = False) -> Path:
    """The folder with the object of a scene, which is looked for if it is not there yet. Masks are not read.

    Args:
        source: photographs with cameras, in one of the layouts.
        folder: for the object (`scene3d.data.object_files`) and its coarse silhouettes.
        scene: which, where there are several.
        overwrite: look again where there is one.

    Raises:
        DataError: no object was found; see `scene3d.objects.discovery.find_object`.
        MissingExtraError: the scene has no sparse points and pycolmap is not installed.
    """
    if (folder / OBJECT_FILE).exists() and not overwrite:
        return folder
    seen = scene_of(source, scene)
    check_viewpoints(seen)
    blind = replace(seen, shots=tuple(replace(shot, mask=None) for shot in seen.shots), bounds=None)
    region = find_object(blind)
    coarse = silhouettes(blind, region)
    folder.mkdir(parents=True, exist_ok=True)
    for shot, mask in zip(blind.shots, coarse.masks, strict=True):
        name = f"{shot.frame:010d}_{shot.sensor}.png"
        write_image(folder / name, mask.to(torch.uint8).expand(3, -1, -1) * 255)
    # Points are few where the object has no texture; its outlines miss nothing of it.
    box = grown_box(coarse.box, BOX_ROOM, standing=region.plane is not None)
    write_object(folder, replace(region, box=box))
    return folder


def _figures(report: Report) -> dict[str, str]:
    """The figures of the held-out views, for the report."""
    (table,) = report.tables
    (row,) = table.rows.values()
    return {
        f"{name}, held-out views": f"{value:.3f}"
        for name, value in zip(table.columns, row, strict=True)
        if value is not None
    }
