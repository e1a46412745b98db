"""Where a mask says what the others of its scene deny: a backdrop taken for the object, say."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.data.assembly import shot_masks, shots_in_world
from scene3d.data.views import ViewReader, view_camera
from scene3d.errors import DataError
from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.se3 import rigid
from scene3d.geometry.visual_hull import HullView, agreed_hull, hull_silhouette
from scene3d.structures.scene import Shot

CELLS = 192
"""Voxels along the longest edge of the bounds."""

RIM = 1
"""Pixels about the hull in which nothing is disputed."""


def disputed_pixels(
    shots: Sequence[Shot], bounds: Float[Tensor, "2 3"], reader: ViewReader, agreement: float
) -> list[Bool[Tensor, "H W"]]:
    """Pixels of each shot's mask that see no place which enough of the masks hold.

    Args:
        shots: at least one.
        bounds: corners (min, max) in the world of what holds the object.
        reader: of the masks.
        agreement: share of the shots that show a place whose masks must hold it.

    Raises:
        DataError: a shot has no mask or no transform, a mask cannot be read, or they agree on nothing.
    """
    places, masks = shots_in_world(shots)[0], list(shot_masks(shots, reader)[0])
    cameras = [view_camera(shot, reader.height, reader.width) for shot in shots]
    views = [HullView(camera, place) for camera, place in zip(cameras, places, strict=True)]
    low, high = bounds.double()
    box = OrientedBox(box_to_world=rigid(torch.eye(3).double(), (low + high) / 2), half=(high - low) / 2)
    voxels, edge = agreed_hull(views, masks, box, agreement, CELLS)
    if len(voxels) == 0:
        raise DataError(
            f"{shots[0].mask}: expected a place in the region of interest that {agreement:.0%} of {len(shots)} masks "
            "hold, got none",
            hint="agreement: null, or less",
        )
    return [mask & ~_grown(hull_silhouette(view, voxels, edge)) for view, mask in zip(views, masks, strict=True)]


def _grown(mask: Bool[Tensor, "H W"]) -> Bool[Tensor, "H W"]:
    """The mask and what lies at its rim."""
    return torch.nn.functional.max_pool2d(mask[None].float(), 2 * RIM + 1, stride=1, padding=RIM)[0] > 0
