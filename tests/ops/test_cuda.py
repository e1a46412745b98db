"""The CUDA kernels against the references, on a machine with a GPU: pytest -m gpu."""

from __future__ import annotations

import pytest
import torch

from scene3d.ops import plane_sweep, sample_views, sample_views_composite, voxel_walk
from scene3d.ops._library import is_compiled
from tests.ops.cases import BACKWARD, CASES, STORED, stored_in

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device"),
]


def _on_gpu(inputs: tuple) -> list:
    return [x.cuda() if isinstance(x, torch.Tensor) else x for x in inputs]


def _as_tuple(found: object) -> tuple:
    return tuple(found) if isinstance(found, tuple) else (found,)


def _close(found: object, expected: object) -> None:
    for one, other in zip(_as_tuple(found), _as_tuple(expected), strict=True):
        torch.testing.assert_close(one.cpu(), other, atol=1e-4, rtol=1e-4)


SINGLE = [(name, torch.float32) for name in CASES]
HALF = [(name, dtype) for name in STORED for dtype in (torch.float16, torch.bfloat16)]


@pytest.mark.parametrize(("name", "storage"), [*SINGLE, *HALF])
def test_the_cuda_kernel_is_the_reference(name: str, storage: torch.dtype):
    if not is_compiled(name, "CUDA"):
        pytest.skip("scene3d_ext was built without CUDA")
    case, reference, reference_backward = CASES[name]
    inputs = stored_in(storage, name, case())
    expected = reference(*inputs)
    _close(getattr(torch.ops.scene3d, name)(*_on_gpu(inputs)), expected)
    floating = [each for each in _as_tuple(expected) if each.is_floating_point()]
    grads = [torch.randn_like(each) for each in (floating[:1] if name == "plane_sweep" else floating)]
    backward = getattr(torch.ops.scene3d, BACKWARD.get(name, f"{name}_backward"))
    if name == "hash_encode":  # the gradients of both, to both
        inputs = (*inputs[:-1], True, True)
    _close(backward(*_on_gpu((*grads, *inputs))), reference_backward(*grads, *inputs))


@pytest.mark.parametrize("storage", [torch.float32, torch.float16, torch.bfloat16])
def test_slopes_of_positions_are_the_reference(storage: torch.dtype):
    inputs = stored_in(storage, "sample_views", CASES["sample_views"][0]())
    grad = torch.randn(3, 50, 5)
    found = torch.ops.scene3d.sample_views_pixel_backward(*_on_gpu((grad, *inputs)))
    _close(found, sample_views.reference_pixel_backward(grad, *inputs))


@pytest.mark.parametrize("storage", [torch.float32, torch.float16, torch.bfloat16])
def test_gradients_of_composited_maps_are_the_reference(storage: torch.dtype):
    inputs = stored_in(storage, "sample_views_composite", CASES["sample_views_composite"][0]())[:4]
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


def test_sources_stored_otherwise_than_the_view_are_raised():
    inputs = CASES["plane_sweep"][0]()
    mixed = (inputs[0].bfloat16(), *inputs[1:])
    _close(torch.ops.scene3d.plane_sweep(*_on_gpu(mixed)), plane_sweep.reference(*mixed))
