"""Whether a probability of being occupied is as often right as it says, and the curve that makes it so."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.geometry.occupancy import DENSITY_STEPS, OccupancyCalibration, density_bin, ring_of_cells
from scene3d.geometry.voxels import VoxelFrame

BINS = 15
"""Of the reliability curve, equally wide (Guo et al., "On calibration of modern neural networks", ICML 2017)."""


class DensityCounts:
    """How often cells of each density were occupied and empty, ring by ring.

    Args:
        frame: of the grids.
        rings: see `OccupancyCalibration`.
    """

    def __init__(self, frame: VoxelFrame, rings: tuple[float, ...]) -> None:
        self._frame, self._rings = frame, rings
        self._counts = torch.zeros(2, len(rings), DENSITY_STEPS[2] + 1, dtype=torch.int64)

    def add(
        self, density: Float[Tensor, "X Y Z"], occupied: Bool[Tensor, "X Y Z"], known: Bool[Tensor, "X Y Z"]
    ) -> None:
        """Count the known cells of one grid."""
        ring = ring_of_cells(self._frame, self._rings, device=density.device)
        index = ring * self._counts.shape[2] + density_bin(density)
        for row, cells in enumerate((known & occupied, known & ~occupied)):
            found = torch.bincount(index[cells], minlength=self._counts[row].numel())
            self._counts[row] += found.cpu().reshape(self._counts[row].shape)

    def calibration(self) -> OccupancyCalibration:
        """The rising curve of each ring that fits what was counted best; rings without cells go by the one within."""
        probability, rates = [], []
        for occupied, empty in zip(*self._counts, strict=True):
            if int((occupied + empty).sum()):
                probability.append(rising_share(occupied, empty))
                rates.append(occupied.sum() / (occupied + empty).sum())
            else:
                probability.append(probability[-1] if probability else torch.full(occupied.shape, 0.5))
                rates.append(rates[-1] if rates else torch.tensor(0.5))
        return OccupancyCalibration(self._rings, torch.stack(probability).float(), torch.stack(rates).float())


def rising_share(
    occupied: Int[Tensor, "bins"],  # noqa: UP037
    empty: Int[Tensor, "bins"],  # noqa: UP037
) -> Float[Tensor, "bins"]:  # noqa: UP037
    """Share of occupied cells in each bin, made to rise with it; bins without cells lie on the line between others.

    Source: Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass probability estimates", KDD
    2002 (isotonic regression), as solved by scipy.
    """
    import numpy as np
    from scipy.optimize import isotonic_regression

    cells = (occupied + empty).double().numpy()
    filled = np.flatnonzero(cells)
    share = occupied.double().numpy()[filled] / cells[filled]
    rising = isotonic_regression(share, weights=cells[filled]).x
    return torch.from_numpy(np.interp(np.arange(len(cells)), filled, rising))


@dataclass(frozen=True)
class Reliability:
    """What was said and what came of it, in `BINS` equally wide bins of the probability; sums over cells.

    Attributes:
        cells: how many.
        said: sum of the probabilities.
        occupied: how many were.
        squared_error: of the probabilities, over all bins.
    """

    cells: Float[Tensor, "bins"]  # noqa: UP037
    said: Float[Tensor, "bins"]  # noqa: UP037
    occupied: Float[Tensor, "bins"]  # noqa: UP037
    squared_error: float

    def __add__(self, other: Reliability) -> Reliability:
        return Reliability(
            self.cells + other.cells,
            self.said + other.said,
            self.occupied + other.occupied,
            self.squared_error + other.squared_error,
        )

    @property
    def error(self) -> float:
        """Expected calibration error: how far what was said is from what came, mean over cells, bin by bin."""
        return ((self.said - self.occupied).abs().sum() / self.cells.sum().clamp(min=1)).item()

    @property
    def brier(self) -> float:
        """Mean squared error of the probability (Brier, 1950); unlike `error`, it also falls with sharpness."""
        return self.squared_error / max(self.cells.sum().item(), 1.0)


def reliability(probability: Float[Tensor, "*cells"], occupied: Bool[Tensor, "*cells"]) -> Reliability:
    """Of the probabilities of some cells; all of them count."""
    said, came = probability.double().flatten(), occupied.double().flatten()
    bins = (said * BINS).long().clamp(0, BINS - 1)
    cells, sums, true = (
        torch.bincount(bins, weights=w, minlength=BINS).double().cpu() for w in (torch.ones_like(said), said, came)
    )
    return Reliability(cells, sums, true, ((said - came) ** 2).sum().item())
