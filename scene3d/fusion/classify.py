"""Classes of the cells that a field fills, from its features there."""

from __future__ import annotations

from itertools import product

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.fusion.inward import spread_inward, surface_cells
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame
from scene3d.nn.labeller import AT_ONCE, Labeller
from scene3d.structures.labels import CITYSCAPES, CITYSCAPES_TO_SSC, SSC, remap
from scene3d.volume import Field


def classify_cells(
    field: Field,
    labeller: Labeller,
    occupied: Bool[Tensor, "X Y Z"],
    frame: VoxelFrame,
    grid_to_cam: Float[Tensor, "4 4"],
    *,
    inside: bool = False,
    rounds: int = 0,
) -> Int[Tensor, "X Y Z"]:
    """`SSC` class of each occupied cell of one scene; all others are empty.

    Args:
        field: has features.
        labeller: says which class of images they are of.
        occupied: which cells to classify.
        frame: where they lie.
        grid_to_cam: places them in the field's camera.
        inside: whether a cell inside of a solid has the class of its own centre, or of the nearest surface.
        rounds: of smoothing probabilities over neighbours; see `smooth_over_neighbours`.
    """
    asked = occupied if inside else surface_cells(occupied)
    # A grid without an empty cell has no surface, and then only its cells themselves can be asked.
    asked = asked if bool(asked.any()) else occupied
    cells = asked.nonzero()
    found = []
    for part in cells.split(AT_ONCE):
        points = transform(grid_to_cam, frame.centres_of(part).to(grid_to_cam))
        found.append(_classes_at(field, labeller, points, probable=rounds > 0))
    classes = torch.zeros_like(occupied, dtype=torch.int64)
    if found:
        answers = torch.cat(found)
        if rounds > 0:
            answers = smooth_over_neighbours(cells, answers, frame.shape, rounds).argmax(dim=-1)
        classes[asked] = answers
    return classes if inside else spread_inward(classes, occupied)


def smooth_over_neighbours(
    cells: Int[Tensor, "N 3"], probabilities: Float[Tensor, "N C"], shape: tuple[int, int, int], rounds: int
) -> Float[Tensor, "N C"]:
    """Probabilities of classes, averaged so many times over those of the 3x3x3 cells around that are there.

    What lies apart stays apart: only cells that touch, at least with a corner, hear each other, however many rounds.

    Args:
        cells: their indices, each once.
        probabilities: of each cell.
        shape: of the grid.
        rounds: each lets a class reach one cell further.
    """
    # A rim of one cell makes every neighbour a valid place; N stands for none.
    wide = tuple(n + 2 for n in shape)
    steps = cells.new_tensor([wide[1] * wide[2], wide[2], 1])
    place = ((cells + 1) * steps).sum(dim=1)
    number = torch.full((wide[0] * wide[1] * wide[2],), len(cells), dtype=torch.int64, device=cells.device)
    number[place] = torch.arange(len(cells), device=cells.device)
    neighbours = [number[place + int((steps * steps.new_tensor(step)).sum())] for step in product((-1, 0, 1), repeat=3)]
    for _ in range(rounds):
        padded = torch.cat([probabilities, torch.zeros_like(probabilities[:1])])
        sums = torch.zeros_like(probabilities)
        for each in neighbours:
            sums += padded[each]
        count = torch.stack([each < len(cells) for each in neighbours]).sum(dim=0)
        probabilities = sums / count[:, None]
    return probabilities


def _classes_at(field: Field, labeller: Labeller, points: Float[Tensor, "N 3"], *, probable: bool) -> Tensor:
    """`SSC` classes at points, or where asked for, the probability of each."""
    features = field(points[None]).features
    assert features is not None
    if not probable:
        return remap(labeller.classes(features[0]), CITYSCAPES_TO_SSC)
    of_images = labeller.probabilities(features[0], len(CITYSCAPES))
    table = torch.tensor(CITYSCAPES_TO_SSC, device=points.device)
    return of_images.new_zeros(len(points), len(SSC)).index_add_(1, table, of_images)
