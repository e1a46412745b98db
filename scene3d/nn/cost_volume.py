"""How well each depth of each pixel explains what other frames show, as input of a network.

Source: Watson et al., "The temporal opportunist: self-supervised multi-frame monocular depth", CVPR 2021, section 3.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import pad

from scene3d.ops.plane_sweep import SweepCost, plane_sweep

FLAT, ROUNDING = 1e-3, 1e-4
"""Share of a pixel's highest cost, and of the mean feature, by which its costs must differ to tell depths apart."""

BORDER = 2
"""Pixels of the maps along the border of an image that are not compared: padding reaches so far."""


@dataclass(frozen=True)
class Lookups:
    """Feature maps of N other frames of each of B images, and where their cameras stand.

    Attributes:
        features: channels last; of any size, unless the published function is wanted.
        K: in pixels of these maps.
        reference_to_cam: places the image's camera in each frame's camera.
        present: absent frames see nothing.
    """

    features: Float[Tensor, "B N h2 w2 C"]
    K: Float[Tensor, "B N 3 3"]
    reference_to_cam: Float[Tensor, "B N 4 4"]
    present: Bool[Tensor, "B N"]


class CostVolume(NamedTuple):
    """What the comparison found.

    Attributes:
        cost: mean absolute difference over channels and the frames that see the point; where none does, the highest
            cost of the pixel.
        confident: every depth of the pixel was seen by some frame, and they differ: a camera that stands still sees
            all depths alike.
        depth: that of the least cost; that of the first hypothesis where nothing was seen.
    """

    cost: Float[Tensor, "B D h w"]
    confident: Bool[Tensor, "B h w"]
    depth: Float[Tensor, "B h w"]


def cost_volume(
    features: Float[Tensor, "B h w C"],
    K: Float[Tensor, "B 3 3"],
    lookups: Lookups,
    depths: Float[Tensor, "B D #h #w"],
    compat: Literal["manydepth"] | None = None,
) -> CostVolume:
    """Compare an image's features with those of other frames at D depths.

    Args:
        features: of the image, channels last.
        K: in pixels of that map.
        lookups: the other frames.
        depths: hypotheses along z, of the unit of the transforms; for all pixels alike, or for each its own.
        compat: "manydepth" computes what the published network saw: pixels with a border of their own on the target,
            too, points behind a camera counted where they project into its image, differences of exactly 0 taken
            for not seen, pixels confident whose costs are all alike.
    """
    A, shift = _projections(K, lookups)
    sources, margin = lookups.features, float(BORDER)
    if compat == "manydepth":
        # Behind the camera the projection is that of the mirrored one. One more column makes the border, which there
        # is counted from integer centres of pixels to w - 2, one of [2.5, w - 1.5].
        A, shift, sources = torch.cat([A, -A], dim=1), torch.cat([shift, -shift], dim=1), sources.repeat(1, 2, 1, 1, 1)
        sources, margin = pad(sources, (0, 0, 0, 1, 0, 1)), BORDER + 0.5
    swept = plane_sweep(features.contiguous(), sources.contiguous(), A, shift, depths, margin=margin)
    seen = swept.seen_by > 0
    if compat == "manydepth":
        seen = seen & (swept.cost > 0) & _within(seen.shape[-2:], seen.device)
    found = _filled(swept.cost, seen, depths)
    if compat == "manydepth":
        return found
    highest, lowest = found.cost.amax(dim=1), found.cost.amin(dim=1)
    tells = highest - lowest > FLAT * highest + ROUNDING * features.abs().mean()
    return found._replace(confident=found.confident & tells)


def sweep(
    features: Float[Tensor, "B h w C"], K: Float[Tensor, "B 3 3"], lookups: Lookups, depths: Float[Tensor, "B D #h #w"]
) -> SweepCost:
    """The plain comparison, with gradients to all features; see `plane_sweep`."""
    A, shift = _projections(K, lookups)
    return plane_sweep(features.contiguous(), lookups.features.contiguous(), A, shift, depths, margin=float(BORDER))


def _projections(K: Float[Tensor, "B 3 3"], lookups: Lookups) -> tuple[Tensor, Tensor]:
    """``K' R K^-1`` and ``K' t``; not a number for absent frames, which thereby see nothing."""
    to_cam = lookups.reference_to_cam
    A = lookups.K @ to_cam[..., :3, :3] @ torch.linalg.inv(K)[:, None]
    shift = (lookups.K @ to_cam[..., :3, 3:])[..., 0]
    absent = ~lookups.present[..., None]
    return A.masked_fill(absent[..., None], torch.nan), shift.masked_fill(absent, torch.nan)


def _within(size: tuple[int, int] | torch.Size, device: torch.device) -> Bool[Tensor, "h w"]:
    inner = torch.zeros(size, dtype=torch.bool, device=device)
    inner[BORDER:-BORDER, BORDER:-BORDER] = True
    return inner


def _filled(cost: Float[Tensor, "B D h w"], seen: Bool[Tensor, "B D h w"], depths: Tensor) -> CostVolume:
    highest = cost.masked_fill(~seen, 0).amax(dim=1, keepdim=True)
    best = cost.masked_fill(~seen, torch.inf).argmin(dim=1, keepdim=True)
    depth = depths.expand_as(cost).gather(1, best)[:, 0]
    return CostVolume(torch.where(seen, cost, highest), seen.all(dim=1), depth)
