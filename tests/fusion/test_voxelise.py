from __future__ import annotations

import pytest
import torch

from scene3d.fusion.voxelise import voxelise
from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame, field_of_view
from scene3d.volume.pixel_aligned import PixelAlignedField, PointDecoder

# Velodyne axes (x forward, y left, z up) to camera axes, both at one place.
GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])[None]
FRAME = VoxelFrame(origin=(-2.0, -4.0, -1.0), size=1.0, shape=(8, 8, 2))


def _field() -> PixelAlignedField:
    camera, decoder = pinhole(10.0, 12, 20), PointDecoder(4, 8, 0, octaves=2)
    folded = decoder.fold(torch.randn(1, 4, 6, 10))
    return PixelAlignedField(decoder, folded, camera.K[None], camera.height, camera.width, 1.0, 20.0)


def test_cells_hold_the_density_at_their_centres():
    field = _field()
    with torch.no_grad():
        grid = voxelise(field, FRAME, GRID_TO_CAM, chunk=7)
        # Cell (5, 4, 0) spans x 3..4, y 0..1, z -1..0: its centre lies 3.5 m ahead, 0.5 m left, 0.5 m below.
        centre = torch.tensor([[[-0.5, 0.5, 3.5]]])
        torch.testing.assert_close(grid[0, 5, 4, 0], field(centre, features=False).density[0, 0])


@pytest.mark.parametrize("chunk", [1, 20, 48, 1000])
def test_it_does_not_matter_how_many_cells_are_looked_at_at_once(chunk: int):
    field = _field()
    with torch.no_grad():
        # All at once: each cell by the centre that the frame says it has.
        points = transform(GRID_TO_CAM[0], FRAME.centres().reshape(-1, 3))
        seen = field_of_view(FRAME, GRID_TO_CAM[0], field.K[0], field.height, field.width)
        expected = torch.where(seen, field(points[None], features=False).density[0].reshape(FRAME.shape), 0)
        torch.testing.assert_close(voxelise(field, FRAME, GRID_TO_CAM, chunk=chunk)[0], expected)


def test_cells_that_the_camera_does_not_look_at_are_empty():
    with torch.no_grad():
        grid = voxelise(_field(), FRAME, GRID_TO_CAM, chunk=1000)
    assert (grid[0, :2] == 0).all()  # behind
    assert grid[0, 2, 0, 0] == 0  # 0.5 m ahead and 3.5 m to the side: outside of the 90 degrees
    assert (grid[0, 7, 2:6] > 0).all()
