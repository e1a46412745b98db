from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from scene3d.ops import hash_encode
from scene3d.volume import SignedDistance
from scene3d.volume.hash_sdf import ROUNDING, HashSdf, HashSdfConfig

CELLS = 8
SMALL = HashSdfConfig(levels=2, coarsest=4, finest=CELLS, table_bits=8, width=16, features=3, bound=1.5)


def off_faces(count: int) -> torch.Tensor:
    """Points of the cube away from the faces of cells, where the derivative jumps."""
    place = (torch.randint(0, CELLS, (count, 3)) + 0.2 + 0.6 * torch.rand(count, 3)).double() / CELLS
    return (2 * place - 1) * SMALL.bound


def shaken(config: HashSdfConfig) -> HashSdf:
    network = config.build().double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(0.3 * torch.randn_like(parameter))
    return network


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("centre", [(0.0, 0.0, 0.0), (0.1, -0.2, 0.05)])
def test_it_begins_as_a_sphere(sign: int, centre: tuple[float, float, float]):
    field = HashSdfConfig(radius=0.6, centre=centre, inside_out=sign < 0).build().double().at(0.0)
    direction = torch.nn.functional.normalize(torch.randn(50, 3, dtype=torch.float64), dim=1)
    middle = torch.tensor(centre, dtype=torch.float64)
    sample = field(middle + 0.6 * direction)
    torch.testing.assert_close(sample.sdf, torch.zeros(50, dtype=torch.float64))
    # The tip of the cone is rounded, which takes a little of the slope: 0.6 / sqrt(0.6^2 + 0.1^2).
    torch.testing.assert_close(sample.gradient, sign * direction * 0.6 / (0.36 + ROUNDING**2) ** 0.5)
    inner, outer = (sign * field.distance(middle + r * direction) for r in (0.5, 0.7))
    assert (inner < 0).all() and (outer > 0).all()
    assert isinstance(field, SignedDistance)


def test_the_normal_is_the_gradient_of_the_distance():
    field = shaken(SMALL).at(1.0)
    points = off_faces(40).requires_grad_()
    sample = field(points)
    torch.testing.assert_close(sample.sdf, field.distance(points))
    torch.testing.assert_close(sample.gradient, torch.autograd.grad(field.distance(points).sum(), points)[0])
    steps = 1e-6 * torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        finite = [(field.distance(points + step) - field.distance(points - step)) / 2e-6 for step in steps]
    torch.testing.assert_close(sample.gradient, torch.stack(finite, dim=1), rtol=1e-5, atol=1e-5)
    assert torch.autograd.gradcheck(
        lambda x: tuple(field(x)), points[:5].detach().requires_grad_(), eps=1e-7, atol=1e-4
    )


def test_training_normals_in_one_backward_is_the_gradient_of_a_gradient():
    network = shaken(SMALL)
    field, leaves = network.at(1.0), list(network.parameters())
    points = off_faces(30).requires_grad_()
    in_cube = (points / SMALL.bound + 1) / 2
    held, _ = hash_encode.reference(in_cube, network.table, SMALL.resolutions, network.starts, False)
    residual = network.mlp(torch.cat([points, held], dim=1))
    distance = (points.square().sum(dim=1) + ROUNDING**2).sqrt() - (SMALL.radius**2 + ROUNDING**2) ** 0.5
    (twice,) = torch.autograd.grad((distance + residual[:, 0]).sum(), points, create_graph=True)

    def loss(gradient: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        return (gradient.norm(dim=1) - 1).square().mean() + features.square().mean()

    sample = field(points)
    found = torch.autograd.grad(loss(sample.gradient, sample.features), leaves)
    expected = torch.autograd.grad(loss(twice, residual[:, 1:]), leaves)
    torch.testing.assert_close(found, expected)
    assert all((each != 0).any() for each in found)


def test_levels_join_in_as_the_training_goes():
    config = HashSdfConfig(levels=6, coarsest=4, finest=32, table_bits=10, first_levels=2, all_from=0.5)
    network = shaken(config)
    assert [network.at(share).levels for share in (0.0, 0.12, 0.13, 0.25, 0.49, 0.5, 1.0)] == [2, 2, 3, 4, 5, 6, 6]
    # What fine grids hold does not count, nor learn, before they join.
    points = off_faces(20)
    coarse = network.at(0.0)(points)
    (grad,) = torch.autograd.grad(coarse.gradient.sum() + coarse.sdf.sum(), network.table)
    first = network.starts[2]
    assert (grad[first:] == 0).all() and (grad[:first] != 0).any()
    with torch.no_grad():
        network.table[first:] = 0
    torch.testing.assert_close(network.at(0.0)(points), network.at(1.0)(points))


def test_numerical_normals_see_a_cell_of_the_finest_grid_that_counts():
    field = shaken(SMALL.model_copy(update={"normals": "numerical"})).at(1.0)
    points = off_faces(20)
    cell = 2 * SMALL.bound / CELLS
    slope = torch.zeros(20, 3, dtype=torch.float64)
    for corner in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1)):
        step = torch.tensor(corner, dtype=torch.float64)
        slope += field.distance(points + cell * step)[:, None] * step / (4 * cell)
    sample = field(points)
    torch.testing.assert_close(sample.gradient, slope)
    torch.testing.assert_close(sample.sdf, field.distance(points))


def test_grids_rise_by_one_factor():
    # 2^(1/2) from one to the next.
    assert HashSdfConfig(levels=3, coarsest=16, finest=32).resolutions == [16, 23, 32]
    assert HashSdfConfig(levels=1, coarsest=16, finest=32).resolutions == [16]


def test_settings_that_contradict_are_refused():
    with pytest.raises(ValidationError, match="expected at least coarsest, 16, got 8"):
        HashSdfConfig(finest=8)
    with pytest.raises(ValidationError, match="expected at most levels, 12, got 13"):
        HashSdfConfig(first_levels=13)
