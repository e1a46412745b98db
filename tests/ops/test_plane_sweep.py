from __future__ import annotations

import pytest
import torch

from scene3d.geometry.camera import pinhole
from scene3d.ops import plane_sweep as module
from scene3d.ops.plane_sweep import plane_sweep

HEIGHT, WIDTH, FOCAL, BASELINE = 6, 20, 10.0, 1.0


def beside(channels: int = 4) -> tuple[torch.Tensor, ...]:
    """A view and one to its right, whose features are the same moved by 2 pixels: all lies 5 m away."""
    texture = torch.rand(1, HEIGHT, WIDTH + 2, channels, dtype=torch.float64)
    move = torch.tensor([[[-FOCAL * BASELINE, 0.0, 0.0]]], dtype=torch.float64)
    depths = torch.tensor([2.5, 5.0, 10.0], dtype=torch.float64).reshape(1, 3, 1, 1)
    return texture[:, :, :WIDTH], texture[:, None, :, 2:], torch.eye(3).double()[None, None], move, depths


def random_case(views: int = 3, channels: int = 5, own: bool = False) -> tuple[torch.Tensor, ...]:
    """Turned and moved sources of another size, points behind them, and beside them."""
    K = pinhole(8.0, 5, 7).K.double()
    source_K = pinhole(9.0, 6, 8).K.double()
    turn = torch.linalg.matrix_exp(
        torch.cross(
            torch.eye(3).double().expand(2, views, 3, 3),
            0.2 * torch.randn(2, views, 1, 3).double().expand(2, views, 3, 3),
            dim=-1,
        )
    )
    A = source_K @ turn @ torch.linalg.inv(K)
    b = (source_K @ torch.randn(2, views, 3, 1).double())[..., 0]
    depths = 0.5 + 6 * torch.rand(2, 4, *((5, 7) if own else (1, 1))).double()
    return torch.randn(2, 5, 7, channels).double(), torch.randn(2, views, 6, 8, channels).double(), A, b, depths


@pytest.mark.parametrize("norm", ["l1", "dot"])
def test_the_least_cost_is_where_the_wall_is(norm: str):
    features, sources, *places = beside(16)
    if norm == "dot":  # a product is highest where unit vectors are alike
        features, sources = (torch.nn.functional.normalize(x - 0.5, dim=-1) for x in (features, sources))
    found = plane_sweep(features, sources, *places, norm=norm)
    inner = found.cost[0, :, :, 5:]
    if norm == "l1":
        assert inner[1].max() == pytest.approx(0.0, abs=1e-9)
        assert (found.lowest[0, :, 5:] == 1).all()
    else:
        assert (inner.argmax(dim=0) == 1).all()
        torch.testing.assert_close(inner[1], torch.full_like(inner[1], 1 / 16))


def test_what_no_source_sees_has_no_cost_and_lowers_the_confidence():
    found = plane_sweep(*beside())
    # At 2.5, 5 and 10 m the view's first 4, 2 and 1 columns lie left of the source.
    assert found.seen_by[0, :, 0].sum(dim=1).tolist() == [WIDTH - 4, WIDTH - 2, WIDTH - 1]
    assert (found.cost[0, 0, :, :4] == 0).all()
    torch.testing.assert_close(found.confidence[0, 0, :5], torch.tensor([0, 1 / 3, 2 / 3, 2 / 3, 1]).double())
    inner = plane_sweep(*beside(), margin=2.0)
    assert inner.seen_by[0, 1, 3].tolist() == [0] * 4 + [1] * (WIDTH - 4)
    assert inner.seen_by[0, 1, :, 10].tolist() == [0, 0, 1, 1, 0, 0]


def test_hypotheses_of_each_pixel_are_those_of_all_where_they_are_the_same():
    features, sources, A, b, depths = random_case()
    one = plane_sweep(features, sources, A, b, depths)
    each = plane_sweep(features, sources, A, b, depths.expand(2, 4, 5, 7).contiguous())
    for found, expected in zip(each, one, strict=True):
        torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("views", [0, 1, 3])
@pytest.mark.parametrize("dot", [False, True])
def test_the_operator_obeys_its_contract(views: int, dot: bool):
    features, sources, A, b, depths = random_case(views)
    features.requires_grad_()
    sources.requires_grad_()
    torch.library.opcheck(torch.ops.scene3d.plane_sweep, (features, sources, A, b, depths, dot, 0.5))
    if views:
        cost = lambda f, s: torch.ops.scene3d.plane_sweep(f, s, A, b, depths, dot, 0.5)[0]  # noqa: E731
        assert torch.autograd.gradcheck(cost, (features, sources))


@pytest.mark.parametrize("channels", [1, 5, 16, 64])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("dot", [False, True])
def test_the_kernel_is_the_reference(compiled: None, channels: int, own: bool, dot: bool):
    features, sources, A, b, depths = random_case(channels=channels, own=own)
    features = features.permute(0, 2, 1, 3).contiguous().permute(0, 2, 1, 3)  # not dense
    inputs = (features, sources, A, b, depths, dot, 0.5)
    found, expected = torch.ops.scene3d.plane_sweep(*inputs), module.reference(*inputs)
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other)
    grad = torch.randn_like(expected[0])
    for one, other in zip(
        torch.ops.scene3d.plane_sweep_backward(grad, *inputs), module.reference_backward(grad, *inputs), strict=True
    ):
        torch.testing.assert_close(one, other)
    single = [x.float() for x in inputs[:5]]
    torch.testing.assert_close(
        torch.ops.scene3d.plane_sweep(*single, dot, 0.5)[0],
        module.reference(*single, dot, 0.5)[0],
        atol=1e-4,
        rtol=1e-4,
    )


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    features, sources, A, b, depths = random_case()
    with pytest.raises(RuntimeError, match=r"plane_sweep: sources: expected shape \(2, any, any, any, 5\), got"):
        torch.ops.scene3d.plane_sweep(features, sources[..., :3], A, b, depths, False, 0.0)
    with pytest.raises(RuntimeError, match=r"shift: expected shape \(2, 3, 3\), got \(2, 2, 3\)"):
        torch.ops.scene3d.plane_sweep(features, sources, A, b[:, :2], depths, False, 0.0)
