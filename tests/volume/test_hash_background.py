from __future__ import annotations

import torch

from scene3d.volume.background import Background
from scene3d.volume.hash_background import HashBackgroundConfig, contracted

SMALL = {"field": {"levels": 4, "coarsest": 4, "finest": 16, "table_bits": 10, "width": 16}}


def test_points_far_away_come_close_to_twice_the_radius():
    points = torch.tensor([[0.3, -0.2, 0.1], [0.0, 2.0, 0.0], [-4.0, 0.0, 0.0], [0.0, 0.0, 1e6]])
    expected = torch.tensor([[0.3, -0.2, 0.1], [0.0, 1.5, 0.0], [-1.75, 0.0, 0.0], [0.0, 0.0, 2.0]])
    torch.testing.assert_close(contracted(points), expected)
    # It is continuous at the sphere.
    at = torch.nn.functional.normalize(torch.randn(20, 3), dim=1)
    torch.testing.assert_close(contracted(1.0001 * at), contracted(0.9999 * at), atol=3e-4, rtol=0)


def test_a_sky_is_learnt_by_its_direction():
    torch.manual_seed(0)
    background = HashBackgroundConfig.model_validate(SMALL).build()
    assert isinstance(background, Background)
    optimiser = torch.optim.Adam(background.parameters(), lr=1e-2)
    for _ in range(150):
        along = torch.nn.functional.normalize(torch.randn(256, 3), dim=1)
        found = background(20 * along, along)
        loss = (found.colour - (0.5 + 0.4 * torch.sin(3 * along))).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss < 0.01
