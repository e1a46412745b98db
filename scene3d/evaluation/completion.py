"""How well a scene was completed: IoU, precision and recall of its cells, and mIoU of its classes.

A *region* says which cells of a ground truth count, a *range* which box around the car. Occupancy is
always "score >= threshold": the density of a field, the mean of the training grids, minus the height.
So a method and a baseline are scored by the same lines, with thresholds chosen on training data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.evaluation.protocols import Protocol
from scene3d.geometry.camera import Camera, pixel_centres, project, unproject
from scene3d.geometry.se3 import invert, rotate, transform
from scene3d.geometry.voxels import VoxelFrame, field_of_view
from scene3d.structures.labels import IGNORE

RANGES = (12.8, 25.6, 51.2)
"""Depth and width of the boxes that are scored, metres (SSCBench; see `VoxelFrame.cropped`)."""

STREET_LEVEL = 7
"""Layers of the grid below which the S4C protocol doubts empty cells that have nothing under them."""

SURFACE_COLUMNS = 320
"""The surface that hides cells is looked for with one ray a pixel of an image at most this wide."""


@dataclass(frozen=True)
class Counts:
    """Cells that were rightly, wrongly and not called occupied, summed over frames."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def iou(self) -> float:
        """Intersection over union, tp / (tp + fp + fn); 0 where nothing was there and nothing was said."""
        return self.tp / max(self.tp + self.fp + self.fn, 1)

    @property
    def precision(self) -> float:
        """Share of what was said that is right, tp / (tp + fp)."""
        return self.tp / max(self.tp + self.fp, 1)

    @property
    def recall(self) -> float:
        """Share of what is there that was said, tp / (tp + fn)."""
        return self.tp / max(self.tp + self.fn, 1)


def below_street(truth: Int[Tensor, "X Y Z"]) -> Bool[Tensor, "X Y Z"]:
    """Empty cells of the lowest layers that have no labelled cell strictly below them in their column.

    Lidar does not look through the road, so such cells are not known to be empty (SSCBench issue 4).
    """
    labelled = (truth != 0) & (truth != IGNORE)
    supported = labelled.cumsum(dim=2) - labelled.long() > 0
    low = torch.arange(truth.shape[2], device=truth.device) < STREET_LEVEL
    return (truth == 0) & ~supported & low


def shell(truth: Int[Tensor, "X Y Z"]) -> Bool[Tensor, "X Y Z"]:
    """Occupied cells with a known empty cell among their six neighbours; beyond the grid nothing is known."""
    empty = truth == 0
    beside = torch.zeros_like(empty)
    for dim in range(3):
        n = truth.shape[dim]
        beside.narrow(dim, 0, n - 1).logical_or_(empty.narrow(dim, 1, n - 1))
        beside.narrow(dim, 1, n - 1).logical_or_(empty.narrow(dim, 0, n - 1))
    return beside & (truth != 0) & (truth != IGNORE)


def surface_depth(
    truth: Int[Tensor, "X Y Z"],
    frame: VoxelFrame,
    grid_to_cam: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
    height: int,
    width: int,
) -> Float[Tensor, "H W"]:
    """Depth along z where the ray of every pixel enters its first occupied cell; infinity if it meets none.

    Rays are walked in steps of half a cell of depth, so a surface is found at most that late.
    """
    pixels = pixel_centres(height, width, device=K.device).to(K.dtype).reshape(-1, 2)
    cam_to_grid = invert(grid_to_cam)
    start = cam_to_grid[:3, 3]
    steps = rotate(cam_to_grid, unproject(pixels, torch.full_like(pixels[:, 0], frame.size / 2), K))
    occupied = (truth != 0) & (truth != IGNORE)
    far = frame.size * (sum(n**2 for n in frame.shape) ** 0.5)
    found = torch.full((len(pixels),), torch.inf, dtype=K.dtype, device=K.device)
    open_rays = torch.arange(len(pixels), device=K.device)
    entered = torch.zeros(len(pixels), dtype=torch.bool, device=K.device)
    for step in range(1, int(2 * far / frame.size)):
        cell, within = frame.cell_of(start + step * steps)
        x, y, z = torch.where(within[:, None], cell, 0).unbind(dim=-1)
        hit = within & occupied[x, y, z]
        found[open_rays[hit]] = step * frame.size / 2
        # The grid is convex: a ray that left it never comes back.
        entered |= within
        going = ~hit & (within | ~entered)
        open_rays, entered, steps = open_rays[going], entered[going], steps[going]
        if len(open_rays) == 0:
            break
    return found.unflatten(0, (height, width))


def behind(
    surface: Float[Tensor, "H W"],
    frame: VoxelFrame,
    grid_to_cam: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
) -> Float[Tensor, "X Y Z"]:
    """How far (metres along z) the centre of each cell lies behind the depth image; NaN outside the image."""
    height, width = surface.shape
    centres = frame.centres(device=K.device).to(K.dtype).reshape(-1, 3)
    pixels, depth = project(transform(grid_to_cam, centres), K)
    column, row = pixels.floor().long().unbind(dim=-1)
    seen = (depth > 0) & (column >= 0) & (column < width) & (row >= 0) & (row < height)
    there = surface[row.clamp(0, height - 1), column.clamp(0, width - 1)]
    return torch.where(seen, depth - there, torch.nan).reshape(frame.shape)


