"""One view of a street with all of its truth: the parts agree with each other."""

from __future__ import annotations

import pytest
import torch

from scene3d.data.street import StreetConfig, make_street
from scene3d.data.street.truth import true_view
from scene3d.geometry.camera import pinhole
from scene3d.geometry.depth import depth_to_points
from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.frames import Frames
from scene3d.structures.labels import CITYSCAPES, SSC


@pytest.fixture(scope="module")
def frames() -> Frames:
    """A view of 32 x 104 pixels."""
    return true_view(make_street(3, StreetConfig(frames=2)), 1, pinhole(50.0, 32, 104))


def test_every_visible_point_lies_in_or_beside_a_full_cell(frames: Frames):
    depth = frames.depth[0, 0]
    points = depth_to_points(depth, frames.K[0, 0])[(depth > 0) & (depth < 20)]
    cell, within = SSCBENCH.cell_of(transform(invert(frames.grid_to_cam[0]), points))
    full = (frames.voxels[0] != 0)[None, None].float()
    grown = torch.nn.functional.max_pool3d(full, 3, stride=1, padding=1)[0, 0] > 0
    x, y, z = cell[within].unbind(dim=-1)
    assert within.sum() > 500
    assert grown[x, y, z].float().mean() > 0.98


def test_the_camera_stands_in_an_empty_cell_1_to_2_metres_above_a_road(frames: Frames):
    place = transform(invert(frames.grid_to_cam[0]), torch.zeros(1, 3))[0]
    # The grid starts at the lidar, a metre behind the camera or less.
    cell, within = SSCBENCH.cell_of(place + torch.tensor([2.0, 0.0, 0.0]))
    assert within
    x, y, z = cell.tolist()
    column = frames.voxels[0][x, y]
    top = int((column != 0).nonzero().amax())
    assert column[z] == 0
    assert SSC.classes[int(column[top])] == "road"
    assert 1.0 < (z - top) * 0.2 < 2.4


def test_labels_are_classes_and_the_sky_has_no_depth(frames: Frames):
    labels, depth = frames.labels[0, 0], frames.depth[0, 0]
    known = labels[labels != 255]
    assert known.max() < len(CITYSCAPES) and known.unique().numel() > 3
    assert bool((depth[labels == CITYSCAPES.index("sky")] == 0).all())
    assert bool((depth[labels == CITYSCAPES.index("road")] > 0).all())


def test_a_view_is_a_batch_of_one_and_the_same_every_time(frames: Frames):
    again = true_view(make_street(3, StreetConfig(frames=2)), 1, pinhole(50.0, 32, 104))
    assert frames.image.shape == (1, 1, 3, 32, 104)
    assert torch.equal(frames.image, again.image) and torch.equal(frames.voxels, again.voxels)
