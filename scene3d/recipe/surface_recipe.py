"""Which recipe fits a folder of photographs with cameras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from scene3d.config import parse
from scene3d.data.normalisation import RegionConfig
from scene3d.data.object_files import read_object
from scene3d.data.trees import LAYOUTS, kind_of_photographs
from scene3d.data.viewpoints import check_viewpoints
from scene3d.data.views import view_camera, view_to_world
from scene3d.errors import UsageError, wrong_file
from scene3d.recipe.recipe import Recipe
from scene3d.structures.scene import Scene

HOLD_OUT = 8
"""Every so manieth photograph is kept for scoring, where there are enough."""

ENOUGH = 16
"""Photographs of which some may be held out."""

ROOM = 1.4
"""The ball about an object's box is larger by this, for what it stands on."""

ELBOW_ROOM = 1.3
"""The ball that a room begins as reaches farther than its cameras by this: walls are found from near, not from afar."""

HOLLOW = (0.3, 0.9)
"""Least and largest radius of that ball, units."""

SHARP = 0.62
"""Last exponent of the sharpness without masks: a blur of 0.002."""

SQUARE = {"outliers": 0.1, "cosine": 5e-2, "l1": 5e-2}
"""The Manhattan prior as `configs/surface/red_kitchen_manhattan.yaml` has it."""

Bounds = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Lowest and highest corner of a box."""


def surface_recipe(
    folder: Path,
    *,
    scene: str | None = None,
    bounds: Bounds | None = None,
    masks: bool | None = None,
    found: Path | None = None,
    square: bool = False,
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
        found: folder of the object that is wanted, see `found_object`; bounds and masks are then left unread.
        square: whether to tell the surface that walls are at right angles, the way that edges in the photographs run.
        longest: edge that images are shrunk to, pixels.
        steps: of the training.

    Raises:
        DataError: the folder is of no layout; the cameras do not suffice.
        UsageError: there are several scenes and no name.
    """
    kind = kind_of_photographs(folder)
    seen = scene_of(folder, scene)
    data: dict[str, Any] = {"kind": kind, "root": str(folder)}
    check_viewpoints(seen)
    if masks is None:
        masks = all(shot.mask is not None for shot in seen.shots)
    masks = masks and found is None
    camera = view_camera(seen.shots[0], seen.shots[0].camera.height, seen.shots[0].camera.width)
    shrink = min(longest / max(camera.height, camera.width), 1.0)
    # NeuS' boxes are those of a ball.
    region: dict[str, Any] = {"bounds": bounds, "fit": "within" if kind == "neus" and bounds is None else "around"}
    begin: dict[str, Any] = {}
    if found is not None:
        region = {"object": str(found), "margin": ROOM}
    else:
        begin = _hollow(seen, region)
        if not begin and masks and region["fit"] == "around":
            begin = _within_bounds(seen, bounds)
            region["confined"] = bool(begin)
    snippets = {
        "height": round(camera.height * shrink),
        "width": round(camera.width * shrink),
        "region": region,
        "masks": masks,
        "room_axes": square,
        "cache": "memory",
        "views": [{"sensor": seen.shots[0].sensor}],
    }
    data |= {"train": [seen.name], "snippets": snippets, "scoring": snippets}
    data["hold_out"] = HOLD_OUT if len(seen.shots) >= ENOUGH else None
    method = _method(masks, steps) if found is None else _object_method(found, steps)
    method["surface"]["sdf"] |= begin
    if square:
        method["loss"]["manhattan"] = SQUARE | {"start": steps // 12, "ramp": max(steps // 4, 1)}
    tree = {"data": data, "method": method, "train": _training(steps)}
    return parse(Recipe, tree, folder)


def _within_bounds(scene: Scene, given: Bounds | None) -> dict[str, Any]:
    """A ball to begin with in the bounds of a scene, in units of theirs; nothing where there are no bounds."""
    bounds = scene.bounds if given is None else torch.tensor(given, dtype=torch.float64)
    if bounds is None:
        return {}
    half = (bounds[1] - bounds[0]).double() / 2
    return {"radius": min(0.9 * float(half.amin() / half.norm()), 0.5)}


def _hollow(scene: Scene, region: dict[str, Any]) -> dict[str, Any]:
    """A hollow ball about the cameras to begin with, where most of them stand in the region of interest: a room."""
    ball = parse(RegionConfig, region, scene.name).of(scene)
    centres = [placed[:3, 3].double() for shot in scene.shots if (placed := view_to_world(shot)) is not None]
    places = (torch.stack(centres) - ball.unit_to_world[:3, 3]) / ball.radius
    within = places[places.norm(dim=1) < 1]
    if len(within) <= len(places) / 2:
        return {}
    middle = within.mean(dim=0)
    reach = ELBOW_ROOM * float((within - middle).norm(dim=1).max())
    return {"inside_out": True, "centre": middle.tolist(), "radius": min(max(reach, HOLLOW[0]), HOLLOW[1])}


def scene_of(folder: Path, name: str | None) -> Scene:
    """The scene of a folder of photographs, or the one of this name.

    Raises:
        DataError: the folder is of no layout.
        UsageError: there are several scenes and no name.
    """
    kind = kind_of_photographs(folder)
    if kind is None:
        raise wrong_file(folder, expected=LAYOUTS, got="none of them" if folder.is_dir() else "no such folder")
    tree = {"data": {"kind": kind, "root": str(folder)}, "method": {"kind": "neural_surface"}}
    scenes = parse(Recipe, tree, folder).data.read(None if name is None else [name])
    if len(scenes) > 1:
        names = ", ".join(scene.name for scene in scenes[:5])
        raise UsageError(f"{folder}: expected the name of one of its scenes, got none", hint=names)
    return scenes[0]


def _method(masks: bool, steps: int) -> dict[str, Any]:
    return {
        "kind": "neural_surface",
        "surface": {
            "sdf": {"kind": "hash"},
            "colour": {"width": 64, "layers": 2},
            # Learnt before a mask it is sharp in time; without one it would be so before what is empty is known.
            "sharpened": None if masks else SHARP,
            "unit_normals": True,
        },
        "background": {"kind": "plain" if masks else "hash"},
        # A learnt sharpness is slow and asked for in short steps: on a scan of DTU that is worth 1.7 dB.
        "sampling": {"kind": "march", "step": 0.8, "reach": 6.0} if masks else {"kind": "march", "outside": 16},
        "inside": 0.3 if masks else 0.0,
        "anneal": 0.0 if masks else 0.2,
        "loss": {"points": 512},
        "scales": {"networks": 0.2, "sharpness": 0.1},
        "steps": steps,
    }


def _object_method(found: Path, steps: int) -> dict[str, Any]:
    """As without masks, but for the object alone: a small ball in its box to begin with."""
    method = _method(False, steps)
    half = read_object(found).box.half
    first = 0.8 * float(half.amin() / (ROOM * half.norm()))
    method["surface"]["sdf"] |= {"radius": first}
    return method | {"kind": "object_surface", "inside": 0.8}


def _training(steps: int) -> dict[str, Any]:
    optim = {"kind": "adam", "rate": 1e-2, "floor": 0.02, "warm_up": 50, "clip_norm": None, "epsilon": 1e-15}
    return {"steps": steps, "optim": optim, "log_every": 100, "save_every": 1000}
