from __future__ import annotations

import math

import pytest
import torch
from skimage.metrics import structural_similarity

from scene3d.errors import UsageError
from scene3d.evaluation.views import psnr, score_view, silhouette_iou, ssim


def test_psnr_by_hand():
    true = torch.full((3, 4, 4), 0.5)
    # An error of 0.1 everywhere is 0.01 squared: 20 dB. In one of four columns alone it is 0.0025: 26.02 dB.
    assert psnr(true + 0.1, true) == pytest.approx(20, abs=1e-4)
    one = true.clone()
    one[:, :, 0] += 0.1
    assert psnr(one, true) == pytest.approx(20 + 10 * math.log10(4), abs=1e-4)
    assert psnr(true, true) == math.inf


def test_psnr_in_a_mask_counts_no_pixel_outside():
    true = torch.full((3, 4, 4), 0.5)
    one = true.clone()
    one[:, :, 0] += 0.1
    one[:, :, 1] = 1.0
    mask = torch.zeros(4, 4, dtype=torch.bool)
    mask[:, 0] = True
    assert psnr(one, true, mask) == pytest.approx(20, abs=1e-4)
    assert psnr(one, true, torch.ones_like(mask)) == psnr(one, true)


def test_ssim_is_that_of_scikit_image():
    one = torch.rand(3, 24, 30)
    two = (one + 0.2 * torch.randn(3, 24, 30)).clamp(0, 1)
    expected = structural_similarity(
        one.double().numpy(),
        two.double().numpy(),
        channel_axis=0,
        data_range=1,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
    )
    assert ssim(one, two) == pytest.approx(expected, abs=1e-6)


def test_ssim_by_hand_on_flat_images():
    # Without contrast only the means speak: (2 * 0.25 * 0.75 + 1e-4) / (0.25^2 + 0.75^2 + 1e-4).
    one, two = torch.full((3, 12, 12), 0.25), torch.full((3, 12, 12), 0.75)
    assert ssim(one, two) == pytest.approx(0.3751 / 0.6251, abs=1e-6)
    assert ssim(one, one) == pytest.approx(1)


def test_ssim_and_psnr_do_not_care_which_is_true():
    one, two = torch.rand(2, 3, 16, 16)
    assert ssim(one, two) == pytest.approx(ssim(two, one))
    assert psnr(one, two) == psnr(two, one)


def test_ssim_in_a_mask_takes_the_windows_about_its_pixels():
    one, two = torch.rand(2, 3, 16, 40)
    two[:, :, :20] = one[:, :, :20]
    left = torch.zeros(16, 40, dtype=torch.bool)
    left[:, :15] = True
    # Columns up to 14 look no further than column 19.
    assert ssim(one, two, left) == pytest.approx(1)
    assert ssim(one, two, ~left) < ssim(one, two) < 1


def test_what_cannot_be_compared_is_refused():
    image = torch.rand(3, 16, 16)
    with pytest.raises(UsageError, match="at least one pixel"):
        psnr(image, image, torch.zeros(16, 16, dtype=torch.bool))
    with pytest.raises(UsageError, match="at least 11 x 11 pixels, got 16 x 8"):
        ssim(image[:, :8], image[:, :8])
    border = torch.zeros(16, 16, dtype=torch.bool)
    border[0] = True
    with pytest.raises(UsageError, match="at least one pixel"):
        ssim(image, image, border)


def test_silhouettes_by_hand():
    one = torch.zeros(4, 4, dtype=torch.bool)
    two = one.clone()
    assert silhouette_iou(one, two) == 1
    one[:2], two[1:3] = True, True
    # Rows 0-1 and 1-2 share 4 of 12 pixels.
    assert silhouette_iou(one, two) == silhouette_iou(two, one) == pytest.approx(1 / 3)
    assert silhouette_iou(one, ~one) == 0


def test_a_view_is_scored_whole_in_its_mask_and_outside_of_it():
    true = torch.full((3, 16, 16), 0.5)
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[:, :8] = True
    rendered = true + torch.where(mask, 0.1, 0.01)
    silhouette = torch.zeros_like(mask)
    silhouette[:, :10] = True
    found = score_view(rendered, true, silhouette, mask)
    assert found.psnr_inside == pytest.approx(20, abs=1e-4) and found.psnr_outside == pytest.approx(40, abs=1e-3)
    assert found.psnr == pytest.approx(-10 * math.log10((0.01 + 0.0001) / 2), abs=1e-4)
    assert found.iou == 0.8
    alone = score_view(rendered, true, silhouette)
    assert alone.psnr == found.psnr and alone.psnr_inside is None and alone.iou is None
    nothing = score_view(rendered, true, silhouette, torch.zeros_like(mask))
    assert nothing.psnr_inside is None and nothing.iou == 0
