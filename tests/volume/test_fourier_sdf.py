from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from scene3d.volume import SignedDistance
from scene3d.volume.fourier_sdf import FourierSdf, FourierSdfConfig

SMALL = FourierSdfConfig(width=48, features=5)


def ball(count: int, radius: float = 1.0) -> torch.Tensor:
    """Points uniform in a ball."""
    direction = torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64), dim=1)
    return radius * direction * torch.rand(count, 1, dtype=torch.float64) ** (1 / 3)


def shaken(config: FourierSdfConfig) -> FourierSdf:
    """No sphere any more: waves of the encoding count."""
    field = config.build().double()
    with torch.no_grad():
        for parameter in field.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return field


@torch.no_grad()
def test_it_begins_as_a_sphere():
    """Nearly: the network is random, so its zero lies between 0.25 and 0.75 rather than at 0.5 in every direction."""
    direction = torch.nn.functional.normalize(torch.randn(200, 3), dim=1)
    at_half, slopes = [], []
    for _ in range(6):
        field = FourierSdfConfig().build()
        assert (field.distance(0.25 * direction) < 0).all() and (field.distance(0.75 * direction) > 0).all()
        sample = field(0.5 * direction)
        at_half.append(sample.sdf)
        slopes.append((sample.gradient * direction).sum(dim=1))
    assert torch.stack(at_half).mean().abs() < 0.1
    assert abs(torch.stack(slopes).mean() - 1) < 0.15
    assert isinstance(field, SignedDistance)


@torch.no_grad()
def test_the_radius_moves_the_sphere_and_a_hollow_one_is_its_opposite():
    points = ball(100).float()

    def distance(**options: object) -> torch.Tensor:
        torch.manual_seed(1)
        return FourierSdfConfig(**options).build().distance(points)

    torch.testing.assert_close(distance(radius=0.3), distance(radius=0.8) + 0.5)
    # The last layer's weights are alike but for a little noise.
    torch.testing.assert_close(distance(inside_out=True), -distance(), atol=2e-2, rtol=0)


@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("skip", [None, 4])
def test_the_normal_is_the_gradient_of_the_distance(scale: float, skip: int | None):
    field = shaken(SMALL.model_copy(update={"scale": scale, "skip": skip}))
    points = ball(40).requires_grad_()
    sample = field(points)
    torch.testing.assert_close(sample.sdf, field.distance(points))
    (expected,) = torch.autograd.grad(sample.sdf.sum(), points)
    torch.testing.assert_close(sample.gradient, expected)
    steps = 1e-6 * torch.eye(3, dtype=torch.float64)
    with torch.no_grad():
        finite = [(field.distance(points + step) - field.distance(points - step)) / 2e-6 for step in steps]
    torch.testing.assert_close(sample.gradient, torch.stack(finite, dim=1), rtol=1e-5, atol=1e-5)


def test_normals_and_all_else_can_be_trained():
    field = shaken(FourierSdfConfig(width=16, layers=2, skip=1, features=2, octaves=2))
    points = ball(4)
    assert torch.autograd.gradcheck(
        lambda x: tuple(field(x)), points.requires_grad_(), eps=1e-7, atol=1e-4, fast_mode=True
    )
    names, leaves = zip(*field.named_parameters(), strict=True)

    def normals(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(field, dict(zip(names, values, strict=True)), points.detach()).gradient

    learnt = [leaf.detach().requires_grad_() for leaf in leaves]
    assert torch.autograd.gradcheck(normals, learnt, eps=1e-7, atol=1e-4, fast_mode=True)


def test_numerical_normals_are_nearly_the_analytic_ones():
    field = shaken(SMALL)
    numerical = FourierSdf(SMALL.model_copy(update={"normals": "numerical", "step": 1e-6})).double()
    numerical.load_state_dict(field.state_dict())
    points = ball(40)
    found, expected = numerical(points), field(points)
    torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-3, atol=1e-3)
    assert not torch.equal(found.gradient, expected.gradient)
    torch.testing.assert_close(found.features, expected.features)


def test_a_scaled_field_is_the_field_of_a_scaled_scene():
    field = shaken(SMALL)
    scaled = FourierSdf(SMALL.model_copy(update={"scale": 3.0})).double()
    scaled.load_state_dict(field.state_dict())
    points = ball(40)
    torch.testing.assert_close(scaled.distance(points), field.distance(3 * points) / 3)


def test_a_skip_that_does_not_fit_is_refused():
    with pytest.raises(ValidationError, match="expected at most layers, 3, got 4"):
        FourierSdfConfig(layers=3)
    with pytest.raises(ValidationError, match="expected over the 39 of the encoding"):
        FourierSdfConfig(width=39)
