"""The CUDA kernels against the references, on a machine with a GPU: pytest -m gpu."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from scene3d.ops import (
    composite,
    field_density,
    hash_encode,
    march_field,
    neus_alpha,
    neus_composite,
    plane_sweep,
    render_weights,
    sample_views,
    sample_views_composite,
    voxel_walk,
)
from scene3d.ops._library import is_compiled
from tests.ops.fields import points_about, rays_about, small_field, views_about

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def _weights() -> tuple:
    return (torch.rand(70, 33),)


def _views() -> tuple:
    return torch.randn(3, 7, 9, 5), torch.rand(3, 50, 2) * 12 - 2


def _composite() -> tuple:
    opacity = torch.rand(43)
    opacity[5] = 1.0
    offsets = torch.tensor([0, 9, 9, 42, 43])
    return opacity, torch.randn(43, 37), torch.rand(43) * 10, offsets, torch.rand(43)


def _sweep() -> tuple:
    A = torch.eye(3) + 0.05 * torch.randn(2, 3, 3, 3)
    depths = 0.5 + 6 * torch.rand(2, 4, 1, 1)
    return torch.randn(2, 5, 7, 9), torch.randn(2, 3, 6, 8, 9), A, torch.randn(2, 3, 3), depths, False, 0.5


def _sections() -> tuple:
    return 0.3 * torch.randn(37, 11), 2 * torch.rand(37, 11) - 1, 0.2 * torch.rand(37, 11), torch.tensor(7.0), 0.4


def _neus() -> tuple:
    drawn = 0.3 * torch.randn(43), 2 * torch.rand(43) - 1, 0.2 * torch.rand(43), torch.tensor(7.0)
    return *drawn, torch.randn(43, 37), torch.rand(43) * 10, torch.tensor([0, 9, 9, 42, 43]), 0.4


def _hash() -> tuple:
    starts = hash_encode.level_starts([2, 5, 9], 256)
    return torch.rand(300, 3), torch.randn(starts[-1], 2), [2, 5, 9], starts, True


def _looks() -> tuple:
    to_pixels = torch.tensor([[6.0, 0, 5, 0], [0, 6, 4, 0], [0, 0, 1, 0]]) + 0.2 * torch.randn(2, 3, 3, 4)
    points = torch.randn(2, 6, 7, 3) + torch.tensor([0.0, 0.0, 3.0])
    return torch.randn(2, 3, 8, 10, 37), points, to_pixels, torch.rand(2, 6, 7), torch.rand(2, 3, 8, 10) > 0.1


def _densities() -> tuple:
    field = small_field(37, 3, dtype=torch.float32)
    return (*field[:5], points_about(2, 90, torch.float32), *field[5:])


def _march() -> tuple:
    single = torch.float32
    field = small_field(37, 3, dtype=single)
    rays = rays_about(20, 33, dtype=single)
    return (*field[:5], *rays[:3], *views_about(dtype=single), *field[5:], True)


CASES: dict[str, tuple[Callable, Callable, Callable]] = {
    "render_weights": (_weights, render_weights.reference, render_weights.reference_backward),
    "sample_views": (_views, sample_views.reference, sample_views.reference_map_backward),
    "composite": (_composite, composite.reference, composite.reference_backward),
    "neus_alpha": (_sections, neus_alpha.reference, neus_alpha.reference_backward),
    "neus_composite": (_neus, neus_composite.reference, neus_composite.reference_backward),
    "hash_encode": (_hash, hash_encode.reference, hash_encode.reference_backward),
    "field_density": (_densities, field_density.reference, field_density.reference_backward),
    "march_field": (_march, march_field.reference, march_field.reference_backward),
    "sample_views_composite": (
        _looks,
        sample_views_composite.reference,
        sample_views_composite.reference_weight_backward,
    ),
    "plane_sweep": (_sweep, plane_sweep.reference, plane_sweep.reference_backward),
}
BACKWARD = {
    "sample_views": "sample_views_map_backward",
    "sample_views_composite": "sample_views_composite_weight_backward",
}


def _on_gpu(inputs: tuple) -> list:
    return [x.cuda() if isinstance(x, torch.Tensor) else x for x in inputs]


def _as_tuple(found: object) -> tuple:
    return tuple(found) if isinstance(found, tuple) else (found,)


def _close(found: object, expected: object) -> None:
    for one, other in zip(_as_tuple(found), _as_tuple(expected), strict=True):
        torch.testing.assert_close(one.cpu(), other, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", CASES)
def test_the_cuda_kernel_is_the_reference(name: str):
    if not is_compiled(name, "CUDA"):
        pytest.skip("scene3d_ext was built without CUDA")
    case, reference, reference_backward = CASES[name]
    inputs = case()
    expected = reference(*inputs)
    _close(getattr(torch.ops.scene3d, name)(*_on_gpu(inputs)), expected)
    floating = [each for each in _as_tuple(expected) if each.is_floating_point()]
    grads = [torch.randn_like(each) for each in (floating[:1] if name == "plane_sweep" else floating)]
    backward = getattr(torch.ops.scene3d, BACKWARD.get(name, f"{name}_backward"))
    if name == "hash_encode":  # the gradients of both, to both
        inputs = (*inputs[:-1], True, True)
    _close(backward(*_on_gpu((*grads, *inputs))), reference_backward(*grads, *inputs))


def test_slopes_of_positions_are_the_reference():
    inputs = _views()
    grad = torch.randn(3, 50, 5)
    found = torch.ops.scene3d.sample_views_pixel_backward(*_on_gpu((grad, *inputs)))
    _close(found, sample_views.reference_pixel_backward(grad, *inputs))


def test_gradients_of_composited_maps_are_the_reference():
    inputs = _looks()[:4]
    grad = torch.randn(2, 3, 6, 37)
    found = torch.ops.scene3d.sample_views_composite_map_backward(*_on_gpu((grad, *inputs)))
    _close(found, sample_views_composite.reference_map_backward(grad, *inputs))


def test_walks_are_the_reference():
    rays = (torch.rand(500, 3) * 8 - 3, torch.randn(500, 3), torch.zeros(500), torch.full((500,), 20.0))
    grid = [-1.0, 0.0, 2.0, 0.5], [5, 4, 3]
    counts = torch.ops.scene3d.voxel_walk_count(*_on_gpu(rays), *grid)
    _close(counts, voxel_walk.reference_count(*rays, *grid))
    offsets = torch.nn.functional.pad(counts.cumsum(0), (1, 0))
    found = torch.ops.scene3d.voxel_walk_fill(*_on_gpu(rays), *grid, offsets, int(offsets[-1]))
    _close(found, voxel_walk.reference_fill(*rays, *grid, offsets.cpu(), int(offsets[-1])))


@pytest.mark.parametrize("name", ["sample_views", "plane_sweep", "sample_views_composite", "march_field"])
def test_what_adds_atomically_repeats_itself_when_it_is_asked_to(name: str):
    inputs = _on_gpu(CASES[name][0]())
    inputs[0].requires_grad_()

    def gradient() -> torch.Tensor:
        first = _as_tuple(getattr(torch.ops.scene3d, name)(*inputs))[0]
        return torch.autograd.grad(first.square().sum(), inputs[0])[0]

    torch.use_deterministic_algorithms(True)
    try:
        assert all(torch.equal(gradient(), gradient()) for _ in range(20))
    finally:
        torch.use_deterministic_algorithms(False)
