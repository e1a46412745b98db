"""Features stored in half precision: computed with in single precision, as if they had been rounded and no more."""

from __future__ import annotations

import jaxtyping
import pytest
import torch

from tests.ops.cases import BACKWARD, CASES, STORED, stored_in

HALVES = pytest.mark.parametrize("storage", [torch.bfloat16, torch.float16])
OPERATORS = pytest.mark.parametrize("name", STORED)


def operator(name: str):
    return getattr(torch.ops.scene3d, name)


def case(name: str, storage: torch.dtype) -> tuple[tuple, tuple]:
    """Stored arguments, and the same values in single precision."""
    stored = stored_in(storage, name, CASES[name][0]())
    return stored, stored_in(torch.float32, name, stored)


def parts(found: object) -> tuple:
    return tuple(found) if isinstance(found, tuple) else (found,)


def with_gradient(name: str, inputs: tuple) -> list[torch.Tensor]:
    """Stored leaves of the arguments."""
    return [inputs[i].requires_grad_() for i in STORED[name]]


@OPERATORS
@HALVES
def test_the_operator_obeys_its_contract(name: str, storage: torch.dtype):
    stored, _ = case(name, storage)
    with_gradient(name, stored)
    torch.library.opcheck(operator(name), stored)


@OPERATORS
@HALVES
def test_it_is_the_operator_on_the_rounded_values(name: str, storage: torch.dtype):
    stored, raised = case(name, storage)
    leaves, raised_leaves = with_gradient(name, stored), with_gradient(name, raised)
    found, expected = parts(operator(name)(*stored)), parts(operator(name)(*raised))
    for one, other, reference in zip(found, expected, parts(CASES[name][1](*stored)), strict=True):
        assert one.dtype == other.dtype == reference.dtype
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(one, reference.detach(), atol=1e-4, rtol=1e-4)
    several = [(a, b) for a, b in zip(found, expected, strict=True) if a.requires_grad]
    grads = [torch.randn_like(a) for a, _ in several]
    gradients = torch.autograd.grad([a for a, _ in several], leaves, grads)
    for one, other in zip(gradients, torch.autograd.grad([b for _, b in several], raised_leaves, grads), strict=True):
        assert one.dtype == storage
        torch.testing.assert_close(one, other.to(storage))


@OPERATORS
@HALVES
def test_gradients_are_added_up_in_single_precision(name: str, storage: torch.dtype):
    stored, raised = case(name, storage)
    outputs = [each for each in parts(CASES[name][1](*raised)) if each.is_floating_point()]
    grads = [torch.randn_like(each) for each in (outputs[:1] if name == "plane_sweep" else outputs)]
    backward = operator(BACKWARD.get(name, f"{name}_backward"))
    found, expected = parts(backward(*grads, *stored)), parts(backward(*grads, *raised))
    for one, other, reference in zip(found, expected, parts(CASES[name][2](*grads, *stored)), strict=True):
        assert one.dtype == reference.dtype == torch.float32
        torch.testing.assert_close(one, other)
        torch.testing.assert_close(one, reference, atol=1e-4, rtol=1e-4)


@OPERATORS
def test_mixed_precision_leaves_what_is_stored_and_raises_the_rest(name: str):
    inputs = tuple(
        x.bfloat16() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in CASES[name][0]()
    )
    (leaf, *_) = with_gradient(name, inputs)
    raised = [x.float() if isinstance(x, torch.Tensor) and x.is_floating_point() else x for x in inputs]
    kept: list[torch.Tensor] = []
    with (
        torch.autocast("cpu", torch.bfloat16),
        torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x) or x, lambda x: x),
    ):
        found = parts(operator(name)(*inputs))
    for one, other in zip(found, parts(operator(name)(*raised)), strict=True):
        torch.testing.assert_close(one, other)
    assert sum(x.dtype == torch.bfloat16 for x in kept) == len(STORED[name])
    assert torch.autograd.grad(found[0].sum(), leaf)[0].dtype == torch.bfloat16


@OPERATORS
def test_mixed_precision_is_traced_whole(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    torch.compiler.reset()
    stored, _ = case(name, torch.bfloat16)
    (leaf, *_) = with_gradient(name, stored)

    def first(*inputs: object) -> torch.Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return parts(operator(name)(*inputs))[0].square().sum()

    found, expected = torch.compile(first, fullgraph=True, backend="aot_eager")(*stored), first(*stored)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, leaf), torch.autograd.grad(expected, leaf))


def test_a_view_and_its_sources_may_be_stored_differently():
    features, sources, *rest = CASES["plane_sweep"][0]()
    features = features.bfloat16()
    found = operator("plane_sweep")(features, sources, *rest)
    torch.testing.assert_close(found, operator("plane_sweep")(features.float(), sources, *rest))


@pytest.mark.parametrize(
    ("name", "index", "dtype", "complaint"),
    [
        (
            "sample_views",
            0,
            torch.float64,
            "maps: expected float32, float16 or bfloat16 beside pixels in float32, got float64",
        ),
        ("sample_views", 1, torch.bfloat16, "pixels: expected float32 or float64, got bfloat16"),
        ("composite", 1, torch.float64, "features: expected float32, float16 or bfloat16 beside opacity in float32"),
        ("composite", 2, torch.float16, "distances: expected the dtype of opacity, float32, got float16"),
        ("neus_composite", 4, torch.float64, "features: expected float32, float16 or bfloat16 beside sdf in float32"),
        ("sample_views_composite", 1, torch.float16, "points: expected the dtype of weights, float32, got float16"),
        ("plane_sweep", 1, torch.float64, "sources: expected float32, float16 or bfloat16 beside shift in float32"),
        ("field_density", 2, torch.bfloat16, "from_position: expected the dtype of K, float32, got bfloat16"),
        ("march_field", 8, torch.bfloat16, "images: expected the dtype of K, float32, got bfloat16"),
    ],
)
def test_a_kernel_says_what_does_not_go_together(
    compiled: None, name: str, index: int, dtype: torch.dtype, complaint: str
):
    inputs = list(CASES[name][0]())
    inputs[index] = inputs[index].to(dtype)
    with pytest.raises(RuntimeError, match=f"{name}: {complaint}"):
        operator(name)(*inputs)


def test_half_precision_does_not_go_beside_double(compiled: None):
    maps, pixels = CASES["sample_views"][0]()
    with pytest.raises(RuntimeError, match="maps: expected float64 beside pixels in float64, got float16"):
        operator("sample_views")(maps.half(), pixels.double())
