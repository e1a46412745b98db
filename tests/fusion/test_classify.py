from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from scene3d.fusion.classify import classify_cells, smooth_over_neighbours
from scene3d.geometry.voxels import VoxelFrame
from scene3d.nn.labeller import Labeller
from scene3d.structures.labels import CITYSCAPES, CITYSCAPES_TO_SSC, SSC, SSC_TO_CITYSCAPES
from scene3d.volume import FieldSample

FRAME = VoxelFrame(origin=(0.0, 0.0, 0.0), size=1.0, shape=(6, 5, 4))
ROAD, CAR = (SSC.index(name) for name in ("road", "car"))
NAMES = torch.tensor([CITYSCAPES.index(name) for name in ("road", "car")])


@dataclass(frozen=True)
class Split:
    """Road where x < 3, car beyond, but for one point that says the other; remembers where it was asked."""

    asked: list
    odd: tuple[float, float, float] = (-1.0, -1.0, -1.0)

    def __call__(self, points, *, features=True):
        self.asked.extend(points[0].tolist())
        car = points[..., 0] > 3
        car = car ^ (points - points.new_tensor(self.odd)).abs().amax(dim=-1).lt(0.1)
        return FieldSample(torch.ones_like(points[..., 0]), torch.ones_like(car), torch.stack([~car, car], -1).float())


LABELLER = Labeller(score=lambda features: features, names=NAMES, sharpness=1.0)


def test_cells_have_the_class_of_their_features_and_the_others_are_empty():
    occupied = torch.zeros(FRAME.shape, dtype=torch.bool)
    occupied[:, 2:4, :2] = True
    found = classify_cells(Split([]), LABELLER, occupied, FRAME, torch.eye(4))
    assert (found[:3, 2:4, :2] == ROAD).all()
    assert (found[3:, 2:4, :2] == CAR).all()
    assert (found[~occupied] == 0).all()


def test_inside_of_a_solid_is_asked_only_where_wanted():
    # Of a solid that fills the grid but for its topmost layer, only the layer below that is a surface.
    occupied = torch.ones(FRAME.shape, dtype=torch.bool)
    occupied[..., 3] = False
    surface, all_of_it = Split([]), Split([])
    found = classify_cells(surface, LABELLER, occupied, FRAME, torch.eye(4))
    assert len(surface.asked) == 6 * 5
    assert torch.equal(found, classify_cells(all_of_it, LABELLER, occupied, FRAME, torch.eye(4), inside=True))
    assert len(all_of_it.asked) == 6 * 5 * 3


@pytest.mark.parametrize("occupied", [torch.zeros(FRAME.shape, dtype=torch.bool), torch.ones(FRAME.shape).bool()])
@pytest.mark.parametrize("rounds", [0, 2])
def test_nothing_or_everything_occupied(occupied, rounds):
    found = classify_cells(Split([]), LABELLER, occupied, FRAME, torch.eye(4), rounds=rounds)
    assert ((found != 0) == occupied).all()


def test_smoothing_takes_out_a_cell_that_is_alone_with_its_opinion_and_leaves_the_border():
    occupied = torch.zeros(FRAME.shape, dtype=torch.bool)
    occupied[..., 0] = True
    field = Split([], odd=(0.5, 2.5, 0.5))
    assert classify_cells(field, LABELLER, occupied, FRAME, torch.eye(4))[0, 2, 0] == CAR
    found = classify_cells(field, LABELLER, occupied, FRAME, torch.eye(4), rounds=1)
    assert (found[:3, :, 0] == ROAD).all()
    assert (found[3:, :, 0] == CAR).all()


def test_smoothing_by_hand():
    # Three cells in a row and one apart: the middle one hears both ends, each end the middle one, the last nobody.
    cells = torch.tensor([[0, 0, 0], [1, 0, 0], [2, 0, 0], [5, 4, 3]])
    said = torch.tensor([[1.0, 0], [0, 1], [0, 1], [1, 0]])
    found = smooth_over_neighbours(cells, said, FRAME.shape, rounds=1)
    torch.testing.assert_close(found, torch.tensor([[1 / 2, 1 / 2], [1 / 3, 2 / 3], [0, 1], [1, 0]]))


def test_smoothing_keeps_probabilities_and_what_all_agree_about():
    torch.manual_seed(0)
    cells = (torch.rand(FRAME.shape) < 0.4).nonzero()
    said = torch.softmax(torch.randn(len(cells), 5), dim=-1)
    found = smooth_over_neighbours(cells, said, FRAME.shape, rounds=3)
    torch.testing.assert_close(found.sum(dim=-1), torch.ones(len(cells)))
    same = said[:1].expand_as(said)
    torch.testing.assert_close(smooth_over_neighbours(cells, same, FRAME.shape, rounds=3), same)
    # The grid has no preferred end.
    turned = smooth_over_neighbours(torch.tensor(FRAME.shape) - 1 - cells, said, FRAME.shape, rounds=3)
    torch.testing.assert_close(turned, found)


def test_every_class_of_voxels_is_told_by_a_class_of_images():
    assert [CITYSCAPES_TO_SSC[image] for image in SSC_TO_CITYSCAPES] == list(range(len(SSC)))
