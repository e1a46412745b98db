from __future__ import annotations

import pytest
import torch

from scene3d.geometry.camera import pinhole, project
from scene3d.geometry.se3 import rigid
from scene3d.volume.hint_rays import draw_hint_rays
from scene3d.volume.views import PlacedViews

HEIGHT, WIDTH = 8, 16


def views(hint: torch.Tensor, present: list[bool]) -> PlacedViews:
    count = hint.shape[1]
    ahead = torch.stack([rigid(torch.eye(3), torch.tensor([0.0, 0.0, 1.0 * i])) for i in range(count)])
    return PlacedViews(
        image=torch.zeros(1, count, 3, HEIGHT, WIDTH),
        K=pinhole(10.0, HEIGHT, WIDTH).K.expand(1, count, 3, 3),
        cam_to_field=ahead[None],
        valid=torch.ones(1, count, HEIGHT, WIDTH, dtype=torch.bool),
        present=torch.tensor([present]),
        depth=None,
        hint=hint,
    )


def test_rays_end_where_the_hint_says():
    """A wall 6 m ahead of view 0 is 5 m ahead of view 1."""
    hint = torch.tensor([6.0, 5.0])[None, :, None, None].expand(1, 2, HEIGHT, WIDTH)
    rays = draw_hint_rays(views(hint, [True, True]), 500)
    assert rays.known.all()
    ends = rays.points(rays.distance[..., None])
    torch.testing.assert_close(ends[..., 2], torch.full((1, 500), 6.0))
    # Both views were drawn, and rays go through the centres of pixels.
    from_second = rays.origins[0, :, 2] == 1
    assert from_second.float().mean().item() == pytest.approx(0.5, abs=0.1)
    pixels, _ = project(ends[0, ~from_second], pinhole(10.0, HEIGHT, WIDTH).K)
    torch.testing.assert_close(pixels % 1, torch.full_like(pixels, 0.5), atol=1e-3, rtol=0.0)


def test_pixels_without_a_hint_are_not_known_and_absent_views_are_not_drawn():
    hint = torch.full((1, 2, HEIGHT, WIDTH), 4.0)
    hint[:, :, :, 8:] = 0
    rays = draw_hint_rays(views(hint, [False, True]), 400)
    assert (rays.origins[..., 2] == 1).all()
    assert rays.known.float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert (rays.distance[~rays.known] == 1).all()
    # The left half of the image is that with hints.
    assert (rays.directions[rays.known][:, 0] < 0).all()
