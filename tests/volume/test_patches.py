from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole, project
from scene3d.volume.patches import Patches, draw_patches


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
    patches = draw_patches(torch.ones(2, 3, dtype=torch.bool), 32, 48, count=50, size=8, on_grid=True)
    assert (patches.top % 8 == 0).all() and (patches.left % 8 == 0).all()
    cells = torch.rand(2, 3, 5, 4, 6)
    pixels = cells.repeat_interleave(8, dim=-2).repeat_interleave(8, dim=-1)
    torch.testing.assert_close(patches.take(pixels)[..., 0, 0], patches.take_cell(cells))


def test_patches_reach_every_border_and_only_usable_views():
    usable = torch.tensor([[False, True, True]])
    patches = draw_patches(usable, 10, 12, count=3000, size=8, on_grid=False)
    assert sorted(set(patches.view.flatten().tolist())) == [1, 2]
    assert patches.top.min() == 0 and patches.top.max() == 2
    assert patches.left.min() == 0 and patches.left.max() == 4


def test_the_same_pixels_of_every_view():
    maps = torch.rand(2, 3, 4, 20, 30)
    patches = draw_patches(torch.ones(2, 3, dtype=torch.bool), 20, 30, count=5, size=8, on_grid=False)
    everywhere = patches.take_everywhere(maps)
    assert everywhere.shape == (2, 5, 3, 4, 8, 8)
    own = everywhere[torch.arange(2)[:, None], torch.arange(5), patches.view]
    torch.testing.assert_close(own, patches.take(maps))
