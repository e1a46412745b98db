from __future__ import annotations

import pytest
import torch

from scene3d.errors import DataError
from scene3d.geometry.camera import pinhole, project
from scene3d.volume.patches import Patches, draw_origin, draw_patches, seen_from


def test_what_a_patch_takes_is_where_its_rays_look():
    camera = pinhole(12.0, 16, 24)
    coordinates = torch.stack(torch.meshgrid(torch.arange(16.0), torch.arange(24.0), indexing="ij"))[None, None]
    patches = Patches(torch.zeros(1, 2, dtype=torch.long), torch.tensor([[0, 8]]), torch.tensor([[3, 16]]), 8)
    taken = patches.take(coordinates)
    rays = patches.rays(camera.K[None, None], torch.eye(4)[None, None])
    pixels, _ = project(rays.directions, camera.K[None])
    expected = taken.flatten(3).permute(0, 1, 3, 2).flatten(1, 2).flip(-1) + 0.5
    torch.testing.assert_close(pixels, expected)
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(1, 128))


def test_patches_of_a_teacher_lie_on_its_grid_and_take_its_cells():
    patches = draw_patches(torch.ones(2, 3, dtype=torch.bool), 32, 48, count=50, size=8, grid=(0, 0))
    assert (patches.top % 8 == 0).all() and (patches.left % 8 == 0).all()
    cells = torch.rand(2, 3, 5, 4, 6)
    pixels = cells.repeat_interleave(8, dim=-2).repeat_interleave(8, dim=-1)
    torch.testing.assert_close(patches.take(pixels)[..., 0, 0], patches.take_cell(cells))


def test_patches_reach_every_border_and_only_usable_views():
    usable = torch.tensor([[False, True, True]])
    patches = draw_patches(usable, 10, 12, count=3000, size=8, grid=None)
    assert sorted(set(patches.view.flatten().tolist())) == [1, 2]
    assert patches.top.min() == 0 and patches.top.max() == 2
    assert patches.left.min() == 0 and patches.left.max() == 4


def test_the_same_pixels_of_every_view():
    maps = torch.rand(2, 3, 4, 20, 30)
    patches = draw_patches(torch.ones(2, 3, dtype=torch.bool), 20, 30, count=5, size=8, grid=None)
    everywhere = patches.take_everywhere(maps)
    assert everywhere.shape == (2, 5, 3, 4, 8, 8)
    own = everywhere[torch.arange(2)[:, None], torch.arange(5), patches.view]
    torch.testing.assert_close(own, patches.take(maps))


@pytest.mark.parametrize("origin", [(0, 0), (3, -4), (-1, 2), (-4, 3)])
def test_a_shifted_grid_has_its_cells_where_the_shifted_image_has_them(origin):
    images = torch.rand(2, 3, 5, 32, 48)
    shifted = seen_from(images.flatten(0, 1), origin).unflatten(0, (2, 3))
    assert shifted.shape == images.shape
    # The mean of a cell of the shifted image is that of the patch in the image itself: patches lie in it whole.
    cells = torch.nn.functional.avg_pool2d(shifted.flatten(0, 1), 8).unflatten(0, (2, 3))
    patches = draw_patches(torch.ones(2, 3, dtype=torch.bool), 32, 48, count=50, size=8, grid=origin)
    torch.testing.assert_close(patches.take(images).mean(dim=(-2, -1)), patches.take_cell(cells))
    # 32 rows hold three whole cells that begin neither at 0 nor at a multiple of 8, else four.
    assert patches.top.unique().tolist() == list(range(origin[0] % 8, 25, 8))


def test_beyond_the_image_its_border_is_repeated():
    row = torch.arange(4.0).expand(1, 1, 4, 4)
    assert seen_from(row, (0, 2))[0, 0, 0].tolist() == [2, 3, 3, 3]
    assert seen_from(row, (0, -2))[0, 0, 0].tolist() == [0, 0, 0, 1]


def test_the_grid_moves_by_up_to_half_a_cell_and_not_where_no_whole_cell_would_be_left():
    drawn = {draw_origin(32, 15, 8) for _ in range(300)}
    assert {row for row, _ in drawn} == set(range(-4, 4)) and {column for _, column in drawn} == {0}


def test_a_view_smaller_than_a_patch_is_refused():
    with pytest.raises(DataError, match="at least 8x8 pixels, one patch, got 32x7"):
        draw_patches(torch.ones(1, 1, dtype=torch.bool), 32, 7, count=1, size=8, grid=None)
