from __future__ import annotations

import torch

from scene3d.data.images import fisheye_lookup, resample
from scene3d.data.lens import view_through
from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye, project_fisheye

K = torch.tensor([[50.0, 0, 32.0], [0, 40.0, 24.0], [0, 0, 1]], dtype=torch.float64)


def test_a_lens_that_bends_nothing_is_a_pinhole():
    camera, virtual = view_through(K, 48, 64, (0.0, 0.0, 0.0, 0.0))
    assert camera == Camera(K, 48, 64) and virtual is None


def test_a_point_is_bent_as_opencv_says_by_hand():
    camera, virtual = view_through(K, 48, 64, (0.1, 0.2, 0.01, 0.02))
    assert isinstance(camera, Fisheye) and virtual is not None
    # x = 0.5, y = -1, r2 = 1.25: radial 1 + 0.125 + 0.3125 = 1.4375.
    # x' = 0.71875 + 2 * 0.01 * -0.5 + 0.02 * (1.25 + 0.5) = 0.74375; y' = -1.4375 + 0.01 * 3.25 + 2 * 0.02 * -0.5.
    pixel, seen = project_fisheye(torch.tensor([1.0, -2.0, 2.0], dtype=torch.float64), camera)
    expected = torch.tensor([50 * 0.74375 + 32, 40 * (-1.4375 + 0.0325 - 0.02) + 24], dtype=torch.float64)
    torch.testing.assert_close(pixel, expected)
    assert seen


def test_straight_lines_are_straight_again_and_corners_that_the_lens_lacks_are_not_covered():
    # A picture of what the lens makes of a world that is brighter to the right: x undistorted, by search.
    camera, virtual = view_through(K, 48, 64, (0.3, 0.0, 0.0, 0.0))
    assert isinstance(camera, Fisheye) and virtual is not None
    columns = torch.arange(64) + 0.5
    rows = torch.arange(48) + 0.5
    bent = torch.stack(torch.meshgrid((columns - 32) / 50, (rows - 24) / 40, indexing="xy"), dim=-1)
    straight = bent.clone()
    for _ in range(50):
        straight = bent / (1 + 0.3 * (straight**2).sum(dim=-1, keepdim=True))
    picture = (128 + 120 * straight[..., 0]).round().to(torch.uint8).expand(3, -1, -1)
    lookup = fisheye_lookup(camera, virtual, 48, 64)
    shown = resample(picture, lookup)[0].float()
    expected = (128 + 120 * (columns - 32) / 50).expand(48, 64)
    assert ((shown - expected).abs()[lookup.covered] < 1.5).all()
    assert (picture[0] - expected).abs().max() > 5
    assert not lookup.covered[0, 0] and lookup.covered[24, 32]
