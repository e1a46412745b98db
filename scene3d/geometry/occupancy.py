"""How sure a density is that a cell is occupied, free, or of neither: a calibrated probability as an opinion.

A density means another thing nearby than far away, where an image says less. So each box around the car that completion
is scored in (a *ring*, less the boxes within it) has its own curve from density to probability.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.geometry.voxels import VoxelFrame

DENSITY_STEPS = (-3, 3, 241)
"""Densities that are told apart, 1/m: from 10^-3 to 10^3 in steps of 6 %."""


@dataclass(frozen=True)
class OccupancyCalibration:
    """From densities to probabilities, chosen on training data.

    Attributes:
        rings: depth and width of the boxes, ascending, metres; cells beyond the last one go with it.
        probability: that a cell is occupied whose density reaches exactly k of the `density_steps`.
        base_rate: share of the cells that are occupied, whatever their density.
    """

    rings: tuple[float, ...]
    probability: Float[Tensor, "rings bins"]
    base_rate: Float[Tensor, "rings"]  # noqa: UP037


class Opinion(NamedTuple):
    """Shares of belief that add up to 1.

    Attributes:
        occupied, free: what the density speaks for.
        unknown: what is left to the base rate.
    """

    occupied: Float[Tensor, "*cells"]
    free: Float[Tensor, "*cells"]
    unknown: Float[Tensor, "*cells"]


def density_steps(*, device: torch.device | None = None) -> Float[Tensor, "T"]:  # noqa: UP037
    """The densities that are told apart, ascending, 1/m."""
    return torch.logspace(*DENSITY_STEPS, device=device)


def density_bin(density: Float[Tensor, "*cells"]) -> Int[Tensor, "*cells"]:
    """How many of the `density_steps` each density reaches."""
    return torch.searchsorted(density_steps(device=density.device).to(density), density.contiguous(), right=True)


def ring_of_cells(
    frame: VoxelFrame, rings: tuple[float, ...], *, device: torch.device | None = None
) -> Int[Tensor, "X Y Z"]:
    """Index of the smallest box that holds each cell; the last one's for cells in none."""
    found = torch.full(frame.shape, len(rings) - 1, dtype=torch.int64, device=device)
    for index, extent in reversed(list(enumerate(rings))):
        found[frame.cropped(extent)] = index
    return found


def occupancy_probability(
    density: Float[Tensor, "X Y Z"], frame: VoxelFrame, calibration: OccupancyCalibration
) -> Float[Tensor, "X Y Z"]:
    """Probability that each cell of a grid is occupied, by its density and its ring."""
    ring = ring_of_cells(frame, calibration.rings, device=density.device)
    return calibration.probability.to(density)[ring, density_bin(density)]


def opinion(
    probability: Float[Tensor, "*cells"], base_rate: Float[Tensor, "*#cells"], seen: Bool[Tensor, "*cells"]
) -> Opinion:
    """The opinion with the least belief that says a probability: occupied + base rate x unknown.

    What says no more than the base rate is unknown altogether, and so is what nobody looked at.

    Source: Josang, "Subjective logic", 2016, uncertainty-maximised opinions.

    Args:
        probability: that a cell is occupied.
        base_rate: what one would say without looking, between 0 and 1.
        seen: where there is evidence at all.
    """
    rate = base_rate.clamp(1e-6, 1 - 1e-6)
    occupied = torch.where(seen, (probability - rate) / (1 - rate), 0).clamp(0, 1)
    free = torch.where(seen, (rate - probability) / rate, 0).clamp(0, 1)
    return Opinion(occupied, free, 1 - occupied - free)
