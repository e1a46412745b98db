"""Rays through pixels of posed images, in coordinates in which the region of interest is the unit ball."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.errors import DataError
from scene3d.geometry.camera import pixel_centres, unproject
from scene3d.geometry.normals import depth_normals
from scene3d.geometry.rays import pixel_rays
from scene3d.structures.frames import Frames

Refine = Callable[[Tensor, Tensor], Tensor]
"""Transforms of cameras [4, 4] and the numbers of their images to better ones."""

Aim = Callable[[Tensor, Tensor], Tensor]
"""Origins and directions of R rays to which of them go where they are to go."""

CANDIDATES = 4
"""Rays that are drawn for each that is kept, where they are to go somewhere."""


@dataclass(frozen=True)
class ImageRays:
    """Rays and what the images say at their pixels; as many of each of B images, one image after the other.

    Attributes:
        origins, directions: in units; directions of length 1.
        colour: RGB in [0, 1].
        mask: where the object is; None where nobody said.
        depth: along the camera's axis: a network's guess where the frames have one, up to a scale and a shift an image,
            else as it was measured; None where they have neither.
        depth_known: where that says something.
        forward: depth along the camera's axis of a place one unit along the ray.
        normals: towards the camera, in the axes of the world: a network's guess where the frames have one, else of the
            measured depth's surface; 0 where unknown; None where they have neither, or not asked for.
        images: B.
    """

    origins: Float[Tensor, "R 3"]
    directions: Float[Tensor, "R 3"]
    colour: Float[Tensor, "R 3"]
    forward: Float[Tensor, "R"]  # noqa: UP037
    mask: Bool[Tensor, "R"] | None = None  # noqa: UP037
    depth: Float[Tensor, "R"] | None = None  # noqa: UP037
    depth_known: Bool[Tensor, "R"] | None = None  # noqa: UP037
    normals: Float[Tensor, "R 3"] | None = None
    images: int = 1

    def take(self, kept: Int[Tensor, "K"]) -> ImageRays:  # noqa: UP037
        """Some of the rays, of one image; the answer is of one."""
        picked: dict[str, Any] = {name: v[kept] for name, v in vars(self).items() if isinstance(v, Tensor)}
        return ImageRays(**picked)


def draw_rays(
    frames: Frames,
    unit_to_world: Float[Tensor, "4 4"],
    count: int,
    inside: float = 0.0,
    *,
    refine: Refine | None = None,
    aim: Aim | None = None,
    region: Aim | None = None,
    normals: bool = False,
) -> ImageRays:
    """Random rays through view 0 of each snippet, as many from each.

    Args:
        frames: with their transforms; pixels that are not valid are not drawn.
        unit_to_world: of the region of interest; scaled and moved, not turned.
        count: rays in all; rounded down to as many from each image.
        inside: share of an image's rays that go through its mask, where there is one and it is not empty, or with an
            `aim` through that; the others go anywhere.
        refine: see `unit_rays`.
        aim: what to go through instead of masks, as far as an image shows it.
        region: what rays that need not go through a mask are to meet, as far as an image shows it; the others would see
            nothing. Not with an `aim`.
        normals: whether to tell them, where the frames know any.

    Raises:
        DataError: a view has no transform, or no valid pixel.
    """
    images = len(frames.image)
    parts = []
    for index in range(images):
        valid = None if frames.valid is None else frames.valid[index, 0].flatten()
        mask = None if frames.mask is None else frames.mask[index, 0].flatten()
        mask = mask & valid if mask is not None and valid is not None else mask
        wanted = max(count // images, 1)
        drawn = wanted if aim is None and region is None else CANDIDATES * wanted
        through = 0 if aim is not None or mask is None or not mask.any() else round(inside * wanted)
        pixels = _draw_pixels(frames, index, drawn, mask, valid, through)
        rays = _rays_at(frames, index, pixels, unit_to_world, refine, normals=normals)
        if aim is not None:
            rays = _aimed(rays, aim, wanted, inside)
        elif region is not None:
            rays = _meeting(rays, region, wanted, through)
        parts.append(rays)
    return parts[0] if images == 1 else joined(parts)


def _aimed(rays: ImageRays, aim: Aim, count: int, share: float) -> ImageRays:
    """So many of the rays: that share of them, or as many as there are, go where they are to go."""
    hits = aim(rays.origins.detach(), rays.directions.detach()).nonzero()[: round(share * count), 0]
    rest = torch.arange(len(rays.origins) - count + len(hits), len(rays.origins), device=hits.device)
    return rays.take(torch.cat([hits, rest]))


def _meeting(rays: ImageRays, region: Aim, count: int, first: int) -> ImageRays:
    """So many of the rays: the first of them, then those that meet the region, before those that do not."""
    missed = ~region(rays.origins.detach(), rays.directions.detach())
    missed[:first] = False
    return rays.take(missed.to(torch.uint8).argsort(stable=True)[:count])


def joined(parts: list[ImageRays]) -> ImageRays:
    """The rays of several images as one; what some of them do not know is not known."""
    names = [name for name in vars(parts[0]) if name != "images"]
    values = {name: [getattr(part, name) for part in parts] for name in names}
    known = {name: torch.cat(value) for name, value in values.items() if all(v is not None for v in value)}
    return ImageRays(**known, images=len(parts))


def _rays_at(
    frames: Frames,
    index: int,
    pixels: Int[Tensor, "R"],  # noqa: UP037
    unit_to_world: Float[Tensor, "4 4"],
    refine: Refine | None,
    *,
    normals: bool,
) -> ImageRays:
    """Rays through pixels, told by their flat indices."""
    width = frames.image.shape[-1]
    places = torch.stack([pixels % width, pixels // width], dim=1) + 0.5
    origins, directions = unit_rays(frames, index, places.to(frames.K.dtype), unit_to_world, refine)
    ahead = unproject(places.to(frames.K.dtype), torch.ones_like(directions[:, 0]), frames.K[index, 0])
    told = frames.depth if frames.cue_depth is None else frames.cue_depth
    depth = None if told is None else told[index, 0].flatten()[pixels]
    around = _world_normals(frames, index) if normals else None
    return ImageRays(
        origins=origins,
        directions=directions,
        colour=frames.image[index, 0].flatten(1)[:, pixels].T,
        forward=1 / ahead.norm(dim=1),
        mask=None if frames.mask is None else frames.mask[index, 0].flatten()[pixels],
        depth=depth,
        depth_known=None if depth is None else (depth > 0) | (frames.cue_depth is not None),
        normals=None if around is None else around.flatten(0, 1)[pixels],
    )


def _world_normals(frames: Frames, index: int) -> Float[Tensor, "H W 3"] | None:
    """Normals that a network guessed of a view, or else of its depth, in the axes of the world; 0 where unknown."""
    assert frames.cam_to_world is not None
    if frames.cue_normals is not None:
        normals = frames.cue_normals[index, 0].movedim(0, -1)
    elif frames.depth is not None:
        normals = depth_normals(frames.depth[index, 0], frames.K[index, 0])
    else:
        return None
    return normals @ frames.cam_to_world[index, 0, :3, :3].to(normals).mT


def all_rays(
    frames: Frames, index: int, unit_to_world: Float[Tensor, "4 4"], refine: Refine | None = None
) -> tuple[Float[Tensor, "R 3"], Float[Tensor, "R 3"]]:
    """Origins and directions of the rays through every pixel of view 0 of a snippet, row after row, in units.

    Raises:
        DataError: the view has no transform.
    """
    height, width = frames.image.shape[-2:]
    places = pixel_centres(height, width, device=frames.K.device).reshape(-1, 2)
    return unit_rays(frames, index, places.to(frames.K.dtype), unit_to_world, refine)


def unit_rays(
    frames: Frames,
    index: int,
    places: Float[Tensor, "R 2"],
    unit_to_world: Float[Tensor, "4 4"],
    refine: Refine | None = None,
) -> tuple[Float[Tensor, "R 3"], Float[Tensor, "R 3"]]:
    """Origins and unit directions, in units, of the rays through places (x, y) of view 0 of a snippet.

    Args:
        frames: with transforms.
        index: of the snippet.
        places: in pixels.
        unit_to_world: of the region of interest; scaled and moved, not turned.
        refine: corrects transforms to units of frames that have a number.

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
    if refine is not None and frames.number is not None:
        cam_to_unit = refine(cam_to_unit, frames.number[index])
    return pixel_rays(places, frames.K[index, 0], cam_to_unit)


def _draw_pixels(
    frames: Frames, index: int, count: int, mask: Tensor | None, valid: Tensor | None, through: int
) -> Tensor:
    """Flat indices of pixels, the first so many of them in the mask."""
    device = frames.image.device
    pixels = frames.image.shape[-2] * frames.image.shape[-1]
    whole = None if valid is None or bool(valid.all()) else valid.nonzero()[:, 0]
    if whole is not None and len(whole) == 0:
        name = frames.names[index] if frames.names else "frames"
        raise DataError(f"{name}: expected an image with valid pixels, got none")
    drawn = _pick(whole, pixels, count, device)
    if mask is None or through == 0:
        return drawn
    return torch.cat([_pick(mask.nonzero()[:, 0], pixels, through, device), drawn[through:]])


def _pick(candidates: Tensor | None, pixels: int, count: int, device: torch.device) -> Tensor:
    """Random ones of the candidates, or of all pixels."""
    if candidates is None:
        return torch.randint(pixels, (count,), device=device)
    return candidates[torch.randint(len(candidates), (count,), device=device)]
