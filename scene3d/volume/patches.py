"""Small square patches of the views that training renders, and their rays."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.geometry.rays import pixel_rays
from scene3d.structures.rays import Rays


@dataclass(frozen=True)
class Patches:
    """P square patches of `size` pixels in the V views of each of B scenes, by their first row and column."""

    view: Int[Tensor, "B P"]
    top: Int[Tensor, "B P"]
    left: Int[Tensor, "B P"]
    size: int

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
        """The cell of each patch in a map whose stride is the patch size."""
        batch = torch.arange(maps.shape[0], device=maps.device)[:, None]
        return maps[batch, self.view, :, self.top // self.size, self.left // self.size]

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
    usable: Bool[Tensor, "B V"], height: int, width: int, *, count: int, size: int, on_grid: bool
) -> Patches:
    """Patches drawn uniformly over the usable views of each scene.

    Args:
        usable: views to draw from; a scene without any draws from its view 0.
        height, width: of the views, pixels, at least `size`.
        count: patches a scene.
        size: edge of a patch, pixels.
        on_grid: only at multiples of `size`, where a teacher has its patches.
    """
    chances = usable.float()
    chances[:, 0] += (~usable.any(dim=1)).float()
    view = torch.multinomial(chances, count, replacement=True)
    step = size if on_grid else 1
    top = step * torch.randint(0, (height - size) // step + 1, view.shape, device=usable.device)
    left = step * torch.randint(0, (width - size) // step + 1, view.shape, device=usable.device)
    return Patches(view, top, left, size)
