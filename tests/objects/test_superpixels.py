from __future__ import annotations

import torch

from scene3d.objects.superpixels import lab_colours, superpixels


def halves() -> torch.Tensor:
    """Black to the left of column 20, white from there on."""
    image = torch.zeros(3, 30, 40, dtype=torch.uint8)
    image[:, :, 20:] = 255
    return image


def test_patches_keep_to_edges_and_know_their_colour_and_size():
    patches = superpixels(halves(), 50.0)
    assert patches.area.sum() == 1200 and 6 <= len(patches.area) <= 40
    left, right = patches.patch[:, :20].unique(), patches.patch[:, 20:].unique()
    assert not set(left.tolist()) & set(right.tolist())
    # Lightness 0 is black and 100 white.
    assert (patches.colour[left, 0] < 1).all() and (patches.colour[right, 0] > 99).all()


def test_borders_add_up_to_all_steps_between_patches():
    patches = superpixels(halves(), 50.0)
    steps = (patches.patch.diff(dim=0) != 0).sum() + (patches.patch.diff(dim=1) != 0).sum()
    assert patches.border.sum() == steps and (patches.edges[:, 0] < patches.edges[:, 1]).all()


def test_pixels_and_masks_are_counted_by_patch():
    patches = superpixels(halves(), 50.0)
    counted = patches.counted(torch.tensor([[0, 0], [39, 29], [39, 29]]))
    assert counted.sum() == 3 and counted[patches.patch[29, 39]] == 2
    mask = torch.zeros(30, 40, dtype=torch.bool)
    mask[:, 20:] = True
    assert set(patches.share(mask).tolist()) == {0, 1}


def test_gray_has_no_hue():
    lab = lab_colours(torch.full((2, 3), 128, dtype=torch.uint8))
    assert lab.shape == (2, 3) and lab[:, 1:].abs().amax() < 0.1
