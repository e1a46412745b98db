from __future__ import annotations

import math

import pytest
import torch

from scene3d.evaluation.depth import (
    DepthMetrics,
    average_with_mirrored,
    counted_pixels,
    depth_metrics,
    garg_crop,
    mean_metrics,
    ratio_spread,
    resize_depth,
)


def test_the_figures_of_two_pixels_worked_by_hand():
    true, predicted = torch.tensor([[2.0, 10.0]]), torch.tensor([[3.0, 9.0]])
    figures = depth_metrics(predicted, true, true > 0)
    # Errors +1 and -1: 1/2 and 1/10 of the truth; squares over truth the same numbers.
    assert figures.abs_rel == pytest.approx((0.5 + 0.1) / 2)
    assert figures.sq_rel == pytest.approx((1 / 2 + 1 / 10) / 2)
    assert figures.rmse == pytest.approx(1.0)
    assert figures.rmse_log == pytest.approx(math.sqrt((math.log(1.5) ** 2 + math.log(0.9) ** 2) / 2))
    # Factors 1.5 and 1.11: below 1.25 one of two, below 1.5625 both.
    assert (figures.a1, figures.a2, figures.a3) == (0.5, 1.0, 1.0)
    # The medians of two are their means: 6 and 6.
    assert figures.median_ratio == pytest.approx(1.0)


def test_what_is_not_measured_does_not_count():
    true, predicted = torch.tensor([[2.0, 0.0, 90.0]]), torch.tensor([[2.0, 50.0, 1.0]])
    figures = depth_metrics(predicted, true, counted_pixels(true, crop=False))
    assert figures.abs_rel == 0.0
    assert depth_metrics(predicted, true, torch.zeros_like(true, dtype=torch.bool)) is None


def test_median_scaling_forgives_a_scale_and_the_ratio_says_which():
    true = torch.tensor([[1.0, 2.0, 4.0]])
    unscaled = depth_metrics(2 * true, true, true > 0)
    scaled = depth_metrics(2 * true, true, true > 0, median_scaling=True)
    assert unscaled.abs_rel == pytest.approx(1.0)
    assert scaled.abs_rel == pytest.approx(0.0, abs=1e-12)
    assert unscaled.median_ratio == scaled.median_ratio == pytest.approx(0.5)


def test_predictions_are_capped_after_scaling():
    true, predicted = torch.tensor([[40.0]]), torch.tensor([[500.0]])
    assert depth_metrics(predicted, true, true > 0).rmse == pytest.approx(40.0)


def test_convention_the_garg_crop_of_a_kitti_image():
    crop = garg_crop(375, 1242)
    # int(.40810811 * 375) = 153, int(.99189189 * 375) = 371, int(.03594771 * 1242) = 44, .96405229 -> 1197.
    assert crop.sum() == (371 - 153) * (1197 - 44)
    assert crop[153, 44] and not crop[152, 44] and not crop[371, 1196] and crop[370, 1196]


def test_images_weigh_the_same_and_the_spread_is_relative_to_the_median():
    images = [DepthMetrics(a, *[0.0] * 6, ratio) for a, ratio in ((0.1, 1.0), (0.2, 2.0), (0.6, 3.0))]
    mean = mean_metrics(images)
    assert mean.abs_rel == pytest.approx(0.3)
    assert mean.median_ratio == pytest.approx(2.0)
    # Ratios over their median: 0.5, 1, 1.5; mean 1, variance (0.25 + 0 + 0.25) / 3.
    assert ratio_spread(images) == pytest.approx(math.sqrt(0.5 / 3))


def test_depth_is_resized_in_disparity():
    # Halving 1 m and 3 m side by side averages 1 and 1/3 to 2/3, which is 1.5 m.
    resized = resize_depth(torch.tensor([[1.0, 3.0], [1.0, 3.0]]), 1, 1)
    torch.testing.assert_close(resized, torch.tensor([[1.5]]))


def test_the_mirrored_image_is_believed_on_the_left_and_the_image_on_the_right():
    # 41 columns lie at 0, 0.025, ... 1. Disparities 1 and 3, so the mean is 2: at 0 and 0.025 the mirrored answer, at
    # 0.075 half of it (2.5), from 0.1 on the mean; on the right likewise with 1 (1.5 at 0.925).
    depth = average_with_mirrored(torch.ones(2, 41), torch.full((2, 41), 1 / 3))
    disparity = 1 / depth[1]
    expected = [3.0, 3.0, 3.0, 2.5, *[2.0] * 33, 1.5, 1.0, 1.0, 1.0]
    torch.testing.assert_close(disparity, torch.tensor(expected))


def test_two_answers_that_agree_are_their_mean():
    depth = 1 + torch.rand(3, 50)
    torch.testing.assert_close(average_with_mirrored(depth, depth), depth)
