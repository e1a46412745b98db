from __future__ import annotations

import math

import pytest
import torch

from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import rigid
from scene3d.structures.rays import Rays
from scene3d.volume import FieldSample
from scene3d.volume.renderer import render
from scene3d.volume.source_views import SourceViews


def _wall(at: float):
    """A field that is empty before a distance along z, and solid behind it."""

    def field(points: torch.Tensor, *, features: bool = True) -> FieldSample:
        z = points[..., 2]
        return FieldSample((z > at).float() * 1e4, z > 0, points if features else None)

    return field


def _rays(count: int) -> Rays:
    directions = torch.zeros(1, count, 3)
    directions[..., 2] = 1
    return Rays(origins=torch.zeros(1, count, 3), directions=directions)


def test_a_solid_wall_is_seen_at_its_first_sample():
    distances = torch.linspace(1, 20, 20).expand(1, 3, 20)
    rendering = render(_wall(9.5), _rays(3), distances)
    torch.testing.assert_close(rendering.distance, torch.full((1, 3), 10.0))
    torch.testing.assert_close(rendering.opacity, torch.ones(1, 3))
    assert rendering.features is not None
    torch.testing.assert_close(rendering.features[..., 2], torch.full((1, 3), 10.0))


def test_empty_space_is_seen_at_the_far_end_if_capped_and_not_at_all_if_not():
    distances = torch.linspace(1, 20, 20).expand(1, 3, 20)
    assert (render(_wall(99), _rays(3), distances).distance == 20).all()
    assert (render(_wall(99), _rays(3), distances, capped=False).opacity == 0).all()


def test_a_little_weight_at_the_far_end_hardly_moves_the_nearness():
    # A sheet at 4 m that stops 95 % of the light, then nothing up to the far end at 80 m:
    # mean distance 0.95 * 4 + 0.05 * 80 = 7.8 m, mean nearness 0.95 / 4 + 0.05 / 80 = 1 / 4.2 m.
    def sheet(points: torch.Tensor, *, features: bool = True) -> FieldSample:
        density = torch.where(points[..., 2] < 5, -math.log(0.05) / 36, 0.0)
        return FieldSample(density, points[..., 2] > 0)

    rendering = render(sheet, _rays(1), torch.tensor([[[4.0, 40.0, 80.0]]]))
    assert rendering.distance.item() == pytest.approx(7.8, rel=1e-4)
    assert 1 / rendering.nearness.item() == pytest.approx(4.2, abs=0.01)


def test_points_without_evidence_teach_the_field_nothing():
    strength = torch.tensor(0.3, requires_grad=True)

    def field(points: torch.Tensor, *, features: bool = True) -> FieldSample:
        return FieldSample(strength.expand(points.shape[:2]), points[..., 2] < 5)

    near, far = torch.tensor([[[3.0, 4.0, 4.5]]]), torch.tensor([[[6.0, 7.0, 8.0]]])
    (seen,) = torch.autograd.grad(render(field, _rays(1), near).distance.sum(), strength)
    (unseen,) = torch.autograd.grad(render(field, _rays(1), far).distance.sum(), strength)
    assert seen != 0 and unseen == 0


def test_colours_come_from_the_pixel_that_sees_the_surface():
    # A view 1 m to the right, looking the same way, with f = 10 and 20 columns: the wall at z = 10,
    # x = 0 lies at x = -1 for it, in column 10 + 10 * (-1 / 10) = 9, between the centres of pixels 8 and 9.
    camera = pinhole(10.0, 8, 20)
    ramp = torch.arange(20.0).expand(1, 1, 3, 8, 20) / 20
    cam_to_field = rigid(torch.eye(3), torch.tensor([-1.0, 0, 0]))[None, None]
    sources = SourceViews(ramp, camera.K[None, None], cam_to_field, torch.ones(1, 1, 8, 20, dtype=torch.bool))
    distances = torch.linspace(1, 20, 20).expand(1, 1, 20)
    rendering = render(_wall(9.5), _rays(1), distances, sources=sources)
    assert rendering.colour is not None and rendering.unseen is not None
    torch.testing.assert_close(rendering.colour[0, 0, 0], torch.full((3,), 8.5 / 20))
    assert rendering.unseen.item() == 0


def test_a_view_that_looks_away_sees_nothing():
    camera = pinhole(10.0, 8, 20)
    turned = rigid(torch.diag(torch.tensor([-1.0, 1.0, -1.0])), torch.zeros(3))[None, None]
    image = torch.rand(1, 1, 3, 8, 20)
    sources = SourceViews(image, camera.K[None, None], turned, torch.ones(1, 1, 8, 20, dtype=torch.bool))
    distances = torch.linspace(1, 20, 20).expand(1, 2, 20)
    rendering = render(_wall(9.5), _rays(2), distances, sources=sources)
    assert rendering.unseen is not None
    torch.testing.assert_close(rendering.unseen, torch.ones(1, 1, 2))
