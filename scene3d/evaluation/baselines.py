"""What knows nothing of the image: the answers that a method must beat, fitted on training data.

For completion each is a grid of scores, occupied from a threshold on, so all are scored as the method is.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.evaluation.completion import behind
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.labels import IGNORE

MEAN_GRID = "mean grid"
HEIGHT_CUT = "best height cut"
EVERYTHING = "everything occupied"
DEPTH_SHELL = "predicted depth unprojected"


class TrainingGrids:
    """Sums over training grids: how often each cell was occupied, empty, and of each class.

    Args:
        shape: of the grids.
        classes: number of classes with empty.
    """

    def __init__(self, shape: tuple[int, int, int], classes: int) -> None:
        self.frames = 0
        self._class_counts = torch.zeros(classes, *shape, dtype=torch.int16)
        self._region_counts: dict[str, tuple[Tensor, Tensor]] = {}

    def add(self, truth: Int[Tensor, "X Y Z"], regions: Mapping[str, Bool[Tensor, "X Y Z"]]) -> None:
        """Count one training grid (0 = empty, 255 = ignore), as a whole and in each region."""
        truth = truth.cpu()
        self.frames += 1
        known = torch.where(truth == IGNORE, 0, truth)[None]
        self._class_counts.scatter_add_(0, known.long(), (truth != IGNORE)[None].short())
        for name, region in regions.items():
            zeros = torch.zeros(truth.shape, dtype=torch.int16)
            occupied, empty = self._region_counts.setdefault(name, (zeros, zeros.clone()))
            occupied += (truth != 0) & region.cpu()
            empty += (truth == 0) & region.cpu()

    def counts(self, region: str) -> tuple[Int[Tensor, "X Y Z"], Int[Tensor, "X Y Z"]]:
        """How often each cell was occupied, and empty, while it counted in a region."""
        return self._region_counts[region]

    def scores(self) -> dict[str, tuple[Float[Tensor, "X Y Z"], Float[Tensor, "T"]]]:  # noqa: UP037
        """Score grid and candidate thresholds of each baseline that needs no image.

        The mean grid's score is the share of training grids in which a cell was occupied (0 where it was
        never known), the height cut's is minus the layer, and everything occupied is everything.
        """
        known = self._class_counts.sum(dim=0).float()
        mean = 1 - self._class_counts[0] / known.clamp(min=1)
        mean = torch.where(known > 0, mean, 0.0)
        layers = -torch.arange(mean.shape[2]).float()
        return {
            MEAN_GRID: (mean, torch.arange(1, 101) / 100 - 0.005),
            HEIGHT_CUT: (layers.expand_as(mean), layers.flip(0)),
            EVERYTHING: (torch.ones_like(mean), torch.zeros(1)),
        }

    def majority(self) -> Int[Tensor, "X Y Z"]:
        """The most frequent class of every cell among those that are not empty."""
        return self._class_counts[1:].argmax(dim=0) + 1


def depth_shell(
    depth: Float[Tensor, "H W"], frame: VoxelFrame, grid_to_cam: Float[Tensor, "4 4"], K: Float[Tensor, "3 3"]
) -> Float[Tensor, "X Y Z"]:
    """A predicted depth image as a solid of unknown thickness: minus how far a cell lies behind it, metres.

    A threshold of -t makes a shell of thickness t. Cells in front of the surface by more than half a
    cell, and cells outside the image, are never occupied (NaN).
    """
    offset = behind(depth, frame, grid_to_cam, K)
    return torch.where(offset >= -frame.size / 2, -offset, torch.nan)


def shell_thicknesses(frame: VoxelFrame) -> Float[Tensor, "T"]:  # noqa: UP037
    """Candidate thresholds of `depth_shell`: from half a cell, finely at first, to all that lies behind."""
    cells = torch.cat([torch.arange(0.5, 10, 0.5), torch.arange(10, 60, 5), torch.tensor([80.0, 120.0, 1e6])])
    return -(cells * frame.size).flip(0)


class MedianDepth:
    """The median of training depth images, pixel by pixel: what the layout of a road tells without looking.

    Args:
        size: height and width to keep them at.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._images: list[Tensor] = []

    def add(self, depth: Float[Tensor, "H W"]) -> None:
        """Remember one depth image in metres; 0 = not measured."""
        small = torch.nn.functional.interpolate(depth[None, None].cpu(), self._size, mode="nearest-exact")[0, 0]
        self._images.append(torch.where(small > 0, small, torch.nan).half())

    def image(self) -> Float[Tensor, "H W"] | None:
        """Median in metres, the overall median where no image measured; None without images."""
        if not self._images:
            return None
        stack = torch.stack(self._images)
        median = torch.cat([rows.float().nanmedian(dim=0).values for rows in stack.split(8, dim=1)])
        return median.nan_to_num(nan=median.nanmedian().item())


class MajorityLabels:
    """The most frequent class of every pixel over training images.

    Args:
        size: height and width of the images.
        classes: number of classes.
    """

    def __init__(self, size: tuple[int, int], classes: int) -> None:
        self._counts = torch.zeros(classes, *size, dtype=torch.int32)

    def add(self, labels: Int[Tensor, "H W"]) -> None:
        """Count one label image; 255 = ignore."""
        labels = labels.cpu().long()
        known = labels != IGNORE
        self._counts.scatter_add_(0, torch.where(known, labels, 0)[None], known[None].int())

    def image(self) -> Int[Tensor, "H W"] | None:
        """The majority image; None when nothing was labelled."""
        return self._counts.argmax(dim=0) if self._counts.any() else None
