from __future__ import annotations

import numpy as np
import torch

from scene3d.data.jitter import Jitter, draw_jitter, jitter


def test_a_jitter_is_one_for_all_views_and_stays_in_range():
    views = torch.rand(1, 2, 3, 8, 8)
    views[:, 1] = views[:, 0]
    changed = jitter(views, draw_jitter(np.random.default_rng(3)))
    assert not torch.allclose(changed, views)
    torch.testing.assert_close(changed[:, 0], changed[:, 1])
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_a_jitter_of_ones_changes_nothing_and_brightness_is_a_factor():
    image = torch.rand(3, 4, 4) * 0.5
    torch.testing.assert_close(jitter(image, Jitter(1.0, 1.0, 1.0, 0.0)), image, atol=1e-5, rtol=0)
    torch.testing.assert_close(jitter(image, Jitter(1.2, 1.0, 1.0, 0.0)), image * 1.2, atol=1e-5, rtol=0)


def test_draws_stay_within_the_published_ranges():
    draws = [draw_jitter(np.random.default_rng(seed)) for seed in range(200)]
    for name, low, high in (("brightness", 0.8, 1.2), ("contrast", 0.8, 1.2), ("saturation", 0.8, 1.2)):
        values = [getattr(draw, name) for draw in draws]
        assert low <= min(values) < low + 0.05
        assert high - 0.05 < max(values) <= high
    assert -0.1 <= min(draw.hue for draw in draws) < -0.09
    assert len({draw.order for draw in draws}) == 24
