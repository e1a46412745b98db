from __future__ import annotations

import torch

from scene3d.fusion.inward import spread_inward, surface_cells


def test_a_solid_takes_the_class_of_its_nearest_face():
    # A block of 5 x 5 x 5 in an empty grid: its left half is painted 1, its right half 2; inside is nonsense.
    occupied = torch.zeros(9, 9, 9, dtype=torch.bool)
    occupied[2:7, 2:7, 2:7] = True
    classes = torch.full((9, 9, 9), 9)
    classes[2, 2:7, 2:7] = 1
    classes[6, 2:7, 2:7] = 2
    classes[3:6, 2, 2:7] = classes[3:6, 6, 2:7] = classes[3:6, 2:7, 2] = classes[3:6, 2:7, 6] = 3
    found = spread_inward(classes, occupied)
    assert found[2, 4, 4] == 1 and found[6, 4, 4] == 2
    assert found[3, 4, 4] == 1 and found[5, 4, 4] == 2
    assert found[4, 3, 4] == 3
    assert (found[~occupied] == 0).all()
    assert not (found == 9).any()


def test_ground_below_the_street_is_street_down_to_the_end_of_the_grid():
    occupied = torch.zeros(4, 4, 6, dtype=torch.bool)
    occupied[..., :4] = True
    classes = torch.zeros(4, 4, 6, dtype=torch.int64)
    classes[..., 3] = 7
    assert (spread_inward(classes, occupied)[..., :4] == 7).all()


def test_nothing_occupied_or_nothing_empty_has_no_surface():
    classes = torch.full((3, 3, 3), 4)
    assert (spread_inward(classes, torch.zeros(3, 3, 3, dtype=torch.bool)) == 0).all()
    assert torch.equal(spread_inward(classes, torch.ones(3, 3, 3, dtype=torch.bool)), classes)


def test_the_surface_is_what_scipy_leaves_of_an_erosion():
    from scipy.ndimage import binary_erosion

    torch.manual_seed(0)
    occupied = torch.rand(7, 6, 5) < 0.8
    inside = torch.from_numpy(binary_erosion(occupied.numpy(), border_value=1))
    assert torch.equal(surface_cells(occupied), occupied & ~inside)
