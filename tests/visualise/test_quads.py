from __future__ import annotations

import numpy as np
import pytest
import torch
import trimesh

from scene3d.geometry.voxels import VoxelFrame
from scene3d.visualise.quads import class_palette, height_colours, merged_faces, quad_mesh

UNIT = VoxelFrame(origin=(0.0, 0.0, 0.0), size=1.0, shape=(4, 4, 4))


def solid_of(colour: torch.Tensor, frame: VoxelFrame = UNIT) -> trimesh.Trimesh:
    mesh = quad_mesh(merged_faces(colour), frame, class_palette())
    return trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)


def test_a_block_of_one_colour_is_six_rectangles():
    colour = torch.zeros(4, 4, 4, dtype=torch.int64)
    colour[1:4, 1:3, 0:2] = 1
    quads = merged_faces(colour)
    assert len(quads.side) == 6
    assert sorted(quads.extent.prod(axis=1)) == [4, 4, 6, 6, 6, 6]
    solid = solid_of(colour)
    # 3 x 2 x 2; a positive volume means that all faces look outwards.
    assert solid.volume == pytest.approx(12.0)
    assert solid.bounds.tolist() == [[1, 1, 0], [4, 3, 2]]


@pytest.mark.parametrize("seed", range(3))
def test_merging_keeps_volume_and_area_of_any_grid(seed):
    colour = torch.randint(0, 3, (4, 4, 4), generator=torch.Generator().manual_seed(seed))
    solid = solid_of(colour)
    padded = torch.nn.functional.pad(colour > 0, (1,) * 6).int()
    faces = sum(int(padded.diff(dim=d).abs().sum()) for d in range(3))
    assert solid.volume == pytest.approx(int((colour > 0).sum()))
    assert solid.area == pytest.approx(faces)


def test_faces_of_two_colours_stay_apart_and_no_face_lies_between_them():
    colour = torch.zeros(4, 4, 4, dtype=torch.int64)
    colour[0, 0, 0], colour[0, 0, 1] = 1, 9
    quads = merged_faces(colour)
    assert len(quads.side) == 10
    assert sorted(np.unique(quads.colour, return_counts=True)[1]) == [5, 5]


def test_the_mesh_lies_where_the_grid_lies():
    colour = torch.zeros(4, 4, 4, dtype=torch.int64)
    colour[0, 1, 2] = 1
    frame = VoxelFrame(origin=(10.0, -1.0, -2.0), size=0.5, shape=(4, 4, 4))
    np.testing.assert_allclose(solid_of(colour, frame).bounds, [[10, -0.5, -1], [10.5, 0, -0.5]])


def test_an_empty_grid_makes_an_empty_mesh():
    mesh = quad_mesh(merged_faces(torch.zeros(4, 4, 4, dtype=torch.int64)), UNIT, class_palette())
    assert len(mesh.vertices) == len(mesh.faces) == 0


def test_height_colours_count_layers_from_one():
    occupied = torch.zeros(1, 1, 3, dtype=torch.bool)
    occupied[0, 0, 1:] = True
    assert height_colours(occupied)[0, 0].tolist() == [0, 2, 3]
