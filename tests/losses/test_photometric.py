from __future__ import annotations

import pytest
import torch

from scene3d.losses.photometric import minimum_reprojection, photometric_error


def test_equal_patches_are_free_and_the_error_is_at_most_one():
    patch = torch.rand(3, 3, 8, 8)
    assert photometric_error(patch, patch).abs().max() < 1e-6
    worst = photometric_error(torch.zeros(1, 3, 8, 8), torch.ones(1, 3, 8, 8))
    assert 0.5 < worst.max() <= 1


def test_without_structure_the_error_is_the_mean_absolute_difference():
    target = torch.full((1, 3, 8, 8), 0.5)
    error = photometric_error(target + 0.1, target, ssim_weight=0.0)
    torch.testing.assert_close(error, torch.full((1, 8, 8), 0.1))


def test_a_pixel_hidden_in_one_view_is_judged_by_another():
    target = torch.rand(2, 3, 8, 8)
    rendered = torch.stack([torch.rand(2, 3, 8, 8), target], dim=1)
    seen = torch.ones(2, 2, 8, 8, dtype=torch.bool)
    assert minimum_reprojection(rendered, target, seen).item() == pytest.approx(0, abs=1e-6)
    seen[:, 1] = False
    assert minimum_reprojection(rendered, target, seen) > 0.05


def test_pixels_that_no_view_sees_do_not_dilute_the_loss():
    target = torch.zeros(1, 3, 8, 8)
    rendered = torch.full((1, 1, 3, 8, 8), 0.2)
    seen = torch.ones(1, 1, 8, 8, dtype=torch.bool)
    full = minimum_reprojection(rendered, target, seen, ssim_weight=0.0)
    seen[..., :4] = False
    torch.testing.assert_close(minimum_reprojection(rendered, target, seen, ssim_weight=0.0), full)
    assert minimum_reprojection(rendered, target, torch.zeros_like(seen)) == 0


def test_what_moves_with_the_camera_does_not_count():
    target = torch.rand(2, 3, 8, 8)
    rendered = torch.rand(2, 1, 3, 8, 8)
    seen = torch.ones(2, 1, 8, 8, dtype=torch.bool)
    # The first patch looks as it did before; the second is better explained by the reconstruction.
    still = torch.stack([target[:1], 1 - target[1:].round()], dim=0)
    rendered[1, 0] = (target[1] + 0.05).clamp(max=1)
    found = minimum_reprojection(rendered, target, seen, still=still)
    torch.testing.assert_close(found, minimum_reprojection(rendered[1:], target[1:], seen[1:]))
