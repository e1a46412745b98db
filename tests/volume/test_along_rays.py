from __future__ import annotations

import torch

from scene3d.geometry.camera import pinhole
from scene3d.geometry.se3 import rigid
from scene3d.structures.rays import Rays
from scene3d.volume.along_rays import RayField, sample_along_rays
from scene3d.volume.pixel_aligned import PixelAlignedField, PointDecoder
from scene3d.volume.renderer import render
from scene3d.volume.source_views import SourceViews

CAMERA = pinhole(20.0, 16, 24)


def _scene() -> tuple[PixelAlignedField, Rays, torch.Tensor, SourceViews]:
    """A random field, rays of which some leave its image, and two views."""
    decoder = PointDecoder(5, 8, 4, octaves=3).double()
    K = CAMERA.K.double().expand(2, 3, 3)
    feature_map = torch.randn(2, 5, 8, 12).double()
    field = PixelAlignedField(decoder, decoder.fold(feature_map), K, 16, 24, 3.0, 80.0)
    ahead = torch.randn(2, 30, 3).double() * 0.5 + torch.tensor([0, 0, 1.0]).double()
    rays = Rays(origins=torch.randn(2, 30, 3).double() * 0.2, directions=torch.nn.functional.normalize(ahead, dim=-1))
    distances = (1 + 20 * torch.rand(2, 30, 9).double()).sort(dim=-1).values
    poses = torch.stack([rigid(torch.eye(3), torch.tensor([x, 0, 0])) for x in (-0.5, 0.5)]).double()
    image, seen = torch.rand(2, 2, 3, 16, 24).double(), torch.rand(2, 2, 16, 24) > 0.1
    return field, rays, distances, SourceViews(image, K[:, None].expand(2, 2, 3, 3), poses.expand(2, 2, 4, 4), seen)


def test_the_way_along_rays_is_the_way_sample_by_sample():
    field, rays, distances, sources = _scene()
    assert isinstance(field, RayField)
    options = {"capped": True, "features": True, "sources": sources}
    found, expected = field.along_rays(rays, distances, **options), sample_along_rays(field, rays, distances, **options)
    for name in ("density", "weights", "unknown", "features", "colour", "unseen"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    leaves = list(field.decoder.parameters())
    grads = [
        torch.autograd.grad(
            each.features.square().sum() + each.colour.square().sum() + each.density.sum() + each.weights[..., 0].sum(),
            leaves,
            retain_graph=True,
        )
        for each in (found, expected)
    ]
    torch.testing.assert_close(grads[0], grads[1])


def test_who_wants_gradients_of_the_rays_gets_them():
    field, rays, distances, _ = _scene()
    moved = Rays(origins=rays.origins.clone().requires_grad_(), directions=rays.directions)
    assert torch.autograd.grad(render(field, moved, distances).distance.sum(), moved.origins)[0].abs().sum() > 0


def test_without_features_and_views_there_are_none():
    field, rays, distances, _ = _scene()
    found = field.along_rays(rays, distances, capped=True, features=False, sources=None)
    assert found.features is None and found.colour is None and found.unseen is None
