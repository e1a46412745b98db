"""The completed scenes of a drive -> one map of classes, on whose cells the frames that look at them vote."""

from __future__ import annotations

import logging
from itertools import product

import torch
from jaxtyping import Bool, Float, Int
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.geometry.camera import project
from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import cell_keys, cells_of, in_view
from scene3d.structures.drive import DriveStep
from scene3d.structures.labels import IGNORE, SSC
from scene3d.structures.prediction import CompletionPrediction
from scene3d.structures.solids import ClassCells

log = logging.getLogger(__name__)

_EIGHTHS = tuple(product((-0.25, 0.25), repeat=3))
"""Centres of the eighths of a cell, from its own centre, in edges."""


class ClassMapConfig(Config):
    """What votes, and how much is kept.

    Attributes:
        reach: frames have a say on what lies at most so far ahead of their camera, in the unit of the depth.
        behind: and at most so far behind what their image shows there. What a method completes beyond that is a guess,
            which another frame that sees the place knows better.
        most: cells at most; where there are more, they are made twice as large.
    """

    reach: float = Field(default=25.6, gt=0)
    behind: float = Field(default=1.0, gt=0)
    most: int = Field(default=2_000_000, ge=8)


class ClassMap:
    """A map that grows frame by frame, as large as what the frames call occupied, however many they are.

    A cell enters when a frame first calls it occupied. From then on every frame that sees it has one vote, for a
    class or for empty. The map stands as the voxel grid of the first frame, with cells of its size. Memory is
    bounded by `config.most` cells of 72 bytes, and the grid of one frame.

    Args:
        config: what votes.
    """

    def __init__(self, config: ClassMapConfig = ClassMapConfig()) -> None:  # noqa: B008  (frozen)
        self.config, self.size = config, 0.0
        self._map_to_world: Float[Tensor, "4 4"] = torch.eye(4, dtype=torch.float64)
        self._keys: Int[Tensor, "N"] = torch.zeros(0, dtype=torch.int64)  # noqa: UP037
        self._votes: Int[Tensor, "N C"] = torch.zeros(0, len(SSC), dtype=torch.int32)

    def add(self, step: DriveStep) -> None:
        """Let a frame vote; one without a place, or without classes, does not."""
        if step.cam_to_world is None or step.scene is None:
            return
        grid_to_cam = step.scene.grid_to_cam[0].double()
        if self.size == 0:
            self.size, self._map_to_world = step.scene.frame.size, step.cam_to_world @ grid_to_cam
        map_to_cam = invert(step.cam_to_world) @ self._map_to_world
        self._enter(self._occupied(step.scene, map_to_cam))
        self._vote(step.scene, map_to_cam)
        while len(self._keys) > self.config.most:
            self.size *= 2
            log.warning("%s: more than %d cells; from here on of %g", step.name, self.config.most, self.size)
            centres = (cells_of(self._keys).double() + 0.5) * (self.size / 2)
            self._keys, place = torch.unique(cell_keys(centres, self.size), return_inverse=True)
            self._votes = self._votes.new_zeros(len(self._keys), len(SSC)).index_add_(0, place, self._votes)

    def elected(self) -> ClassCells:
        """Cells that most of the frames with a vote call occupied, with the class that most of those say."""
        occupied = self._votes[:, 1:].sum(dim=1)
        kept = 2 * occupied > self._votes.sum(dim=1)
        votes = self._votes[kept]
        return ClassCells(
            cells=cells_of(self._keys[kept]),
            classes=1 + votes[:, 1:].argmax(dim=1),
            votes=votes,
            size=self.size,
            map_to_world=self._map_to_world,
        )

    def _occupied(self, scene: CompletionPrediction, map_to_cam: Float[Tensor, "4 4"]) -> Int[Tensor, "K"]:  # noqa: UP037
        """Cells of the map that what a frame calls occupied reaches into, each once."""
        assert scene.classes is not None
        classes = scene.classes[0]
        cells = ((classes != 0) & (classes != IGNORE)).nonzero()
        centres = scene.frame.centres_of(cells).double()
        centres = centres[self._seen(scene, transform(scene.grid_to_cam[0].double(), centres))]
        # Cells of two grids lie askew: with centres alone some cells of the map would be passed over.
        eighths = (centres[:, None] + scene.frame.size * centres.new_tensor(_EIGHTHS)).reshape(-1, 3)
        grid_to_map = invert(map_to_cam) @ scene.grid_to_cam[0].double()
        return cell_keys(transform(grid_to_map, eighths), self.size).unique()

    def _seen(self, scene: CompletionPrediction, points_cam: Float[Tensor, "N 3"]) -> Bool[Tensor, "N"]:  # noqa: UP037
        """Where a frame has a say."""
        depth, K = scene.depth[0], scene.K[0].double()
        seen = in_view(points_cam, K, *depth.shape) & (points_cam[:, 2] <= self.config.reach)
        places = seen.nonzero()[:, 0]
        column, row = project(points_cam[places], K)[0].long().unbind(dim=1)
        hidden = points_cam[places, 2] > depth[row, column] + self.config.behind
        return seen.index_fill(0, places[hidden], False)

    def _enter(self, keys: Int[Tensor, "K"]) -> None:  # noqa: UP037
        both = torch.cat([self._keys, keys]).unique()
        votes = self._votes.new_zeros(len(both), len(SSC))
        votes[torch.searchsorted(both, self._keys)] = self._votes
        self._keys, self._votes = both, votes

    def _vote(self, scene: CompletionPrediction, map_to_cam: Float[Tensor, "4 4"]) -> None:
        assert scene.classes is not None
        points_cam = transform(map_to_cam, (cells_of(self._keys).double() + 0.5) * self.size)
        rows = self._seen(scene, points_cam).nonzero()[:, 0]
        cell, within = scene.frame.cell_of(transform(invert(scene.grid_to_cam[0].double()), points_cam[rows]))
        rows, (x, y, z) = rows[within], cell[within].unbind(dim=1)
        said = scene.classes[0][x, y, z]
        heard = said != IGNORE
        self._votes[rows[heard], said[heard]] += 1
