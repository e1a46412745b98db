"""Whether the cameras of a scene can say where a surface is: enough of them, apart from each other, and all known."""

from __future__ import annotations

import torch

from scene3d.data.views import view_to_world
from scene3d.errors import DataError, wrong_file
from scene3d.geometry.se3 import is_rigid
from scene3d.structures.scene import Scene

FEWEST = 3
"""Views from different places; two leave the depth of what only one of them sees open."""

SAME = 1e-6
"""Places nearer to each other than this share of the extent of all are one place."""

LINE = 1e-3
"""Places whose extent across is less than this share of that along lie on a line."""


def check_viewpoints(scene: Scene) -> None:
    """Refuse a scene whose cameras do not suffice for a surface, and one with masks for some images only.

    Raises:
        DataError: a camera's place is unknown or not finite; there are fewer than three different places, or they lie
            on a line; two images have the same camera at the same place; some images have masks and others have not.
    """
    for shot in scene.shots:
        placed = view_to_world(shot)
        if placed is None or not torch.isfinite(placed).all() or not bool(is_rigid(placed)):
            got = "an unknown one" if placed is None else f"{placed.tolist()}"[:80]
            raise wrong_file(shot.image, expected="a camera whose place is known", got=got)
    matrices = torch.stack([view_to_world(shot).double() for shot in scene.shots])  # type: ignore[union-attr]
    _check_twins(scene, matrices)
    centres = matrices[:, :3, 3]
    spread = centres - centres.mean(dim=0)
    _, extents, _ = torch.linalg.svd(spread, full_matrices=False)
    places = len(torch.unique((spread / extents[0].clamp(min=1e-12) / SAME).round(), dim=0))
    if places < FEWEST:
        raise DataError(
            f"{scene.name}: expected views from at least {FEWEST} different places, got {places}",
            hint="photographs from all around",
        )
    if len(extents) < 2 or extents[1] < LINE * extents[0]:
        raise DataError(
            f"{scene.name}: expected cameras around what they look at, got all {len(centres)} on a line",
            hint="photographs from higher or lower too",
        )
    _check_masks(scene)


def _check_twins(scene: Scene, matrices: torch.Tensor) -> None:
    """Two images of one place and direction are one image twice, or one of them has the place of another."""
    seen: dict[tuple[object, ...], int] = {}
    for number, matrix in enumerate(matrices):
        key = (scene.shots[number].sensor, *matrix.flatten().tolist())
        other = seen.setdefault(key, number)
        if other != number:
            twin, shot = scene.shots[other].image.name, scene.shots[number].image
            raise wrong_file(shot, expected="a place of its own for each camera", got=f"that of {twin}")


def _check_masks(scene: Scene) -> None:
    without = [shot.image for shot in scene.shots if shot.mask is None]
    if without and len(without) < len(scene.shots):
        got = f"masks for {len(scene.shots) - len(without)} of {len(scene.shots)} images"
        raise wrong_file(without[0], expected="a mask for every image, or for none", got=got)
