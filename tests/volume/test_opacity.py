from __future__ import annotations

import math

import torch

from scene3d.volume.opacity import density_to_opacity


def test_half_of_the_light_is_lost_over_the_half_value_layer():
    # Density ln 2 per metre over sections of 1 m and 2 m: opacities 1/2 and 3/4.
    density = torch.full((1, 3), math.log(2))
    distances = torch.tensor([[5.0, 6.0, 8.0]])
    torch.testing.assert_close(density_to_opacity(density, distances, capped=True), torch.tensor([[0.5, 0.75, 1.0]]))


def test_without_the_cap_the_last_section_is_empty():
    opacity = density_to_opacity(torch.ones(1, 2), torch.tensor([[1.0, 2.0]]), capped=False)
    assert opacity[0, -1] == 0
