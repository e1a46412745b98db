from __future__ import annotations

import math

import pytest
import torch

from scene3d.config import parse
from scene3d.errors import ConfigError
from scene3d.volume.fourier_sdf import FourierSdfConfig
from scene3d.volume.hash_sdf import HashSdfConfig
from scene3d.volume.surface_field import ColourConfig, Sharpness, SurfaceConfig

FOURIER = SurfaceConfig(sdf=FourierSdfConfig(width=48, features=4), colour=ColourConfig(width=16, layers=2))
HASH = SurfaceConfig(
    sdf=HashSdfConfig(levels=3, finest=32, table_bits=10, first_levels=1),
    colour=ColourConfig(width=16, layers=2),
    unit_normals=True,
)


@pytest.mark.parametrize("config", [FOURIER, HASH])
def test_both_kinds_answer_alike(config: SurfaceConfig):
    field = config.build().field()
    points = torch.rand(7, 3) - 0.5
    sample = field(points)
    colour = field.colour(points, torch.nn.functional.normalize(torch.randn(7, 3), dim=1), sample)
    assert sample.features.shape == (7, config.sdf.features)
    assert colour.shape == (7, 3) and (colour > 0).all() and (colour < 1).all()
    assert field(torch.zeros(0, 3)).gradient.shape == (0, 3)


def test_colours_follow_all_that_they_are_told():
    colours = FOURIER.build().colour.double()
    told = [torch.randn(5, size, dtype=torch.float64, requires_grad=True) for size in (3, 3, 3, 4)]
    for grad in torch.autograd.grad(colours(*told).sum(), told):
        assert (grad != 0).any()


def test_unit_normals_are_what_colours_are_told():
    points, told = torch.rand(6, 3), []

    def colours(points: torch.Tensor, normals: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        told.append(normals)
        return torch.zeros_like(points)

    for config in (FOURIER, HASH):
        field = config.build().field()
        field = type(field)(field.surface, colours, field.sharpness, config.unit_normals)
        sample = field(points)
        field.colour(points, points, sample)
    torch.testing.assert_close(told[1].norm(dim=1), torch.ones(6))
    assert ((told[0].norm(dim=1) - 1).abs() > 1e-4).all()


def test_sharpness_is_the_power_of_its_exponent_within_bounds():
    assert Sharpness(0.3)().item() == pytest.approx(math.exp(3))
    assert Sharpness(9.0)().item() == 1e6
    assert Sharpness(-9.0)().item() == pytest.approx(1e-6)


def test_a_young_hash_grid_is_asked_for_its_coarse_levels():
    networks = HASH.build()
    assert (networks.field(0.0).surface.levels, networks.field().surface.levels) == (1, 3)


def test_the_kind_of_the_field_is_told_by_name():
    config = parse(SurfaceConfig, {"sdf": {"kind": "hash", "levels": 4}}, "a.yaml")
    assert isinstance(config.sdf, HashSdfConfig) and config.sdf.levels == 4
    with pytest.raises(ConfigError, match="kind"):
        parse(SurfaceConfig, {"sdf": {"kind": "octree"}}, "a.yaml")


@pytest.mark.parametrize("config", [FOURIER, HASH])
def test_what_is_stored_comes_back(config: SurfaceConfig):
    one, other = config.build(), config.build()
    with torch.no_grad():
        for parameter in one.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    points = torch.rand(9, 3) - 0.5
    assert not torch.allclose(one.field()(points).features, other.field()(points).features)
    other.load_state_dict(one.state_dict())
    assert all(torch.equal(*both) for both in zip(one.field()(points), other.field()(points), strict=True))
