from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene3d.ops import march_field as module
from scene3d.ops.march_field import Marched, MarchRays, MarchViews, march_field
from scene3d.ops.pixel_field import FieldArrays
from tests.ops.fields import rays_about, small_field, views_about


def flat(field: FieldArrays, rays: MarchRays, views: MarchViews) -> tuple:
    """The operator's arguments."""
    return (*field[:5], *rays[:3], *views, *field[5:], rays.capped)


def test_an_empty_field_is_seen_through_to_the_cap():
    field = small_field(batch=2)._replace(bias=torch.tensor(-50.0).double(), to_density=torch.zeros(5).double())
    for capped in (True, False):
        found = march_field(field, rays_about(capped=capped), views_about())
        assert found.weights[..., :-1].max() < 1e-12
        torch.testing.assert_close(found.weights[..., -1], torch.full((2, 4), float(capped)).double())


@pytest.mark.parametrize("sizes", [(4, 6, 3), (0, 6, 3), (1, 1, 1), (5, 7, 0)])
def test_the_operator_obeys_its_contract(sizes: tuple[int, int, int]):
    rays, samples, views = sizes
    field = small_field()
    for leaf in (field.folded, field.from_position, field.to_density, field.bias):
        leaf.requires_grad_()
    arguments = flat(field, rays_about(rays, samples), views_about(views))
    torch.library.opcheck(torch.ops.scene3d.march_field, arguments)


@pytest.mark.parametrize("capped", [True, False])
def test_gradients_are_those_of_the_map_and_the_network(capped: bool):
    field = small_field(hidden=3, octaves=1)
    # Through the density of what the camera does not see no gradient may flow, so all of it is seen here.
    rays = rays_about(2, 4, capped)._replace(origins=torch.zeros(2, 2, 3).double())
    ahead = torch.tensor([[0.0, 0.0, 1.0], [0.2, 0.1, 0.97]]).double().expand(2, 2, 3)
    rays, views = rays._replace(directions=ahead), views_about(2)
    leaves = [x.requires_grad_() for x in (field.folded, field.from_position, field.to_density, field.bias)]

    def march(m: torch.Tensor, w: torch.Tensor, d: torch.Tensor, b: torch.Tensor) -> Marched:
        return tuple(march_field(field._replace(folded=m, from_position=w, to_density=d, bias=b), rays, views))

    assert torch.autograd.gradcheck(march, leaves)


def test_what_the_camera_does_not_see_teaches_the_density_nothing():
    field = small_field()
    field.bias.requires_grad_()
    rays = rays_about(3, 5)
    behind = rays._replace(directions=-rays.directions.abs(), origins=torch.full((2, 3, 3), -1.0).double())
    found = march_field(field, behind, views_about())
    assert (found.unknown > 0.99).all()
    assert torch.autograd.grad(found.density.sum() + found.colour.sum(), field.bias)[0] == 0


@given(
    hidden=st.integers(1, 40),
    sizes=st.tuples(st.integers(1, 50), st.integers(1, 40), st.integers(0, 3)),
    masked=st.booleans(),
    capped=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_kernel_is_the_reference(
    compiled: None, hidden: int, sizes: tuple[int, int, int], masked: bool, capped: bool, seed: int
):
    torch.manual_seed(seed)
    field = small_field(hidden, 3)
    field = field._replace(bias=field.bias + 5 * torch.randn(()))
    rays, samples, views = sizes
    arguments = flat(field, rays_about(rays, samples, capped), views_about(views, masked))
    expected = module.reference(*arguments)
    for one, other in zip(torch.ops.scene3d.march_field(*arguments), expected, strict=True):
        torch.testing.assert_close(one, other)
    grads = [torch.randn_like(each) for each in expected]
    found = torch.ops.scene3d.march_field_backward(*grads, *arguments)
    for one, other in zip(found, module.reference_backward(*grads, *arguments), strict=True):
        torch.testing.assert_close(one, other)


def test_nothing_of_a_sample_is_kept_for_the_gradient():
    field, rays, views = (
        small_field(32, 6, dtype=torch.float32),
        rays_about(100, 32, dtype=torch.float32),
        views_about(),
    )
    views = MarchViews(views.images.float(), views.to_pixels.float(), views.shown)
    field.folded.requires_grad_()
    given_numbers = sum(x.numel() for x in (*field[:5], *rays[:3], *views) if isinstance(x, torch.Tensor))
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda x: kept.append(x.numel()) or x, lambda x: x):
        march_field(field, rays, views)
    assert sum(kept) <= given_numbers


def test_a_kernel_says_what_it_is_not_given(compiled: None):
    field, rays, views = small_field(), rays_about(), views_about()
    with pytest.raises(RuntimeError, match=r"directions: expected shape \(2, 4, 3\), got \(2, 3, 3\)"):
        march_field(field, rays._replace(directions=rays.directions[:, :3]), views)
    with pytest.raises(RuntimeError, match="distances: expected at least one sample a ray"):
        march_field(field, rays._replace(distances=rays.distances[..., :0]), views)
    with pytest.raises(RuntimeError, match="shown: expected bool"):
        assert views.shown is not None
        march_field(field, rays, views._replace(shown=views.shown.double()))
