"""Classes of several frames' grids, voted into one grid of the world or of the car."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame, field_of_view
from scene3d.structures.labels import IGNORE, SSC
from scene3d.structures.prediction import CompletionPrediction


def classes_in(
    prediction: CompletionPrediction,
    index: int,
    frame: VoxelFrame,
    grid_to_cam: Tensor,
) -> Int[Tensor, "X Y Z"]:
    """What one scene's prediction says of the cells of another grid: `SSC` classes, 0 = empty.

    Args:
        prediction: has classes.
        index: of the scene in its batch.
        frame: the other grid, of the world, of another frame's car, or whatever.
        grid_to_cam: [4, 4], places that grid in the camera of the prediction.

    Returns:
        The class of the cell that holds each centre; 255 where the prediction's grid ends, or its camera does not look.
    """
    assert prediction.classes is not None
    own, place = prediction.frame, prediction.grid_to_cam[index].double()
    height, width = prediction.depth.shape[-2:]
    seen = field_of_view(own, prediction.grid_to_cam[index], prediction.K[index], height, width)
    said = torch.where(seen, prediction.classes[index], IGNORE)
    to_own = torch.linalg.inv(place) @ grid_to_cam.double()
    cell, within = own.cell_of(transform(to_own, frame.centres(device=place.device).double()))
    x, y, z = torch.where(within[..., None], cell, 0).unbind(dim=-1)
    return torch.where(within, said[x, y, z], IGNORE)


def count_votes(answers: Sequence[Int[Tensor, "X Y Z"]]) -> Int[Tensor, "C X Y Z"]:
    """How many frames say each `SSC` class of each cell; those that say 255 do not vote."""
    votes = torch.zeros(len(SSC), *answers[0].shape, dtype=torch.int16, device=answers[0].device)
    for answer in answers:
        heard = answer != IGNORE
        votes.scatter_add_(0, torch.where(heard, answer, 0)[None], heard[None].to(votes.dtype))
    return votes


def elect(votes: Int[Tensor, "C X Y Z"], own: Int[Tensor, "X Y Z"]) -> Int[Tensor, "X Y Z"]:
    """The class that most frames say of each cell that is occupied; `own` decides between classes with as many.

    What is there stays there: cells that are empty in `own` stay empty, the others get a class.

    Args:
        votes: see `count_votes`; those for empty do not count.
        own: classes of the grid as its own frame says them, 0 = empty.
    """
    weights = 2 * votes
    filled = own != IGNORE
    weights.scatter_add_(0, torch.where(filled, own, 0)[None], filled[None].to(votes.dtype))
    weights[0] = 0
    most = weights.amax(dim=0)
    return torch.where((own == 0) | (most == 0), own, weights.argmax(dim=0))
