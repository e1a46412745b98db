"""The views of a snippet, placed around its reference camera, and which of them are reconstructed from which."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.errors import ConfigError, DataError
from scene3d.geometry.se3 import invert
from scene3d.structures.frames import Frames


@dataclass(frozen=True)
class PlacedViews:
    """V views of each of B snippets, in the coordinates of the field: those of view 0's camera."""

    image: Float[Tensor, "B V 3 H W"]
    K: Float[Tensor, "B V 3 3"]
    cam_to_field: Float[Tensor, "B V 4 4"]
    valid: Bool[Tensor, "B V H W"]
    present: Bool[Tensor, "B V"]
    depth: Float[Tensor, "B V H W"] | None
    hint: Float[Tensor, "B V H W"] | None

    def pick(self, index: Int[Tensor, "B L"]) -> PlacedViews:
        """Some of the views, by their number."""
        batch = torch.arange(index.shape[0], device=index.device)[:, None]
        return PlacedViews(
            image=self.image[batch, index],
            K=self.K[batch, index],
            cam_to_field=self.cam_to_field[batch, index],
            valid=self.valid[batch, index],
            present=self.present[batch, index],
            depth=None if self.depth is None else self.depth[batch, index],
            hint=None if self.hint is None else self.hint[batch, index],
        )


def place_views(frames: Frames) -> PlacedViews:
    """The views of snippets whose cameras are known.

    Raises:
        DataError: the frames carry no transforms.
    """
    if frames.cam_to_world is None or frames.posed is not None:
        names = ", ".join(frames.names) or "frames"
        got = "none" if frames.cam_to_world is None else "some"
        raise DataError(f"{names}: expected cam_to_world of every view, got {got}", hint="give the drive its poses")
    valid = frames.valid
    if valid is None:
        valid = frames.present[..., None, None].expand(*frames.image.shape[:2], *frames.image.shape[-2:])
    cam_to_field = invert(frames.cam_to_world[:, :1]) @ frames.cam_to_world
    return PlacedViews(frames.image, frames.K, cam_to_field, valid, frames.present, frames.depth, frames.hint)


def split_pairs(present: Bool[Tensor, "B V"]) -> tuple[Int[Tensor, "B L"], Int[Tensor, "B S"]]:
    """One view of each pair (0, 1), (2, 3), ... to reconstruct, the other to fetch colours from, by a fair coin.

    A pair is a camera at two times, so each reconstruction needs geometry that holds over time and
    between cameras. Where one view of a pair is absent, the views that are left alone take turns, so
    that a stereo pair without a neighbour in time still teaches.

    Args:
        present: which views there are; V is even.

    Raises:
        ConfigError: an odd number of views.
    """
    batch, views = present.shape
    if views % 2:
        raise ConfigError(f"data.snippets.views: expected pairs, got {views} views", hint="add the last one's partner")
    pairs = present.unflatten(1, (-1, 2))
    coin = torch.randint(0, 2, pairs.shape[:2], device=present.device)
    alone = pairs[..., 0] != pairs[..., 1]
    which = pairs[..., 1].long()
    turn = (alone.cumsum(dim=1) + torch.randint(0, 2, (batch, 1), device=present.device)) % 2
    coin = torch.where(alone, torch.where(turn == 0, which, 1 - which), coin)
    first = torch.arange(0, views, 2, device=present.device).expand(batch, -1)
    return first + coin, first + 1 - coin


def covered(frames: Frames) -> Bool[Tensor, "B V H W"]:
    """True on pixels that a view really shows."""
    return (
        frames.image.new_ones(frames.image[:, :, 0].shape, dtype=torch.bool) if frames.valid is None else frames.valid
    )


def draw_view(frames: Frames) -> tuple[Float[Tensor, "B 3 H W"], Float[Tensor, "B 3 3"], Bool[Tensor, "B H W"]]:
    """Image, K and mask of one view of each snippet: half of the time the reference, else another."""
    others = frames.present[:, 1:].float()
    reference = others.sum(dim=1, keepdim=True)
    chances = torch.cat([torch.where(reference > 0, reference, 1.0), others], dim=1)
    view = torch.multinomial(chances, 1)[:, 0]
    each = torch.arange(len(view), device=view.device)
    return frames.image[each, view], frames.K[each, view], covered(frames)[each, view]
