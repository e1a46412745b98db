from __future__ import annotations

import pytest
import torch

from scene3d.geometry.camera import pinhole
from scene3d.ops import sample_views_composite as module
from scene3d.ops.sample_views_composite import sample_views_composite


def case(channels: int = 5, rays: int = 6, samples: int = 7, views: int = 3) -> tuple[torch.Tensor, ...]:
    """Views that look along z from about the origin; some samples lie behind them, some beside."""
    K = pinhole(6.0, 8, 10).K.double()
    pose = torch.cat([torch.eye(3).expand(2, views, 3, 3), 0.5 * torch.randn(2, views, 3, 1)], dim=-1).double()
    points = torch.randn(2, rays, samples, 3).double() * 2 + torch.tensor([0.0, 0.0, 2.0])
    valid = torch.rand(2, views, 8, 10) > 0.1
    maps = torch.randn(2, views, 8, 10, channels).double()
    return maps, points, K @ pose, torch.rand(2, rays, samples).double(), valid


def test_a_sample_worked_by_hand():
    # Focal length 2, centre (2, 2): (1, 0, 4) falls on (2.5, 2.0), halfway between rows 1 and 2 of column 2.
    maps = torch.arange(16.0).reshape(1, 1, 4, 4, 1)
    K = pinhole(2.0, 4, 4).K
    to_pixels = torch.cat([K, torch.zeros(3, 1)], dim=1)[None, None]
    points = torch.tensor([[1.0, 0.0, 4.0], [0.0, 0.0, -1.0]]).reshape(1, 1, 2, 3)
    found, share = sample_views_composite(maps, points, to_pixels, torch.tensor([[[0.5, 0.25]]]))
    # The second lies behind the camera: it takes some value, and is not seen.
    assert share.item() == 0.5
    alone, _ = sample_views_composite(maps, points[:, :, :1], to_pixels, torch.tensor([[[0.5]]]))
    assert alone.item() == pytest.approx(0.5 * (6 + 10) / 2)


def test_a_sample_beside_an_invalid_pixel_is_not_seen():
    K = pinhole(2.0, 4, 4).K
    to_pixels = torch.cat([K, torch.zeros(3, 1)], dim=1)[None, None]
    points = torch.tensor([[[[1.0, 0.0, 4.0]]]])
    valid = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    maps, weight = torch.ones(1, 1, 4, 4, 1), torch.ones(1, 1, 1)
    assert sample_views_composite(maps, points, to_pixels, weight, valid)[1].item() == 1
    valid[0, 0, 2, 2] = False
    assert sample_views_composite(maps, points, to_pixels, weight, valid)[1].item() == 0


@pytest.mark.parametrize("size", [{}, {"rays": 0}, {"samples": 0}, {"views": 0}, {"rays": 1, "samples": 1, "views": 1}])
@pytest.mark.parametrize("masked", [False, True])
def test_the_operator_obeys_its_contract(size: dict[str, int], masked: bool):
    maps, points, to_pixels, weights, valid = case(channels=2, **size)
    maps.requires_grad_()
    weights.requires_grad_()
    rest = (valid,) if masked else (None,)
    torch.library.opcheck(torch.ops.scene3d.sample_views_composite, (maps, points, to_pixels, weights, *rest))
    if weights.numel() and maps.numel():
        assert torch.autograd.gradcheck(
            lambda m, w: sample_views_composite(m, points, to_pixels, w, *rest), (maps, weights)
        )


@pytest.mark.parametrize("channels", [1, 3, 4, 16, 64])
@pytest.mark.parametrize("masked", [False, True])
def test_the_kernel_is_the_reference(compiled: None, channels: int, masked: bool):
    maps, points, to_pixels, weights, valid = case(channels=channels)
    points[0, 0, 0] = torch.nan
    weights[0, 0, 0] = 0  # what is not a number has no weight
    maps = maps.permute(0, 1, 3, 2, 4).contiguous().permute(0, 1, 3, 2, 4)
    inputs = (maps, points, to_pixels, weights, valid if masked else None)
    expected = module.reference(*inputs)
    for one, other in zip(torch.ops.scene3d.sample_views_composite(*inputs), expected, strict=True):
        torch.testing.assert_close(one, other)
    grads = [torch.randn_like(each) for each in expected]
    torch.testing.assert_close(
        torch.ops.scene3d.sample_views_composite_weight_backward(*grads, *inputs),
        module.reference_weight_backward(*grads, *inputs),
    )
    torch.testing.assert_close(
        torch.ops.scene3d.sample_views_composite_map_backward(grads[0], *inputs[:4]),
        module.reference_map_backward(grads[0], *inputs[:4]),
    )


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    maps, points, to_pixels, weights, valid = case()
    with pytest.raises(RuntimeError, match=r"to_pixels: expected shape \(2, 3, 3, 4\), got \(2, 3, 3, 3\)"):
        torch.ops.scene3d.sample_views_composite(maps, points, to_pixels[..., :3], weights, None)
    with pytest.raises(RuntimeError, match="valid: expected bool"):
        torch.ops.scene3d.sample_views_composite(maps, points, to_pixels, weights, valid.float())
