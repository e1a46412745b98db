from __future__ import annotations

import torch

from scene3d.ops.grid_march import March
from scene3d.volume.surface_sampling import (
    SurfaceSamplingConfig,
    even_sections,
    merged,
    outside_distances,
    place_sections,
    sections_between,
    sphere_limits,
    uniform_distances,
    up_sample,
)


def ball(points: torch.Tensor) -> torch.Tensor:
    return points.norm(dim=1) - 0.5


def towards_the_middle(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays that begin 2 away and pass the origin within 0.2."""
    origins = 2 * torch.nn.functional.normalize(torch.randn(count, 3), dim=1)
    aims = 0.2 * torch.nn.functional.normalize(torch.randn(count, 3), dim=1)
    return origins, torch.nn.functional.normalize(aims - origins, dim=1)


def entered(origins: torch.Tensor, directions: torch.Tensor) -> torch.Tensor:
    """Distance at which rays enter the ball of radius 1/2."""
    along = (origins * directions).sum(dim=1)
    return -along - (along.square() - origins.square().sum(dim=1) + 0.25).sqrt()


def test_limits_lie_about_the_closest_approach():
    origins = torch.tensor([[0.0, 3.0, -2.0], [0.0, 0.0, 5.0]])
    near, far = sphere_limits(origins, torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]))
    assert near.tolist() == [1, -6] and far.tolist() == [3, -4]


def test_uniform_distances_reach_from_near_to_far():
    placed = uniform_distances(torch.tensor([1.0, 0.0]), torch.tensor([3.0, 1.0]), 3, jitter=False)
    torch.testing.assert_close(placed, torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.5, 1.0]]))


def test_jitter_moves_the_samples_of_a_ray_together():
    near = torch.zeros(200)
    placed = uniform_distances(near, near + 2, 10, jitter=True)
    moved = placed - uniform_distances(near, near + 2, 10, jitter=False)
    torch.testing.assert_close(moved, moved[:, :1].expand(-1, 10))
    assert -0.1 <= moved.min() < -0.08 and 0.08 < moved.max() <= 0.1


def test_distances_outside_are_even_in_their_inverse():
    # u is 0.001 and 1 - 1/3; far / u + gap.
    placed = outside_distances(torch.tensor([2.0]), 2, 0.1, jitter=False)
    torch.testing.assert_close(placed, torch.tensor([[3.1, 2000.1]]))
    drawn = outside_distances(torch.full((300,), 2.0), 8, 0.1, jitter=True)
    assert (drawn.diff(dim=1) > 0).all() and (drawn > 2.1).all() and (drawn <= 2000.2).all()


def test_new_samples_lie_where_rays_enter_and_not_where_they_leave():
    origins, directions = towards_the_middle(30)
    near, far = sphere_limits(origins, directions)
    first = uniform_distances(near, far, 64, jitter=False)
    placed = up_sample(ball, origins, directions, first, SurfaceSamplingConfig())
    assert placed.shape == (30, 128) and (placed.diff(dim=1) >= 0).all()
    close = (placed - entered(origins, directions)[:, None]).abs() < 0.03
    leaving = (placed - (near + far - entered(origins, directions))[:, None]).abs() < 0.03
    # 64 even ones over 2 have 0.03 * 2 / (2 / 63), about 2, in either place.
    assert (close.sum(dim=1) > 45).all()
    assert (leaving.sum(dim=1) < 5).all()


def test_every_round_looks_closer():
    origins, directions = towards_the_middle(30)
    first = uniform_distances(*sphere_limits(origins, directions), 16, jitter=False)
    nearest = [
        (
            up_sample(ball, origins, directions, first, SurfaceSamplingConfig(rounds=rounds))
            - entered(origins, directions)[:, None]
        )
        .abs()
        .sort(dim=1)
        .values[:, :8]
        .mean()
        for rounds in (0, 1, 2, 4)
    ]
    assert nearest[0] > 2 * nearest[1] > 2 * nearest[2] > 2 * nearest[3]


def test_samples_of_the_last_round_are_not_asked_about():
    origins, directions = towards_the_middle(5)
    asked = []

    def distance(points: torch.Tensor) -> torch.Tensor:
        asked.append(len(points))
        return ball(points)

    config = SurfaceSamplingConfig(uniform=20, rounds=3, per_round=4)
    place_sections(distance, origins, directions, config, jitter=False)
    assert asked == [5 * 20, 5 * 4, 5 * 4]


def test_samples_are_placed_without_gradient():
    origins, directions = towards_the_middle(5)
    radius = torch.tensor(0.5, requires_grad=True)
    found = place_sections(
        lambda x: x.norm(dim=1) - radius, origins, directions, SurfaceSamplingConfig(outside=4), jitter=False
    )
    assert not found.surface.begin.requires_grad and not found.whole.end.requires_grad


def test_without_jitter_nothing_is_drawn_and_a_generator_makes_the_draw_repeatable():
    origins, directions = towards_the_middle(5)
    config = SurfaceSamplingConfig(uniform=8, outside=3)
    still = [place_sections(ball, origins, directions, config, jitter=False) for _ in range(2)]
    drawn = [
        place_sections(ball, origins, directions, config, jitter=torch.Generator().manual_seed(3)) for _ in range(2)
    ]
    for one, other in (still, drawn):
        assert torch.equal(one.surface.begin, other.surface.begin) and torch.equal(one.whole.begin, other.whole.begin)
    assert not torch.equal(still[0].surface.begin, drawn[0].surface.begin)


def test_placing_follows_the_rays_when_all_is_turned():
    origins, directions = (each.double() for each in towards_the_middle(10))
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    centre = torch.tensor([0.1, -0.2, 0.05], dtype=torch.float64)
    config = SurfaceSamplingConfig(uniform=16)
    one = place_sections(lambda x: (x - centre).norm(dim=1) - 0.5, origins, directions, config, jitter=False)
    other = place_sections(
        lambda x: (x - turn @ centre).norm(dim=1) - 0.5, origins @ turn.mT, directions @ turn.mT, config, jitter=False
    )
    torch.testing.assert_close(one.surface.begin, other.surface.begin)


def test_sections_reach_to_the_next_sample():
    march = sections_between(torch.tensor([[1.0, 2.0, 4.0], [0.0, 0.5, 0.6]]), 0.25)
    assert march.offsets.tolist() == [0, 3, 6]
    torch.testing.assert_close(march.begin, torch.tensor([1.0, 2.0, 4.0, 0.0, 0.5, 0.6]))
    torch.testing.assert_close(march.end, torch.tensor([2.0, 4.0, 4.25, 0.5, 0.6, 0.85]))


def test_the_whole_of_a_ray_begins_as_its_surface_does():
    origins, directions = towards_the_middle(4)
    config = SurfaceSamplingConfig(uniform=8, rounds=1, per_round=2, outside=3)
    surface, whole, _ = place_sections(ball, origins, directions, config, jitter=False)
    assert surface.offsets.tolist() == [0, 10, 20, 30, 40] and whole.offsets.tolist() == [0, 13, 26, 39, 52]
    torch.testing.assert_close(whole.begin.unflatten(0, (4, 13))[:, :10], surface.begin.unflatten(0, (4, 10)))
    torch.testing.assert_close(whole.end.unflatten(0, (4, 13))[:, :-1], whole.begin.unflatten(0, (4, 13))[:, 1:])
    config = config.model_copy(update={"outside": 0})
    assert place_sections(ball, origins, directions, config, jitter=False).whole is None


def test_no_rays_have_no_sections():
    none = torch.zeros(0, 3)
    surface, whole, _ = place_sections(ball, none, none, SurfaceSamplingConfig(), jitter=True)
    assert len(surface.begin) == len(whole.begin) == 0 and surface.offsets.tolist() == [0]


def test_even_sections_share_the_way_and_rays_without_one_have_none():
    near, far = torch.tensor([1.0, 5.0, 0.0]), torch.tensor([3.0, 5.0, 4.0])
    sections = even_sections(near, far, 4, jitter=False)
    assert sections.offsets.tolist() == [0, 4, 4, 8]
    torch.testing.assert_close(sections.begin, torch.tensor([1, 1.5, 2, 2.5, 0, 1, 2, 3]))
    torch.testing.assert_close(sections.end, torch.tensor([1.5, 2, 2.5, 3, 1, 2, 3, 4]))
    moved = even_sections(near, far, 4, jitter=True)
    assert (moved.begin < moved.end).all() and moved.begin[[0, 4]].tolist() == [1, 0]
    assert torch.equal(moved.begin[1:4], moved.end[:3]) and moved.end[[3, 7]].tolist() == [3, 4]
    assert (moved.begin - sections.begin).abs().max() > 0


def test_marches_are_merged_ray_by_ray_from_near_to_far():
    one = March(torch.tensor([0, 2, 3]), torch.tensor([1.0, 4.0, 2.0]), torch.tensor([2.0, 5.0, 3.0]))
    other = March(torch.tensor([0, 1, 3]), torch.tensor([2.0, 0.0, 5.0]), torch.tensor([3.0, 1.0, 6.0]))
    whole, places = merged([one, other])
    assert whole.offsets.tolist() == [0, 3, 6]
    assert whole.begin.tolist() == [1, 2, 4, 0, 2, 5] and whole.end.tolist() == [2, 3, 5, 1, 3, 6]
    assert places.tolist() == [0, 2, 4]
