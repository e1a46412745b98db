from __future__ import annotations

import torch

from scene3d.evaluation.uncertainty import errors_in_deviations


def test_errors_are_counted_in_deviations_of_the_inverse_depth():
    # 1/4 instead of 1/5: 0.05 off; 1/10 instead of 1/10; the third pixel has no truth.
    depth, true = torch.tensor([[4.0, 10.0, 3.0]]), torch.tensor([[5.0, 10.0, 0.0]])
    found = errors_in_deviations(depth, torch.tensor([[0.1, 0.1, 0.1]]), true, true > 0, median_scaling=False)
    torch.testing.assert_close(found, torch.tensor([0.5, 0.0]))


def test_a_unit_of_its_own_changes_nothing_where_medians_are_brought_together():
    torch.manual_seed(0)
    true = 2 + 5 * torch.rand(6, 7)
    depth, deviation = true * (0.9 + 0.2 * torch.rand(6, 7)), 0.05 + 0.1 * torch.rand(6, 7)
    counted = torch.rand(6, 7) > 0.3
    metres = errors_in_deviations(depth, deviation, true, counted, median_scaling=True)
    feet = errors_in_deviations(3.28 * depth, deviation / 3.28, true, counted, median_scaling=True)
    torch.testing.assert_close(metres, feet)


def test_no_pixel_has_no_error():
    one = torch.ones(2, 2)
    assert errors_in_deviations(one, one, one, one < 0, median_scaling=True).shape == (0,)
