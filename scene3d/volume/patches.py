"""Small square patches of the views that training renders, and their rays."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from scene3d.errors import DataError
from scene3d.geometry.rays import pixel_rays
from scene3d.structures.rays import Rays

Origin = tuple[int, int]
"""Row and column of the first pixel of a grid of cells; it may lie outside of the image."""


@dataclass(frozen=True)
class Patches:
    """P square patches of `size` pixels in the V views of each of B scenes, by their first row and column.

    Attributes:
        origin: of the grid whose cells `take_cell` takes.
    """

    view: Int[Tensor, "B P"]
    top: Int[Tensor, "B P"]
    left: Int[Tensor, "B P"]
    size: int
    origin: Origin = (0, 0)

    def take(self, maps: Float[Tensor, "B V C H W"]) -> Float[Tensor, "B P C p p"]:
        """What the patches show of a map of the views."""
        batch = torch.arange(maps.shape[0], device=maps.device)[:, None, None, None]
        rows, columns = self._pixels()
        picked = maps[batch, self.view[..., None, None], :, rows[..., :, None], columns[..., None, :]]
        return rearrange(picked, "b p h w c -> b p c h w")

    def take_everywhere(self, maps: Float[Tensor, "B S C H W"]) -> Float[Tensor, "B P S C p p"]:
        """What the same pixels show of a map of any views, whichever view the patches are of."""
        batch = torch.arange(maps.shape[0], device=maps.device)[:, None, None, None]
        rows, columns = self._pixels()
        picked = maps[batch, :, :, rows[..., :, None], columns[..., None, :]]
        return rearrange(picked, "b p h w s c -> b p s c h w")

    def take_cell(self, maps: Float[Tensor, "B V C h w"]) -> Float[Tensor, "B P C"]:
        """The cell of each patch in a map whose stride is the patch size, and whose first cell begins at `origin`."""
        batch = torch.arange(maps.shape[0], device=maps.device)[:, None]
        rows, columns = self.top - self.origin[0], self.left - self.origin[1]
        return maps[batch, self.view, :, rows // self.size, columns // self.size]

    def rays(self, K: Float[Tensor, "B V 3 3"], cam_to_field: Float[Tensor, "B V 4 4"]) -> Rays:
        """A ray through the centre of every pixel, patch after patch, row after row."""
        rows, columns = self._pixels()
        size = self.size
        y = rows[..., :, None].expand(-1, -1, size, size)
        x = columns[..., None, :].expand(-1, -1, size, size)
        pixels = torch.stack([x, y], dim=-1).flatten(2, 3).to(K.dtype) + 0.5
        batch = torch.arange(K.shape[0], device=K.device)[:, None]
        origins, directions = pixel_rays(pixels, K[batch, self.view], cam_to_field[batch, self.view])
        return Rays(origins=origins.flatten(1, 2), directions=directions.flatten(1, 2))

    def _pixels(self) -> tuple[Int[Tensor, "B P p"], Int[Tensor, "B P p"]]:
        step = torch.arange(self.size, device=self.top.device)
        return self.top[..., None] + step, self.left[..., None] + step


def draw_patches(
    usable: Bool[Tensor, "B V"], height: int, width: int, *, count: int, size: int, grid: Origin | None
) -> Patches:
    """Patches drawn uniformly over the usable views of each scene.

    Args:
        usable: views to draw from; a scene without any draws from its view 0.
        height, width: of the views, pixels.
        count: patches a scene.
        size: edge of a patch, pixels.
        grid: only on cells of this grid, where a teacher has its patches, that lie in the view whole; None lets
            patches lie anywhere.

    Raises:
        DataError: a view is smaller than a patch.
    """
    if min(height, width) < size:
        raise DataError(
            f"views: expected at least {size}x{size} pixels, one patch, got {height}x{width}",
            hint="larger data.snippets.height and width, or a smaller method.patch",
        )
    chances = usable.float()
    chances[:, 0] += (~usable.any(dim=1)).float()
    view = torch.multinomial(chances, count, replacement=True)
    row, column = grid or (0, 0)
    step = 1 if grid is None else size
    top = _draw_starts(height - size, row % size, step, view)
    left = _draw_starts(width - size, column % size, step, view)
    return Patches(view, top, left, size, (row, column))


def draw_origin(height: int, width: int, size: int) -> Origin:
    """A grid of cells moved by up to half a cell either way, so that over the steps a teacher speaks of every place.

    Along a side that holds no two cells the grid stays: no whole cell would be left.

    Source: Jevtic et al., "Feed-forward SceneDINO", ICCV 2025.
    """
    row, column = torch.randint(-(size // 2), size - size // 2, (2,)).tolist()
    return row if height >= 2 * size else 0, column if width >= 2 * size else 0


def seen_from(images: Float[Tensor, "N C H W"], origin: Origin) -> Float[Tensor, "N C H W"]:
    """The images moved so that they begin at `origin`; what lies beyond them repeats their border."""
    row, column = origin
    if row == 0 and column == 0:
        return images
    height, width = images.shape[-2:]
    beyond = (max(-column, 0), max(column, 0), max(-row, 0), max(row, 0))
    grown = nn.functional.pad(images, beyond, mode="replicate")
    return grown[..., max(row, 0) :, max(column, 0) :][..., :height, :width]


def _draw_starts(room: int, first: int, step: int, like: Int[Tensor, "B P"]) -> Int[Tensor, "B P"]:
    """Multiples of a step after the first one, up to `room`."""
    return first + step * torch.randint(0, (room - first) // step + 1, like.shape, device=like.device)
