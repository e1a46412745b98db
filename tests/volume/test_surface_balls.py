import pytest
import torch

from scene3d.volume import FieldSample
from scene3d.volume.surface_balls import dense_ball_features, draw_ball, draw_surface_points


class _HalfSpace:
    """Dense where z > 0, with the point itself as feature; no evidence where x > 10."""

    def __call__(self, points, *, features=True):
        return FieldSample((points[..., 2] > 0).float(), points[..., 0] <= 10, points if features else None)


def test_each_quantile_of_distance_gives_one_point():
    distance = torch.arange(20.0).flip(0)[None]
    points = distance[..., None].expand(1, 20, 3)
    for _ in range(10):
        chosen, some = draw_surface_points(points, distance, farthest=10.0, bins=5)
        # Ten points are near enough, 0 to 9: two a bin.
        assert (chosen[0, :, 0] // 2).tolist() == [0, 1, 2, 3, 4]
        assert some.tolist() == [True]


def test_fewer_points_than_bins_are_drawn_more_than_once():
    distance = torch.tensor([[5.0, 70.0, 8.0]])
    points = distance[..., None].expand(1, 3, 3)
    chosen, some = draw_surface_points(points, distance, farthest=50.0, bins=4)
    assert chosen[0, :, 0].tolist() == [5.0, 5.0, 8.0, 8.0]
    assert some.all()


def test_a_scene_of_sky_has_none_and_does_not_disturb_the_others():
    distance = torch.tensor([[60.0, 70.0], [5.0, 70.0]])
    chosen, some = draw_surface_points(distance[..., None].expand(2, 2, 3), distance, farthest=50.0, bins=2)
    assert some.tolist() == [False, True]
    assert chosen[1, :, 0].tolist() == [5.0, 5.0]


def test_a_ball_is_filled_evenly():
    centre = torch.tensor([[[1.0, 2.0, 3.0]]])
    offset = draw_ball(centre, radius=0.5, count=20000)[0, 0] - centre[0, 0]
    distance = offset.norm(dim=-1)
    assert distance.max() <= 0.5 + 1e-6
    # Half of the radius holds an eighth of the volume; the mean distance is 3/4 of the radius.
    torch.testing.assert_close((distance < 0.25).float().mean(), torch.tensor(1 / 8), atol=0.01, rtol=0)
    torch.testing.assert_close(distance.mean(), torch.tensor(0.375), atol=0.003, rtol=0)
    assert offset.mean(dim=0).abs().max() < 0.01


def test_only_dense_points_are_kept_and_half_empty_balls_are_not_full():
    centres = torch.tensor([[[0.0, 0, 0], [0, 0, 2], [0, 0, -2], [20, 0, 2]]])
    features, full = dense_ball_features(_HalfSpace(), centres, radius=1.0, count=30, tries=3, density=0.5)
    # On the face half of 90 points are dense, inside all, outside none; where there is no evidence none count.
    assert full.tolist() == [[True, True, False, False]]
    assert features.shape == (1, 4, 30, 3)
    assert (features[0, :2, :, 2] > 0).all()
    assert ((features[0, 0] - centres[0, 0]).norm(dim=-1) <= 1).all()


def test_scenes_with_different_numbers_of_full_balls_make_one_list():
    centres = torch.tensor([[[0.0, 0, 2], [0, 0, 3]], [[0, 0, -2], [0, 0, 2]]])
    features, full = dense_ball_features(_HalfSpace(), centres, radius=0.5, count=4, tries=1, density=0.5)
    assert features[full].shape == (3, 4, 3)


def test_a_field_without_features_is_refused():
    class Bare(_HalfSpace):
        def __call__(self, points, *, features=True):
            return super().__call__(points, features=False)

    with pytest.raises(ValueError, match="field with features"):
        dense_ball_features(Bare(), torch.zeros(1, 1, 3), radius=1.0, count=2, tries=1, density=0.5)
