"""The CPU kernels give the same bits with any number of threads."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from scene3d.ops.field_density import field_density
from scene3d.ops.hash_encode import hash_encode, level_starts
from scene3d.ops.march_field import march_field
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.ops.plane_sweep import plane_sweep
from scene3d.ops.sample_views import sample_views
from scene3d.ops.sample_views_composite import sample_views_composite
from tests.ops.fields import points_about, rays_about, small_field, views_about


def _samples() -> list[torch.Tensor]:
    maps = torch.randn(2, 40, 50, 24, requires_grad=True)
    return [sample_views(maps, torch.rand(2, 3000, 2) * 50), maps]


def _sections() -> list[torch.Tensor]:
    sharpness = torch.tensor(7.0, requires_grad=True)
    inputs = (torch.randn(20000), 2 * torch.rand(20000) - 1, 0.2 * torch.rand(20000))
    return [neus_alpha(*inputs, sharpness), sharpness]


def _sweep() -> list[torch.Tensor]:
    sources = torch.randn(1, 2, 20, 30, 32, requires_grad=True)
    depths = torch.linspace(1, 9, 8).reshape(1, 8, 1, 1)
    move = torch.tensor([[[5.0, 0, 0], [-5.0, 0, 0]]])
    return [
        plane_sweep(torch.randn(1, 20, 30, 32), sources, torch.eye(3).expand(1, 2, 3, 3), move, depths).cost,
        sources,
    ]


def _looks() -> list[torch.Tensor]:
    maps = torch.randn(1, 3, 20, 30, 64, requires_grad=True)
    to_pixels = torch.tensor([[20.0, 0, 15, 0], [0, 20, 10, 0], [0, 0, 1, 0]]).expand(1, 3, 3, 4)
    points = torch.randn(1, 200, 16, 3) + torch.tensor([0.0, 0.0, 3.0])
    return [sample_views_composite(maps, points, to_pixels, torch.rand(1, 200, 16))[0], maps]


def _hash() -> list[torch.Tensor]:
    resolutions = [4, 8, 16, 32]
    starts = level_starts(resolutions, 1024)
    table = torch.randn(starts[-1], 2, requires_grad=True)
    return [hash_encode(torch.rand(5000, 3), table, resolutions, starts), table]


def _densities() -> list[torch.Tensor]:
    field = small_field(24, 4, dtype=torch.float32)
    leaf = field.from_position.requires_grad_()
    return [field_density(field, points_about(2, 3000, torch.float32))[0], leaf]


def _march() -> list[torch.Tensor]:
    single = torch.float32
    field = small_field(24, 4, dtype=single)
    leaf = field.folded.requires_grad_()
    return [march_field(field, rays_about(700, 12, dtype=single), views_about(dtype=single)).colour, leaf]


@pytest.mark.parametrize("case", [_samples, _sections, _sweep, _looks, _hash, _densities, _march])
def test_threads_do_not_change_a_bit(compiled: None, case: Callable[[], list[torch.Tensor]]):
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 5):
            torch.manual_seed(0)
            torch.set_num_threads(threads)
            value, leaf = case()
            grad = torch.autograd.grad(value, leaf, torch.linspace(-1, 1, value.numel()).reshape(value.shape))[0]
            found.append((value.detach(), grad))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(a, b) for other in found[1:] for a, b in zip(found[0], other, strict=True))
