"""Which pixels of a drive are to be believed: confident, not moving, and seen alike from a neighbouring frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from scene3d.config import Config
from scene3d.geometry.camera import inside, to_grid
from scene3d.geometry.depth import invert_depth
from scene3d.geometry.se3 import invert
from scene3d.geometry.warp import reproject
from scene3d.structures.drive import DriveStep


class TrustConfig(Config):
    """What a pixel must show to become part of a solid.

    Attributes:
        nearest, farthest: range of believed depths, in its unit: metres where it is metric.
        confidence: at least this, where the method says one.
        deviation: at most this share of the depth, where the method says one.
        agreement: a neighbouring frame's depth differs by at most this share; None does not ask for it.
    """

    nearest: float = Field(default=0.5, gt=0)
    farthest: float = Field(default=40.0, gt=0)
    confidence: float = Field(default=0.5, ge=0, le=1)
    deviation: float = Field(default=0.1, gt=0)
    agreement: float | None = Field(default=0.05, gt=0)


def trusted(steps: Iterable[DriveStep], config: TrustConfig = TrustConfig()) -> Iterator[DriveStep]:  # noqa: B008
    """The same frames with a depth of 0 wherever it is not to be believed; two of them are in memory.

    A pixel is compared with the frame before, which from behind sees nearly all that it does, and with the frame after:
    one of them must agree. Frames whose place is unknown are left out.

    Args:
        steps: of one drive, in order.
        config: what to believe.
    """
    before: DriveStep | None = None
    kept: Bool[Tensor, "H W"] | None = None  # of the frame before, by the one before that
    for step in steps:
        if config.agreement is None:
            if step.cam_to_world is not None:
                yield _believable(step, config)
            continue
        if before is not None and kept is not None:
            if step.cam_to_world is not None:
                kept = kept | _agreeing(before, step, config.agreement)
            yield _kept(_believable(before, config), kept)
        if step.cam_to_world is None:
            before = kept = None
        else:
            nothing = torch.zeros_like(step.prediction.depth[0], dtype=torch.bool)
            kept = nothing if before is None else _agreeing(step, before, config.agreement)
            before = step
    if before is not None and kept is not None:
        yield _kept(_believable(before, config), kept)


def agrees(
    depth: Float[Tensor, "H W"],
    K: Float[Tensor, "3 3"],
    other_depth: Float[Tensor, "h w"],
    other_K: Float[Tensor, "3 3"],
    cam_to_other: Float[Tensor, "4 4"],
    tolerance: float,
) -> Bool[Tensor, "H W"]:
    """Pixels whose point lies where another camera's depth image has one: neither in front of it nor hidden.

    The other depth is that of the pixel the point falls into, which knows thin things, or the one between the four
    pixels around it, which knows the road: inverse depth is linear over the image of a plane, while the depth of a
    road far ahead changes by more than the tolerance from row to row.

    Args:
        depth: along z; 0 agrees with nothing.
        K: of its image, pixels.
        other_depth: of the other camera; 0 agrees with nothing.
        other_K: of that image.
        cam_to_other: places the first camera in the other.
        tolerance: difference of the depths in the other camera, as a share of the point's.
    """
    height, width = other_depth.shape
    placed = reproject(depth[None], K[None], other_K[None], cam_to_other.to(depth)[None])
    pixels, wanted = placed[0].reshape(-1, 2), placed[1].flatten()
    seen = inside(pixels, wanted, height, width)
    # What is not seen has no pixel; it may have any, since it does not count.
    pixels = torch.where(seen[:, None], pixels, 0.5)
    near = torch.zeros_like(seen)
    for mode in ("nearest", "bilinear"):
        found, known = _look_up(other_depth, pixels, mode)
        near = near | (((found - wanted).abs() <= tolerance * wanted) & known)
    return (seen & near).reshape(depth.shape) & (depth > 0)


def _look_up(
    depth: Float[Tensor, "h w"],
    pixels: Float[Tensor, "N 2"],
    mode: str,
) -> tuple[Float[Tensor, "N"], Bool[Tensor, "N"]]:  # noqa: UP037
    """Depth at positions in an image, even in inverse depth, and whether all that it is made of is known."""
    known = (depth > 0) & torch.isfinite(depth)
    maps = torch.stack([torch.where(known, invert_depth(depth), 0.0), known.to(depth)])[None]
    grid = to_grid(pixels, *depth.shape)[None, None]
    inverse, share = F.grid_sample(maps, grid, mode=mode, padding_mode="border", align_corners=False)[0, :, 0]
    return invert_depth(inverse), share > 0.999


def _believable(step: DriveStep, config: TrustConfig) -> DriveStep:
    """What a frame says of itself."""
    said = step.prediction
    depth = said.depth
    kept = torch.isfinite(depth) & (depth >= config.nearest) & (depth <= config.farthest)
    if said.confidence is not None:
        kept = kept & (said.confidence >= config.confidence)
    if said.deviation is not None:
        # One over depth deviates by s; depth z then by z^2 s, which is the share z s of it.
        kept = kept & (said.deviation * depth <= config.deviation)
    if said.moving is not None:
        kept = kept & ~said.moving
    return _kept(step, kept[0])


def _agreeing(step: DriveStep, other: DriveStep, tolerance: float) -> Bool[Tensor, "H W"]:
    """Where a frame says what another says as well, be they sure of it or not."""
    assert step.cam_to_world is not None and other.cam_to_world is not None
    one, two = step.prediction, other.prediction
    cam_to_other = invert(other.cam_to_world) @ step.cam_to_world
    return agrees(one.depth[0], one.K[0], two.depth[0], two.K[0], cam_to_other, tolerance)


def _kept(step: DriveStep, kept: Bool[Tensor, "H W"]) -> DriveStep:
    depth = torch.where(kept, step.prediction.depth, 0.0)
    return replace(step, prediction=replace(step.prediction, depth=depth))
