"""Rays through pixels of posed images, in coordinates in which the region of interest is the unit ball."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.errors import DataError
from scene3d.geometry.camera import pixel_centres
from scene3d.geometry.rays import pixel_rays
from scene3d.structures.frames import Frames


@dataclass(frozen=True)
class ImageRays:
    """Rays and what the images say at their pixels.

    Attributes:
        origins, directions: in units; directions of length 1.
        colour: RGB in [0, 1].
        mask: where the object is; None where nobody said.
    """

    origins: Float[Tensor, "R 3"]
    directions: Float[Tensor, "R 3"]
    colour: Float[Tensor, "R 3"]
    mask: Bool[Tensor, "R"] | None  # noqa: UP037


def draw_rays(frames: Frames, unit_to_world: Float[Tensor, "4 4"], count: int, inside: float = 0.0) -> ImageRays:
    """Random rays through view 0 of each snippet, as many from each.

    Args:
        frames: with their transforms; pixels that are not valid are not drawn.
        unit_to_world: of the region of interest; scaled and moved, not turned.
        count: rays in all; rounded down to as many from each image.
        inside: share of an image's rays that go through its mask, where there is one and it is not empty; the others
            go anywhere.

    Raises:
        DataError: a view has no transform, or no valid pixel.
    """
    images = len(frames.image)
    parts = []
    for index in range(images):
        mask = None if frames.mask is None else frames.mask[index, 0].flatten()
        valid = None if frames.valid is None else frames.valid[index, 0].flatten()
        pixels = _draw_pixels(frames, index, max(count // images, 1), mask, valid, inside)
        width = frames.image.shape[-1]
        places = torch.stack([pixels % width, pixels // width], dim=1) + 0.5
        origins, directions = unit_rays(frames, index, places.to(frames.K.dtype), unit_to_world)
        colour = frames.image[index, 0].flatten(1)[:, pixels].T
        parts.append(ImageRays(origins, directions, colour, None if mask is None else mask[pixels]))
    masks = [part.mask for part in parts if part.mask is not None]
    return ImageRays(
        torch.cat([part.origins for part in parts]),
        torch.cat([part.directions for part in parts]),
        torch.cat([part.colour for part in parts]),
        torch.cat(masks) if masks else None,
    )


def all_rays(
    frames: Frames, index: int, unit_to_world: Float[Tensor, "4 4"]
) -> tuple[Float[Tensor, "R 3"], Float[Tensor, "R 3"]]:
    """Origins and directions of the rays through every pixel of view 0 of a snippet, row after row, in units.

    Raises:
        DataError: the view has no transform.
    """
    height, width = frames.image.shape[-2:]
    places = pixel_centres(height, width, device=frames.K.device).reshape(-1, 2)
    return unit_rays(frames, index, places.to(frames.K.dtype), unit_to_world)


def unit_rays(
    frames: Frames, index: int, places: Float[Tensor, "R 2"], unit_to_world: Float[Tensor, "4 4"]
) -> tuple[Float[Tensor, "R 3"], Float[Tensor, "R 3"]]:
    """Origins and unit directions, in units, of the rays through places (x, y) of view 0 of a snippet.

    Raises:
        DataError: the view has no transform.
    """
    if frames.cam_to_world is None:
        name = frames.names[index] if frames.names else "frames"
        raise DataError(f"{name}: expected images whose cameras' places are known, got none")
    # The world may be far from its origin: what is left after the similarity is small enough for float32.
    cam_to_unit = frames.cam_to_world[index, 0].double()
    placed = unit_to_world.double()
    cam_to_unit = torch.cat([cam_to_unit[:3, :3], (cam_to_unit[:3, 3:] - placed[:3, 3:]) / placed[0, 0]], dim=1)
    cam_to_unit = torch.cat([cam_to_unit, cam_to_unit.new_tensor([[0, 0, 0, 1]])]).to(places.dtype)
    return pixel_rays(places, frames.K[index, 0], cam_to_unit)


def _draw_pixels(
    frames: Frames, index: int, count: int, mask: Tensor | None, valid: Tensor | None, inside: float
) -> Tensor:
    """Flat indices of pixels."""
    device = frames.image.device
    pixels = frames.image.shape[-2] * frames.image.shape[-1]
    whole = None if valid is None or bool(valid.all()) else valid.nonzero()[:, 0]
    if whole is not None and len(whole) == 0:
        name = frames.names[index] if frames.names else "frames"
        raise DataError(f"{name}: expected an image with valid pixels, got none")
    drawn = _pick(whole, pixels, count, device)
    if mask is None or inside == 0:
        return drawn
    within = mask.nonzero()[:, 0] if valid is None else (mask & valid).nonzero()[:, 0]
    share = round(inside * count)
    return drawn if len(within) == 0 else torch.cat([_pick(within, pixels, share, device), drawn[share:]])


def _pick(candidates: Tensor | None, pixels: int, count: int, device: torch.device) -> Tensor:
    """Random ones of the candidates, or of all pixels."""
    if candidates is None:
        return torch.randint(pixels, (count,), device=device)
    return candidates[torch.randint(len(candidates), (count,), device=device)]