def regions(
    truth: Int[Tensor, "X Y Z"],
    frame: VoxelFrame,
    grid_to_cam: Float[Tensor, "4 4"],
    K: Float[Tensor, "3 3"],
    size: tuple[int, int],
    protocol: Protocol,
) -> dict[str, Bool[Tensor, "X Y Z"]]:
    """The cells that count, under the name of each region.

    - "solid": every cell that the truth knows (and the protocol keeps).
    - "shell": of the occupied ones, those on the surface; what lies inside a solid is left out.
    - "... without ground": cells whose truth is a ground class (road, sidewalk, terrain) are left out
      as well. Whatever is predicted *in* them counts neither for nor against.
    - "occluded ...": only cells more than one cell behind the first surface that the reference view
      meets in the truth, and inside its image.

    Args:
        truth: classes of the protocol's space, 0 = empty, 255 = ignore.
        frame: where the cells lie.
        grid_to_cam: places the grid in the reference camera.
        K: of the reference image.
        size: its height and width, pixels.
        protocol: what else is left out.
    """
    known = truth != IGNORE
    if protocol.field_of_view:
        known = known & field_of_view(frame, grid_to_cam, K, *size)
    if protocol.street_level:
        known = known & ~below_street(truth)
    surface = known & ((truth == 0) | shell(truth))
    off_ground = ~torch.isin(truth, truth.new_tensor(protocol.ground))
    view = _at_most(SURFACE_COLUMNS, Camera(K, *size))
    surface_at = surface_depth(truth, frame, grid_to_cam, view.K, view.height, view.width)
    hidden = behind(surface_at, frame, grid_to_cam, view.K) > frame.size
    return {
        "solid": known,
        "shell": surface,
        "solid without ground": known & off_ground,
        "shell without ground": surface & off_ground,
        "occluded": known & hidden,
        "occluded without ground": known & hidden & off_ground,
    }


def _at_most(columns: int, camera: Camera) -> Camera:
    shrink = max(1, -(-camera.width // columns))
    return camera.resize(max(1, camera.height // shrink), max(1, camera.width // shrink))


REGIONS = tuple(f"{kind}{suffix}" for suffix in ("", " without ground") for kind in ("solid", "shell", "occluded"))


def count(occupied: Bool[Tensor, "*cells"], truth: Int[Tensor, "*cells"], region: Bool[Tensor, "*cells"]) -> Counts:
    """Right and wrong cells of one region."""
    there = (truth != 0) & region
    said = occupied & region
    # count_nonzero is a dozen times as fast as a sum, which first makes integers of the booleans.
    tp, positive, true = (int(torch.count_nonzero(cells)) for cells in (there & said, said, there))
    return Counts(tp, positive - tp, true - tp)


def grow(score: Float[Tensor, "X Y Z"]) -> Float[Tensor, "X Y Z"]:
    """The largest score of every cell's 3x3x3 neighbours: what is occupied grows by one cell."""
    return torch.nn.functional.max_pool3d(score[None, None], 3, stride=1, padding=1)[0, 0]


def grow_classes(classes: Int[Tensor, "X Y Z"], score: Float[Tensor, "X Y Z"]) -> Int[Tensor, "X Y Z"]:
    """The classes of `grow(score)`: a cell without a class takes that of the highest score of its 3x3x3 neighbours."""
    _, highest = torch.nn.functional.max_pool3d(score[None, None], 3, stride=1, padding=1, return_indices=True)
    return torch.where(classes == 0, classes.flatten()[highest[0, 0]], classes)


def thresholds_reached(
    score: Float[Tensor, "*cells"],
    thresholds: Float[Tensor, "T"],  # noqa: UP037
) -> Int[Tensor, "*cells"]:
    """How many of some ascending thresholds each score reaches, 0..T; NaN reaches none."""
    known = score.nan_to_num(nan=-torch.inf).contiguous()
    return torch.searchsorted(thresholds, known, right=True, out_int32=True)


def score_histogram(
    reached: Int[Tensor, "*cells"],
    thresholds: int,
    occupied: Int[Tensor, "*cells"] | Bool[Tensor, "*cells"],
    empty: Int[Tensor, "*cells"] | Bool[Tensor, "*cells"],
) -> Int[Tensor, "2 bins"]:
    """How many occupied (row 0) and empty (row 1) cells reach exactly k thresholds; k = 0..T.

    Args:
        reached: see `thresholds_reached`.
        thresholds: how many there are.
        occupied: whether, or how often over frames, each cell was occupied and counted.
        empty: the same of emptiness.
    """
    rows = []
    for weight in (occupied, empty):
        cells = weight != 0
        weights = None if weight.dtype == torch.bool else weight[cells].double()
        rows.append(torch.bincount(reached[cells], weights=weights, minlength=thresholds + 1).long())
    return torch.stack(rows)


def best_threshold(histogram: Int[Tensor, "2 bins"], thresholds: Float[Tensor, "T"]) -> float:  # noqa: UP037
    """The threshold with the highest IoU over what the histogram holds; the lowest of several."""
    at_least = histogram.flip(1).cumsum(dim=1).flip(1)[:, 1:].double()
    iou = at_least[0] / (histogram[0].sum() + at_least[1]).clamp(min=1)
    return thresholds[int(iou.argmax())].item()


def crops(frame: VoxelFrame, ranges: Sequence[float] = RANGES) -> Mapping[float, tuple[slice, slice, slice]]:
    """The box of each range that fits into the grid."""
    return {extent: frame.cropped(extent) for extent in ranges if extent <= frame.size * frame.shape[0] + 1e-6}
