from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from scene3d.volume.background import Background
from scene3d.volume.hash_radiance import DENSEST, HashRadianceConfig

SMALL = HashRadianceConfig(levels=4, coarsest=4, finest=16, table_bits=10, width=16)


def points(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    return 2 * torch.rand(count, 3) - 1, torch.nn.functional.normalize(torch.randn(count, 3), dim=1)


def test_density_is_above_zero_and_bounded_and_colours_are_colours():
    field = SMALL.build()
    assert isinstance(field, Background)
    with torch.no_grad():
        field.density.linear()[-1].weight.mul_(1e6)
    found = field(*points(200))
    assert (found.density > 0).all() and found.density.max() <= torch.tensor(DENSEST).exp()
    assert (found.colour >= 0).all() and (found.colour <= 1).all()


def test_fog_in_one_half_of_the_cube_is_learnt():
    torch.manual_seed(0)
    field = SMALL.build()
    optimiser = torch.optim.Adam(field.parameters(), lr=1e-2)
    for _ in range(200):
        where, along = points(256)
        found = field(where, along)
        thick = (where[:, 0] > 0).float()
        loss = (torch.exp(-found.density) - torch.exp(-3 * thick)).square().mean()
        loss = loss + (found.colour - thick[:, None]).square().mean()
        optimiser.zero_grad()
        loss.backward()
        assert all(p.grad is not None for p in field.parameters())
        optimiser.step()
    found = field(torch.tensor([[0.5, 0.0, 0.0], [-0.5, 0.3, 0.1]]), points(2)[1])
    assert found.density[0] > 1.5 and found.density[1] < 0.3
    assert (found.colour[0] > 0.8).all() and (found.colour[1] < 0.2).all()


def test_grids_run_from_coarse_to_fine():
    assert SMALL.resolutions == [4, 6, 10, 16]
    with pytest.raises(ValidationError, match="finest: expected at least coarsest, 32, got 16"):
        HashRadianceConfig(coarsest=32, finest=16)
