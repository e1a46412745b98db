"""Depth of one view by matching it with others, and whether two views agree about it."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field, PositiveFloat, PositiveInt, field_validator
from torch import Tensor

from scene3d.config import Config
from scene3d.geometry.camera import inside, pixel_centres, project, unproject
from scene3d.geometry.se3 import transform
from scene3d.stereo.plane_sweep import matching_cost
from scene3d.stereo.semi_global import semi_global


class MatchingConfig(Config):
    """How views are matched.

    Attributes:
        nearest: nearest hypothesis of depth, metres; the farthest is infinity.
        hypotheses: how many, evenly spaced in inverse depth.
        window: edge of the compared windows, pixels; odd.
        small, large: prices of a small and of any step of depth between neighbouring pixels (see `semi_global`).
        doubt: a match whose windows differ more than this (0 equal, 0.5 unrelated) is not believed.
        tolerance: two views agree when their inverse depths differ by at most so many hypotheses.
    """

    nearest: PositiveFloat = 2.0
    hypotheses: PositiveInt = 64
    window: PositiveInt = 5
    small: float = Field(0.1, ge=0)
    large: float = Field(0.4, ge=0)
    doubt: float = Field(0.4, ge=0, le=1)
    tolerance: PositiveFloat = 1.0

    @field_validator("window")
    @classmethod
    def _has_a_middle(cls, window: int) -> int:
        if window % 2 == 0:
            raise ValueError(f"expected an odd number of pixels, got {window}")
        return window

    @property
    def step(self) -> float:
        """From one hypothesis to the next, 1/m."""
        return 1 / self.nearest / (self.hypotheses - 1)


def match(
    image: Float[Tensor, "3 H W"],
    K: Float[Tensor, "3 3"],
    sources: Float[Tensor, "V 3 H W"],
    source_K: Float[Tensor, "V 3 3"],
    cam_to_source: Float[Tensor, "V 4 4"],
    config: MatchingConfig,
) -> tuple[Float[Tensor, "H W"], Bool[Tensor, "H W"]]:
    """Inverse depth along z (1/m, 0 = infinitely far) of a view, and where its windows really match.

    A point counts as matched as soon as one source shows it, so what is hidden from, or moves between, some
    of them does no harm.

    Args:
        image: the view.
        K: of the view, in its pixels.
        sources: other views, of the same size.
        source_K: of the sources.
        cam_to_source: places the view's camera in the sources' coordinates.
        config: see there.
    """
    nearness = torch.arange(config.hypotheses, device=K.device) * config.step
    cost = matching_cost(image, K, sources, source_K, cam_to_source, nearness, config.window).amin(dim=0)
    smooth = semi_global(cost[None], config.small, config.large)[0]
    best = smooth.argmin(dim=0, keepdim=True)
    alike = cost.gather(0, best)[0] <= config.doubt
    return (best[0] + off_centre(smooth, best)) * config.step, alike


def agree(
    nearness: Float[Tensor, "H W"],
    K: Float[Tensor, "3 3"],
    other_nearness: Float[Tensor, "H W"],
    other_K: Float[Tensor, "3 3"],
    cam_to_other: Float[Tensor, "4 4"],
    tolerance: float,
) -> Bool[Tensor, "H W"]:
    """Where another view, looking at the same point, says the same inverse depth, up to a tolerance (1/m)."""
    height, width = nearness.shape
    pixels = pixel_centres(height, width, device=K.device).reshape(-1, 2)
    # Infinity is moved to where the float still is a number; its pixel is the same.
    points = unproject(pixels, 1 / nearness.reshape(-1).clamp(min=1e-4), K)
    found, depth = project(transform(cam_to_other, points), other_K)
    seen = inside(found, depth, height, width)
    column, row = found.nan_to_num().long().unbind(dim=-1)
    there = other_nearness[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return (seen & ((there - 1 / depth).abs() <= tolerance)).reshape(height, width)


def off_centre(cost: Float[Tensor, "*batch D H W"], best: Int[Tensor, "*batch 1 H W"]) -> Float[Tensor, "*batch H W"]:
    """Minimum of the parabola through the best hypothesis and its neighbours, in [-0.5, 0.5] hypotheses."""
    centre = best.clamp(1, cost.shape[-3] - 2)
    below, here, above = (cost.gather(-3, centre + step).squeeze(-3) for step in (-1, 0, 1))
    offset = (below - above) / (2 * (below - 2 * here + above)).clamp(min=1e-6)
    return torch.where((best == centre).squeeze(-3), offset.clamp(-0.5, 0.5), 0.0)
