from __future__ import annotations

import torch

from scene3d.volume.numerical_normals import numerical_gradient


def test_a_linear_field_has_its_slope_at_any_step():
    slope = torch.tensor([0.3, -2.0, 1.0])
    found = numerical_gradient(lambda x: x @ slope + 4, torch.randn(6, 3), step=0.5)
    torch.testing.assert_close(found, slope.expand(6, 3))


def test_the_error_falls_with_the_step():
    points = torch.nn.functional.normalize(torch.randn(50, 3, dtype=torch.float64), dim=1)
    errors = [
        (numerical_gradient(lambda x: x.norm(dim=1), points, step) - points).abs().max() for step in (1e-2, 1e-3, 1e-4)
    ]
    # The distance from the origin bends by at most 1 at distance 1.
    for step, error in zip((1e-2, 1e-3, 1e-4), errors, strict=True):
        assert step / 100 < error < 2 * step


def test_no_points_have_no_gradients():
    assert numerical_gradient(lambda x: x[:, 0], torch.zeros(0, 3), 0.1).shape == (0, 3)
