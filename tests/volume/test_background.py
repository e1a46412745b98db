from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from scene3d.volume.background import Background, SphereBackgroundConfig, inverted

SMALL = SphereBackgroundConfig(width=16, layers=4, skip=1, octaves=3, view_octaves=2)


def test_a_far_point_is_its_direction_and_its_nearness():
    points = torch.tensor([[0.0, 3.0, 4.0], [0.3, 0.0, 0.4]])
    # 5 away; and within the sphere, which is left as it is.
    torch.testing.assert_close(inverted(points), torch.tensor([[0.0, 0.6, 0.8, 0.2], [0.3, 0.0, 0.4, 1.0]]))


def test_however_far_a_point_is_the_answer_stays_finite():
    background = SMALL.build()
    directions = torch.nn.functional.normalize(torch.randn(20, 3), dim=1)
    near, far = (background(distance * directions, directions) for distance in (1e9, 1e12))
    assert torch.isfinite(far.density).all() and (far.density > 0).all()
    assert (far.colour > 0).all() and (far.colour < 1).all()
    torch.testing.assert_close(near, far)
    assert isinstance(background, Background)


def test_the_colour_follows_the_view_and_the_density_does_not():
    background = SMALL.build()
    points, views = 2 * torch.ones(2, 3), torch.eye(3)[:2]
    sample = background(points, views)
    assert sample.density[0] == sample.density[1]
    assert not torch.allclose(sample.colour[0], sample.colour[1])


@pytest.mark.parametrize("skip", [None, 0, 3])
def test_every_parameter_learns_wherever_the_position_is_given_again(skip: int | None):
    background = SMALL.model_copy(update={"skip": skip}).build()
    sample = background(torch.randn(30, 3) * 3, torch.nn.functional.normalize(torch.randn(30, 3), dim=1))
    (sample.density.sum() + sample.colour.sum()).backward()
    assert all((parameter.grad != 0).any() for parameter in background.parameters())


def test_a_skip_after_the_last_layer_is_refused():
    with pytest.raises(ValidationError, match="expected below layers, 3, got 4"):
        SphereBackgroundConfig(layers=3)
