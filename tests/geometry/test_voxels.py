from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import rigid
from scene3d.geometry.voxels import SSCBENCH, VoxelFrame, cell_keys, cells_of, field_of_view

VELO_TO_CAM = rigid(torch.tensor([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]]), torch.zeros(3))
"""From x forward, y left, z up to x right, y down, z forward."""


def test_convention_the_sscbench_grid_lies_ahead_of_the_velodyne():
    centres = SSCBENCH.centres()
    assert centres.shape == (256, 256, 32, 3)
    torch.testing.assert_close(centres[0, 0, 0], torch.tensor([0.1, -25.5, -1.9]))
    torch.testing.assert_close(centres[-1, -1, -1], torch.tensor([51.1, 25.5, 4.3]))
    # y grows to the left, so the first cell of y is the rightmost.
    assert centres[0, 0, 0, 1] < 0


def test_convention_a_lower_face_belongs_to_its_cell_and_an_upper_one_does_not():
    points = torch.tensor([[0.0, -25.6, -2.0], [0.19, -25.6, -2.0], [51.2, 0.0, 0.0], [51.19, 25.59, 4.39]])
    cell, within = SSCBENCH.cell_of(points)
    assert cell[0].tolist() == [0, 0, 0]
    assert cell[1].tolist() == [0, 0, 0]
    assert cell[3].tolist() == [255, 255, 31]
    assert within.tolist() == [True, True, False, True]


def test_every_centre_lies_in_its_own_cell():
    frame = VoxelFrame(origin=(1.0, -2.0, 0.5), size=0.5, shape=(3, 4, 5))
    cell, within = frame.cell_of(frame.centres())
    assert within.all()
    expected = torch.stack(torch.meshgrid(*(torch.arange(n) for n in frame.shape), indexing="ij"), dim=-1)
    assert torch.equal(cell, expected)


def test_slabs_make_up_the_grid_with_the_same_centres():
    frame = VoxelFrame(origin=(1.0, -2.0, 0.5), size=0.3, shape=(5, 4, 3))
    slabs = frame.slabs(30)  # two layers of twelve cells
    assert slabs == [slice(0, 2), slice(2, 4), slice(4, 5)]
    centres = torch.cat([frame.slab_centres(layers) for layers in slabs])
    assert torch.equal(centres, frame.centres())
    cells = frame.cell_of(frame.centres())[0].reshape(-1, 3)
    assert torch.equal(frame.centres_of(cells), frame.centres().reshape(-1, 3))
    assert frame.slabs(1) == [slice(i, i + 1) for i in range(5)]


def test_a_point_that_is_no_number_is_in_no_cell():
    _, within = SSCBENCH.cell_of(torch.tensor([[torch.nan, 0.0, 0.0], [torch.inf, 0.0, 0.0]]))
    assert not within.any()


def test_the_near_ranges_are_the_boxes_ahead_of_the_car():
    x, y, z = SSCBENCH.cropped(12.8)
    centres = SSCBENCH.centres()[x, y, z]
    assert centres.shape == (64, 64, 32, 3)
    torch.testing.assert_close(centres[..., 0].max(), torch.tensor(12.7))
    torch.testing.assert_close(centres[..., 1].abs().max(), torch.tensor(6.3))
    whole = SSCBENCH.centres()[SSCBENCH.cropped(51.2)]
    assert whole.shape == (256, 256, 32, 3)


def test_the_field_of_view_is_a_wedge_in_front_of_the_camera():
    # 90 degrees across: focal length is half of the width. The image is tall enough not to matter.
    camera = pinhole(50.0, 1000, 100)
    frame = VoxelFrame(origin=(-2.0, -4.0, 0.0), size=1.0, shape=(6, 8, 1))
    seen = field_of_view(frame, VELO_TO_CAM, camera.K, camera.height, camera.width)
    centres = frame.centres()
    expected = (centres[..., 0] > 0) & (centres[..., 1].abs() < centres[..., 0])
    # Centres on the very edge (|y| = x) are on one side seen, on the other not; leave them out.
    edge = centres[..., 1].abs() == centres[..., 0]
    assert torch.equal(seen[~edge], expected[~edge])
    assert seen.any()
    assert not seen.all()


def test_points_of_one_cell_have_one_key_that_tells_the_cell():
    points = torch.tensor([[0.0, 0.1, 0.49], [0.49, 0.4, 0.0], [-0.01, 0.0, 0.0], [1e9, -600.2, 5.0]])
    keys = cell_keys(points, 0.5)
    assert keys[0] == keys[1] != keys[2]
    # The last is 2e9 cells away, and counted to the cell of index 2^20 - 1.
    assert cells_of(keys).tolist() == [[0, 0, 0], [0, 0, 0], [-1, 0, 0], [1048575, -1201, 10]]
