"""What rays see of a surface, and the points that it is asked at besides."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from scene3d.errors import DataError
from scene3d.losses.surface import colour_difference
from scene3d.volume.image_rays import ImageRays
from scene3d.volume.surface_renderer import SurfaceRendering


class SeenRays(NamedTuple):
    """What R rays see of a surface.

    Attributes:
        colour: RGB in [0, 1], with what is behind the surface.
        distance: along the ray, units; 0 where it meets no surface.
        normals: outward unit vectors; 0 where it meets none.
        opacity: how much of the ray the surface stops, in [0, 1].
    """

    colour: Float[Tensor, "R 3"]
    distance: Float[Tensor, "R"]  # noqa: UP037
    normals: Float[Tensor, "R 3"]
    opacity: Float[Tensor, "R"]  # noqa: UP037


def colour_seen(
    seen: SurfaceRendering, rays: ImageRays, plain: str | None, names: tuple[str, ...]
) -> Float[Tensor, ""]:
    """Difference between the colours that rays see and those of their images.

    Args:
        seen: what the rays see.
        rays: the same, with their colours.
        plain: the one colour behind the surface, "random" for another of every ray; None where what is behind is
            rendered, too.
        names: of the frames, for messages.

    Raises:
        DataError: random colours need masks, and there are none.
    """
    if plain is None:
        return colour_difference(seen.colour, rays.colour)
    if plain == "random" and rays.mask is None:
        raise DataError(
            f"{names[0] if names else 'frames'}: expected masks, for a random background, got none",
            hint="data.snippets.masks: true, or method.background: {kind: sphere}",
        )
    behind = torch.rand_like(rays.colour)
    if plain != "random":
        behind = torch.full_like(rays.colour, float(plain == "white"))
    target = rays.colour if rays.mask is None else torch.where(rays.mask[:, None], rays.colour, behind)
    return colour_difference(seen.colour + (1 - seen.opacity)[:, None] * behind, target)


def points_in_ball(count: int, like: Tensor) -> Float[Tensor, "N 3"]:
    """Random points, uniform in the unit ball."""
    reach = torch.rand(count, 1, device=like.device, dtype=like.dtype) ** (1 / 3)
    drawn = torch.randn(count, 3, device=like.device, dtype=like.dtype)
    return nn.functional.normalize(drawn, dim=1) * reach
