from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from scene3d.geometry.camera import pinhole
from scene3d.structures.rays import Rays
from scene3d.volume import FieldSample
from scene3d.volume.ray_trust import trusted_views
from scene3d.volume.renderer import render
from scene3d.volume.source_views import SourceViews

HEIGHT, WIDTH = 8, 16
CAMERA = pinhole(8.0, HEIGHT, WIDTH)
DISTANCES = torch.tensor([[[2.0, 4.0, 8.0]]])


@dataclass(frozen=True)
class Surface:
    """Solid from a depth on."""

    depth: float
    K: torch.Tensor = CAMERA.K[None]
    height: int = HEIGHT
    width: int = WIDTH

    def __call__(self, points: torch.Tensor, *, features: bool = True) -> FieldSample:
        return FieldSample(1e4 * (points[..., 2] >= self.depth).float(), points[..., 2] > 0)

    def select(self, index: int) -> Surface:
        return self


def trusted(policy: str, image: torch.Tensor, beside: float, depth: float, aside: float = 0.0) -> list[bool]:
    """Of a ray straight ahead, `aside` metres right of the field's camera, by a view `beside` metres right of that."""
    field_to_cam = torch.eye(4)
    field_to_cam[0, 3] = -beside
    valid = torch.ones(1, 1, HEIGHT, WIDTH, dtype=torch.bool)
    sources = SourceViews(image[None, None], CAMERA.K[None, None], field_to_cam[None, None], valid)
    rays = Rays(origins=torch.tensor([[[aside, 0, 0]]]), directions=torch.tensor([[[0.0, 0, 1]]]))
    field = Surface(depth)
    rendering = render(field, rays, DISTANCES, sources=sources)
    return trusted_views(policy, rendering, field, rays, DISTANCES, sources, 0.9)[0, :, 0].tolist()


STRIPES = torch.linspace(0, 1, WIDTH).expand(3, HEIGHT, WIDTH)
PLAIN = torch.full((3, HEIGHT, WIDTH), 0.5)


@pytest.mark.parametrize(
    ("policy", "image", "beside", "depth", "expected"),
    [
        # The view sees 45 degrees to its left: of what is 3 m there, that at 4 and 8 m ahead, and not that at 2 m.
        ("weight_guided", STRIPES, 3.0, 4.0, True),
        ("weight_guided", STRIPES, 3.0, 2.0, False),
        ("strict", STRIPES, 3.0, 4.0, False),
        ("strict", STRIPES, 1.0, 4.0, True),
        # A view of one colour agrees with any depth.
        ("weight_guided", PLAIN, 1.0, 4.0, True),
        ("weight_guided_diverse", PLAIN, 1.0, 4.0, False),
        ("weight_guided_diverse", STRIPES, 1.0, 4.0, True),
        ("weight_guided_diverse", STRIPES, 3.0, 2.0, False),
        ("none", PLAIN, 3.0, 2.0, True),
    ],
)
def test_a_view_has_a_say_as_the_policy_has_it(policy, image, beside, depth, expected):
    assert trusted(policy, image, beside, depth) == [expected]


def test_strictly_every_sample_lies_before_the_fields_own_camera_too():
    # 3 m beside it, the field's camera does not see what is 2 m ahead; the view, which stands there, does.
    assert trusted("strict", STRIPES, 3.0, 4.0, aside=3.0) == [False]
    assert trusted("weight_guided", STRIPES, 3.0, 4.0, aside=3.0) == [True]
