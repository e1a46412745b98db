from __future__ import annotations

import math

import pytest
import torch

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.camera import Camera, pixel_centres
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import rigid
from scene3d.geometry.visual_hull import HullView, agreed_hull, hull_silhouette

CENTRE, RADIUS = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64), 1.0
BOX = OrientedBox(
    box_to_world=rigid(torch.eye(3, dtype=torch.float64), CENTRE), half=torch.full((3,), 1.5, dtype=torch.float64)
)
HEIGHT, WIDTH = 120, 160
CAMERA = Camera(torch.tensor([[150.0, 0, 80], [0, 150, 60], [0, 0, 1]], dtype=torch.float64), HEIGHT, WIDTH)


def on_a_ring(turn: float) -> HullView:
    """A camera 4 away and 2.5 above that looks at the ball."""
    place = CENTRE + torch.tensor([4 * math.cos(turn), 4 * math.sin(turn), 2.5], dtype=torch.float64)
    ahead = torch.nn.functional.normalize(CENTRE - place, dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(ahead, torch.tensor([0, 0, 1.0]).double()), dim=0)
    return HullView(CAMERA, rigid(torch.stack([right, torch.linalg.cross(ahead, right), ahead], dim=1), place))


def ball(view: HullView) -> torch.Tensor:
    """Where the rays of a view pass the middle by less than the radius."""
    pixels = pixel_centres(HEIGHT, WIDTH).reshape(-1, 2).double()
    origins, directions = pixel_rays(pixels, CAMERA.K, view.cam_to_world)
    aside = torch.linalg.cross(CENTRE - origins, directions).norm(dim=1)
    return (aside < RADIUS).unflatten(0, (HEIGHT, WIDTH))


@pytest.fixture(scope="module")
def views() -> list[HullView]:
    return [on_a_ring(2 * math.pi * i / 12) for i in range(12)]


@pytest.fixture(scope="module")
def masks(views: list[HullView]) -> list[torch.Tensor]:
    return [ball(view) for view in views]


def test_the_hull_of_true_silhouettes_holds_the_ball_and_little_more(views, masks):
    voxels, edge = agreed_hull(views, masks, BOX, 1.0)
    off = (voxels - CENTRE).norm(dim=1)
    inner = 4 / 3 * torch.pi * (RADIUS - 2 * edge) ** 3 / edge**3
    assert (off < RADIUS - 2 * edge).sum() > 0.98 * inner
    # From a ring of cameras above it a ball looks like one with points at top and bottom.
    assert off.amax() < 1.6 and (off > 1.15).double().mean() < 0.1


def test_one_wrong_view_is_outvoted(views, masks):
    wrong = [torch.zeros_like(masks[0]), *masks[1:]]
    assert len(agreed_hull(views, wrong, BOX, 1.0)[0]) == 0
    voxels, _ = agreed_hull(views, wrong, BOX, 0.9)
    assert ((voxels - CENTRE).norm(dim=1) < 0.9).sum() > 10_000


def test_voxels_are_the_same_ones_in_parts(views, masks, monkeypatch: pytest.MonkeyPatch):
    whole, edge = agreed_hull(views, masks, BOX, 1.0, 24)
    monkeypatch.setattr("scene3d.geometry.visual_hull.AT_ONCE", 1000)
    parts, _ = agreed_hull(views, masks, BOX, 1.0, 24)
    assert edge == 3.0 / 24
    assert torch.equal(whole, parts) and len(whole) > 1000


def test_the_hull_covers_the_silhouette_that_it_was_made_of(views, masks):
    voxels, edge = agreed_hull(views, masks, BOX, 1.0)
    for view, mask in zip(views[:3], masks[:3], strict=True):
        made = hull_silhouette(view, voxels, edge)
        assert (made & mask).sum() / (made | mask).sum() > 0.93
    assert not hull_silhouette(views[0], voxels[:0], edge).any()
