from __future__ import annotations

import pytest
import torch
from torch.nn.functional import avg_pool2d

from scene3d.nn.windows import WINDOW, box_mean, halved, normalise, window_features


def test_a_window_holds_its_pixels_row_by_row():
    image = torch.rand(1, 3, 24, 32)
    even = normalise(avg_pool2d(image, 2), WINDOW, 0.01)[0, 0]
    found = window_features(image)
    assert found.shape == (1, 12, 16, WINDOW**2)
    torch.testing.assert_close(found[0, 6, 7], even[4:9, 5:10].flatten())


def test_of_brightness_and_contrast_only_what_may_be_noise_counts():
    image = torch.rand(1, 3, 24, 32)
    # Half the contrast is as if there were twice the noise, and otherwise the same.
    torch.testing.assert_close(normalise(0.5 * image + 0.2, 5, 0.01), normalise(image, 5, 0.02), atol=1e-3, rtol=1e-3)


def test_where_there_is_no_texture_all_windows_are_nothing():
    flat = torch.full((1, 3, 24, 32), 0.4)
    assert window_features(flat).abs().max() < 1e-3


def test_halved_is_what_a_bilinear_look_between_four_pixels_finds():
    features = torch.rand(1, 8, 12, 5)
    torch.testing.assert_close(halved(features)[0, 1, 2], features[0, 2:4, 4:6].mean(dim=(0, 1)))


@pytest.mark.parametrize("window", [1, 3, 5])
def test_a_box_is_the_mean_of_its_pixels_and_the_border_goes_on(window: int):
    values = torch.rand(2, 7, 9)
    half = window // 2
    wide = torch.nn.functional.pad(values[:, None], (half, half, half, half), mode="replicate")
    torch.testing.assert_close(box_mean(values, window), avg_pool2d(wide, window, stride=1)[:, 0])
