"""Where a true surface was measured at all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class ObservedVolume:
    """Where the true surface was measured at all: a grid of cells in the world; DTU calls it the ObsMask.

    Attributes:
        cells: True where a prediction is judged.
        corner: of cell (0, 0, 0), in the world.
        size: edge of a cell.
        ground: (a, b, c, d): only true points with a x + b y + c z + d > 0 count; None counts all.
    """

    cells: Bool[Tensor, "X Y Z"]
    corner: Float[Tensor, "3"]  # noqa: UP037
    size: float
    ground: Float[Tensor, "4"] | None = None  # noqa: UP037

    def judges(self, points: Float[Tensor, "N 3"]) -> Bool[Tensor, "N"]:  # noqa: UP037
        """Predicted points that count."""
        index = ((points - self.corner) / self.size).floor().long()
        shape = torch.tensor(self.cells.shape, device=points.device)
        within = ((index >= 0) & (index < shape)).all(dim=1)
        x, y, z = torch.where(within[:, None], index, 0).unbind(dim=1)
        return within & self.cells[x, y, z]

    def wants(self, points: Float[Tensor, "N 3"]) -> Bool[Tensor, "N"]:  # noqa: UP037
        """True points that count."""
        if self.ground is None:
            return torch.ones(len(points), dtype=torch.bool, device=points.device)
        return points @ self.ground[:3].to(points) + self.ground[3] > 0
