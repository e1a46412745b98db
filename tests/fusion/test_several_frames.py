from __future__ import annotations

import math

import pytest
import torch

from scene3d.fusion.several_frames import FusedField, StretchedField, stretch_to
from scene3d.geometry.camera import pinhole
from scene3d.volume import FieldSample, ImageField

CAMERA = pinhole(40.0, 32, 64)


class Wall:
    """Dense beyond a depth that the field believes in; features are the depth of the point."""

    K, height, width = CAMERA.K[None], CAMERA.height, CAMERA.width

    def __init__(self, depth: float, density: float = 2.0) -> None:
        self.depth, self.density = depth, density

    def __call__(self, points: torch.Tensor, *, features: bool = True) -> FieldSample:
        z = points[..., 2]
        density = torch.where(z >= self.depth, self.density, 0.01)
        return FieldSample(density, z > 0, z[..., None] if features else None)

    def select(self, index: int) -> Wall:
        return self


def along_the_axis(*depths: float) -> torch.Tensor:
    return torch.tensor([[[0.0, 0.0, z] for z in depths]])


def test_a_stretched_ray_ends_where_it_is_told_to():
    # The field believes in 4 m, matching found 5 m: at 5 m the field is asked at 4 m.
    stretched = StretchedField(Wall(4.0), torch.full((1, 32, 64), 4 / 5))
    assert isinstance(stretched, ImageField)
    found = stretched(along_the_axis(4.5, 4.9, 5.1))
    assert (found.density[0] > 1).tolist() == [False, False, True]
    torch.testing.assert_close(found.features[0, :, 0], torch.tensor([4.5, 4.9, 5.1]) * 4 / 5)


def test_rays_are_stretched_each_by_its_own_factor():
    stretch = torch.ones(1, 32, 64)
    stretch[:, :, 32:] = 0.5
    points = torch.tensor([[[-2.0, 0, 5.0], [2.0, 0, 5.0]]])
    assert (StretchedField(Wall(4.0), stretch)(points).density[0] > 1).tolist() == [True, False]


def test_the_stretch_brings_what_is_rendered_to_what_is_matched():
    rendered, matched = torch.full((1, 32, 64), 4.0), torch.full((1, 32, 64), 5.0)
    # All pixels are matched, so doubt counts for 1 part in 1.05.
    expected = math.exp(math.log(4 / 5) / 1.05)
    torch.testing.assert_close(stretch_to(rendered, matched), torch.full((1, 32, 64), expected))


def test_where_nothing_is_matched_nothing_is_stretched_and_neighbours_are_half_believed():
    rendered, matched = torch.full((1, 20, 400), 4.0), torch.zeros(1, 20, 400)
    matched[:, :, :100] = 5.0
    stretch = stretch_to(rendered, matched)[0, 10]
    assert torch.equal(stretch[200:], torch.ones(200))
    assert 0.8 < stretch[50] < 0.81 and stretch[95] < stretch[110] < 1
    assert bool((stretch[90:140].diff() >= 0).all())


def test_a_match_that_is_far_off_is_not_believed():
    rendered = torch.full((1, 16, 32), 4.0)
    assert torch.equal(stretch_to(rendered, torch.full((1, 16, 32), 40.0)), torch.ones(1, 16, 32))


def fused(there: bool = True, back: float = 1.0) -> FusedField:
    """The reference believes in a wall at 4 m, a frame `back` metres behind it in one at 6 m, so at 5 m."""
    placed = torch.eye(4).repeat(2, 1, 1, 1)
    placed[1, 0, 2, 3] = back
    return FusedField((Wall(4.0), Wall(6.0)), placed, torch.tensor([[True], [there]]))


def test_fields_are_fused_by_the_geometric_mean_in_the_place_of_the_reference():
    found = fused()(along_the_axis(3.0, 4.5, 5.5))
    expected = torch.tensor([0.01, math.sqrt(2.0 * 0.01), 2.0])
    torch.testing.assert_close(found.density[0], expected)
    torch.testing.assert_close(found.features[0, :, 0], torch.tensor([3.0, 4.5, 5.5]))


def test_a_frame_that_is_not_there_has_no_say():
    torch.testing.assert_close(fused(there=False)(along_the_axis(4.5)).density, Wall(4.0)(along_the_axis(4.5)).density)


def test_where_only_an_earlier_frame_sees_it_speaks_alone():
    # 0.5 m behind the reference, but before the frame that stood 1 m further back.
    found = fused()(along_the_axis(-0.5))
    assert found.valid.all()
    torch.testing.assert_close(found.density, Wall(6.0)(along_the_axis(0.5)).density)
    nowhere = fused()(along_the_axis(-3.0))
    assert not nowhere.valid.any()


@pytest.mark.parametrize("field", [StretchedField(Wall(4.0), torch.rand(3, 32, 64)), fused()])
def test_a_part_of_a_batch_is_a_field_of_one(field: ImageField):
    one = field.select(0)
    assert isinstance(one, ImageField) and one.K.shape == (1, 3, 3)
    assert one(along_the_axis(1.0)).density.shape == (1, 1)
