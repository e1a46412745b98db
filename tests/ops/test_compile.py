"""`torch.compile` traces operators whole, forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import jaxtyping
import pytest
import torch

from scene3d.ops.composite import composite
from scene3d.ops.field_density import field_density
from scene3d.ops.hash_encode import hash_encode, level_starts
from scene3d.ops.march_field import march_field
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.ops.neus_composite import neus_composite
from scene3d.ops.plane_sweep import plane_sweep
from scene3d.ops.render_weights import render_weights
from scene3d.ops.sample_views import sample_views
from scene3d.ops.sample_views_composite import sample_views_composite
from tests.ops.fields import points_about, rays_about, small_field, views_about

Case = tuple[Callable[[torch.Tensor], torch.Tensor], torch.Tensor]


def _composite() -> Case:
    features, distances, offsets = torch.randn(9, 3), torch.rand(9), torch.tensor([0, 4, 9])
    return lambda opacity: composite(opacity, features, distances, offsets).features, torch.rand(9)


def _alpha() -> Case:
    rest = -torch.rand(9), 0.1 * torch.rand(9), torch.tensor(5.0)
    return lambda sdf: neus_alpha(sdf, *rest), torch.randn(9)


def _neus() -> Case:
    rest = -torch.rand(9), 0.1 * torch.rand(9), torch.tensor(5.0), torch.randn(9, 3), torch.rand(9)
    return lambda sdf: neus_composite(sdf, *rest, torch.tensor([0, 4, 9])).features, torch.randn(9)


def _views() -> Case:
    pixels = 4 * torch.rand(2, 6, 2)
    return lambda maps: sample_views(maps, pixels), torch.randn(2, 4, 5, 3)


def _looks() -> Case:
    views = views_about(dtype=torch.float32)
    points = torch.randn(2, 4, 5, 3) + torch.tensor([0, 0, 5.0])
    weights = torch.rand(2, 4, 5)
    return lambda maps: sample_views_composite(maps, points, views.to_pixels, weights)[0], views.images


def _sweep() -> Case:
    sources, depths = torch.randn(1, 1, 5, 6, 8), torch.linspace(1, 5, 4).reshape(1, 4, 1, 1)
    eye, move = torch.eye(3)[None, None], torch.tensor([[[3.0, 0, 0]]])
    return lambda features: plane_sweep(features, sources, eye, move, depths).cost, torch.randn(1, 5, 6, 8)


def _hash() -> Case:
    starts = level_starts([2, 5], 64)
    points = torch.rand(7, 3)
    return lambda table: hash_encode(points, table, [2, 5], starts), torch.randn(starts[-1], 2)


def _density() -> Case:
    field, points = small_field(dtype=torch.float32), points_about(2, 9, torch.float32)
    return lambda folded: field_density(field._replace(folded=folded), points)[0], field.folded


def _march() -> Case:
    single = torch.float32
    field, rays, views = small_field(dtype=single), rays_about(dtype=single), views_about(dtype=single)
    return lambda folded: march_field(field._replace(folded=folded), rays, views).hidden, field.folded


CASES = (_composite, _alpha, _neus, _views, _looks, _sweep, _hash, _density, _march)


@pytest.mark.parametrize("case", [*CASES, lambda: (render_weights, torch.rand(3, 4))])
def test_an_operator_is_traced_whole(case: Callable[[], Case], monkeypatch: pytest.MonkeyPatch):
    # The checks of shapes that tests run with cannot be traced; users run without them.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    torch.compiler.reset()
    function, leaf = case()
    leaf.requires_grad_()
    compiled = torch.compile(lambda x: function(x).square().sum(), fullgraph=True, backend="aot_eager")
    expected = function(leaf).square().sum()
    found = compiled(leaf)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad(found, leaf), torch.autograd.grad(expected, leaf))


@pytest.mark.parametrize("case", CASES)
def test_mixed_precision_is_raised_to_single(case: Callable[[], Case]):
    function, leaf = case()
    leaf = leaf.bfloat16().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        found = function(leaf)
    assert found.dtype == torch.float32
    assert torch.autograd.grad(found.sum(), leaf)[0].dtype == torch.bfloat16
