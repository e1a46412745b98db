from __future__ import annotations

import math

import pytest
import torch

from scene3d.ops.grid_march import March
from scene3d.volume import SurfaceSample
from scene3d.volume.background import BackgroundSample, SphereBackgroundConfig
from scene3d.volume.fourier_sdf import FourierSdfConfig
from scene3d.volume.hash_sdf import HashSdfConfig
from scene3d.volume.surface_field import ColourConfig, SurfaceConfig, SurfaceField
from scene3d.volume.surface_renderer import render_surface
from scene3d.volume.surface_sampling import RaySections, SurfaceSamplingConfig, place_sections

WITHOUT = SurfaceSamplingConfig(outside=0)
WITH = SurfaceSamplingConfig(outside=16)


class Ball:
    """Exact distance to a ball."""

    def __init__(self, centre: torch.Tensor, radius: float = 0.5) -> None:
        self.centre, self.radius = centre, radius

    def __call__(self, points: torch.Tensor) -> SurfaceSample:
        away = points - self.centre
        return SurfaceSample(self.distance(points), torch.nn.functional.normalize(away, dim=1), points)

    def distance(self, points: torch.Tensor) -> torch.Tensor:
        return (points - self.centre).norm(dim=1) - self.radius


def facing(points: torch.Tensor, normals: torch.Tensor, directions: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
    """A colour that depends on how the surface is looked at, and not on where it is."""
    cosine = (normals * directions).sum(dim=1).abs()
    return torch.stack([cosine, 1 - cosine, torch.full_like(cosine, 0.25)], dim=1)


def ball(centre: torch.Tensor | None = None, sharpness: float = 2000.0) -> SurfaceField:
    centre = torch.zeros(3, dtype=torch.float64) if centre is None else centre
    return SurfaceField(Ball(centre), facing, torch.tensor(sharpness, dtype=torch.float64))


def rays_past(count: int, miss: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Rays that begin 2 away from the origin and pass it as close as said."""
    origins = 2 * torch.nn.functional.normalize(torch.randn(count, 3, dtype=torch.float64), dim=1)
    aside = torch.cross(origins, torch.randn(count, 3, dtype=torch.float64), dim=1)
    tilt = math.asin(miss / 2)
    directions = -math.cos(tilt) * origins / 2 + math.sin(tilt) * torch.nn.functional.normalize(aside, dim=1)
    return origins, directions


def placed(field: SurfaceField, rays: tuple, config: SurfaceSamplingConfig = WITHOUT) -> RaySections:
    return place_sections(field.surface.distance, *rays, config, jitter=False)


def grey(points: torch.Tensor, _: torch.Tensor) -> BackgroundSample:
    """Fog that nothing comes through."""
    return BackgroundSample(torch.full_like(points[:, 0], 500.0), torch.full_like(points, 0.7))


def test_a_ball_is_seen_where_it_begins():
    field, miss = ball(), 0.3
    rays = rays_past(20, miss)
    seen = render_surface(field, *rays, placed(field, rays).surface)
    # Closest approach after sqrt(4 - 0.09), half the chord sqrt(0.25 - 0.09) = 0.4 before it.
    entered = math.sqrt(4 - miss**2) - 0.4
    torch.testing.assert_close(seen.opacity, torch.ones_like(seen.opacity), atol=1e-3, rtol=0)
    torch.testing.assert_close(seen.surface, seen.opacity, atol=1e-3, rtol=0)
    torch.testing.assert_close(seen.distance, torch.full_like(seen.distance, entered), atol=2e-3, rtol=0)
    hit = rays[0] + entered * rays[1]
    torch.testing.assert_close(seen.normals, hit / 0.5, atol=5e-3, rtol=0)
    # The cosine there is 0.4 / 0.5.
    torch.testing.assert_close(seen.colour, torch.tensor([[0.8, 0.2, 0.25]]).double().expand(20, 3), atol=5e-3, rtol=0)


def test_beside_the_ball_there_is_nothing():
    field, rays = ball(), rays_past(20, 0.7)
    seen = render_surface(field, *rays, placed(field, rays).surface)
    # 128 sections of an opacity of 1e-5 at most.
    assert seen.opacity.max() < 128e-5


def test_a_section_and_its_background_worked_by_hand():
    # A wall in the middle of a section 0.2 long, met head on: the distribution falls from 3/4 to 1/4, so its opacity
    # is 1/2 / (3/4) = 2/3. Behind the sphere a section 1 long of density ln 2 lets through one half.
    class Wall:
        def __call__(self, points: torch.Tensor) -> SurfaceSample:
            gradient = torch.tensor([[0.0, 0.0, -1.0]]).expand_as(points)
            return SurfaceSample(self.distance(points), gradient, points)

        def distance(self, points: torch.Tensor) -> torch.Tensor:
            return -points[:, 2]

    def red(points: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return torch.tensor([1.0, 0.0, 0.0]).expand_as(points)

    def green(points: torch.Tensor, _: torch.Tensor) -> BackgroundSample:
        return BackgroundSample(torch.full((len(points),), math.log(2)), torch.tensor([0.0, 1, 0]).expand_as(points))

    field = SurfaceField(Wall(), red, torch.tensor(math.log(3) / 0.1))
    origins, directions = torch.tensor([[0.0, 0.0, -0.1]]), torch.tensor([[0.0, 0.0, 1.0]])
    sections = March(torch.tensor([0, 1]), torch.tensor([0.0]), torch.tensor([0.2]))
    whole = March(torch.tensor([0, 2]), torch.tensor([0.0, 2.0]), torch.tensor([0.2, 3.0]))
    seen = render_surface(field, origins, directions, sections, background=green, whole=whole)
    close = {"atol": 1e-5, "rtol": 0.0}
    torch.testing.assert_close(seen.weights, torch.tensor([2 / 3, 1 / 6]), **close)
    torch.testing.assert_close(seen.colour, torch.tensor([[2 / 3, 1 / 6, 0.0]]), **close)
    torch.testing.assert_close(seen.opacity, torch.tensor([5 / 6]), **close)
    torch.testing.assert_close(seen.surface, torch.tensor([2 / 3]), **close)
    torch.testing.assert_close(seen.distance, torch.tensor([2 / 3 * 0.1]), **close)
    torch.testing.assert_close(seen.normals, torch.tensor([[0.0, 0.0, -2 / 3]]), **close)
    alone = render_surface(field, origins, directions, sections)
    torch.testing.assert_close(alone.colour, torch.tensor([[2 / 3, 0.0, 0.0]]), **close)


def test_the_background_is_asked_outside_of_the_sphere_and_weighs_nothing_inside():
    field = ball()
    rays = tuple(torch.cat(both) for both in zip(rays_past(10, 0.3), rays_past(10, 0.7), strict=True))
    sections, whole, _ = placed(field, rays, WITH)
    asked = []

    def background(points: torch.Tensor, directions: torch.Tensor) -> BackgroundSample:
        asked.append(points)
        return grey(points, directions)

    seen = render_surface(field, *rays, sections, background=background, whole=whole)
    assert (asked[0].norm(dim=1) >= 1).all()
    assert len(asked[0]) == 20 * (128 + 16) - int(seen.inside.sum())
    torch.testing.assert_close(seen.opacity, torch.ones_like(seen.opacity), atol=1e-6, rtol=0)
    # Fog before the sphere hides the ball: every ray has samples there.
    torch.testing.assert_close(seen.colour, torch.full_like(seen.colour, 0.7), atol=1e-3, rtol=0)

    def clear(points: torch.Tensor, directions: torch.Tensor) -> BackgroundSample:
        return BackgroundSample(torch.zeros_like(points[:, 0]), torch.ones_like(points))

    through = render_surface(field, *rays, sections, background=clear, whole=whole)
    torch.testing.assert_close(through.surface, through.opacity)
    outside = torch.ones(len(whole.begin), dtype=torch.bool).unflatten(0, (20, 144))
    outside[:, :128] = ~seen.inside.unflatten(0, (20, 128))
    assert (through.weights[outside.flatten()] == 0).all()


def test_where_the_surface_is_solid_the_background_behind_it_is_not_seen():
    field = ball()

    def behind(points: torch.Tensor, directions: torch.Tensor) -> BackgroundSample:
        away = (points * directions).sum(dim=1) > 0
        return BackgroundSample(50.0 * away.to(points.dtype), torch.full_like(points, 0.7))

    for miss, colour in ((0.3, [0.8, 0.2, 0.25]), (0.7, [0.7, 0.7, 0.7])):
        rays = rays_past(10, miss)
        sections, whole, _ = placed(field, rays, WITH)
        seen = render_surface(field, *rays, sections, background=behind, whole=whole)
        torch.testing.assert_close(seen.colour, torch.tensor([colour]).double().expand(10, 3), atol=1e-2, rtol=0)


def test_what_is_turned_is_seen_turned():
    centre, rays = torch.tensor([0.1, -0.2, 0.05]).double(), rays_past(20, 0.4)
    turn = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64)).Q
    one_field, other_field = ball(centre, 60.0), ball(turn @ centre, 60.0)
    turned = rays[0] @ turn.mT, rays[1] @ turn.mT
    one = render_surface(one_field, *rays, placed(one_field, rays).surface)
    other = render_surface(other_field, *turned, placed(other_field, turned).surface)
    for name in ("colour", "opacity", "surface", "distance", "weights", "sdf"):
        torch.testing.assert_close(getattr(other, name), getattr(one, name))
    torch.testing.assert_close(other.normals, one.normals @ turn.mT)
    torch.testing.assert_close(other.gradients, one.gradients @ turn.mT)


def test_a_step_back_along_the_ray_is_seen_as_that_much_distance():
    field, (origins, directions) = ball(sharpness=60.0), rays_past(20, 0.4)
    back = origins - 1.5 * directions
    one, other = (render_surface(field, o, directions, placed(field, (o, directions)).surface) for o in (origins, back))
    torch.testing.assert_close(other.colour, one.colour)
    torch.testing.assert_close(other.distance, one.distance + 1.5 * one.surface)


CONFIGS = [
    SurfaceConfig(sdf=FourierSdfConfig(width=48, features=4), colour=ColourConfig(width=16, layers=2)),
    SurfaceConfig(
        sdf=HashSdfConfig(levels=3, finest=32, table_bits=10),
        colour=ColourConfig(width=16, layers=2),
        unit_normals=True,
    ),
]


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("anneal", [0.0, 0.5, 1.0])
def test_weights_of_a_ray_sum_to_at_most_one(config: SurfaceConfig, anneal: float):
    networks, background = config.build(), SphereBackgroundConfig(width=16, layers=2, skip=0).build()
    with torch.no_grad():
        for parameter in networks.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    field, rays = networks.field(), tuple(each.float() for each in rays_past(40, 0.4))
    sections, whole, _ = placed(field, rays, WITH)
    for around in (None, background):
        seen = render_surface(
            field, *rays, sections, anneal=anneal, background=around, whole=None if around is None else whole
        )
        assert (seen.weights >= 0).all() and (seen.opacity <= 1 + 1e-5).all()
        torch.testing.assert_close(seen.weights.unflatten(0, (40, -1)).sum(dim=1), seen.opacity)
        assert (seen.surface <= seen.opacity + 1e-6).all()


@pytest.mark.parametrize("config", CONFIGS)
def test_everything_that_is_learnt_learns_from_pixels_and_normals(config: SurfaceConfig):
    networks, background = config.build(), SphereBackgroundConfig(width=16, layers=2, skip=0).build()
    with torch.no_grad():
        for parameter in networks.sdf.parameters():
            parameter.add_(0.02 * torch.randn_like(parameter))
    field, rays = networks.field(), tuple(each.float() for each in rays_past(40, 0.4))
    sections, whole, _ = placed(field, rays, WITH)
    seen = render_surface(field, *rays, sections, background=background, whole=whole)
    eikonal = (seen.gradients.norm(dim=1) - 1).square().mean()
    (seen.colour.square().mean() + 0.1 * eikonal).backward()
    learning = {**dict(networks.named_parameters()), **dict(background.named_parameters())}
    assert [name for name, each in learning.items() if each.grad is None or not (each.grad != 0).any()] == []


def test_an_eikonal_term_alone_makes_gradients_longer_or_shorter():
    networks = CONFIGS[1].build()
    with torch.no_grad():
        for parameter in networks.sdf.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    rays = tuple(each.float() for each in rays_past(30, 0.4))
    leaves, errors = list(networks.sdf.parameters()), []
    for _ in range(15):
        field = networks.field()
        seen = render_surface(field, *rays, placed(field, rays, WITHOUT.model_copy(update={"rounds": 0})).surface)
        errors.append((seen.gradients.norm(dim=1) - 1).square().mean())
        with torch.no_grad():
            for leaf, grad in zip(leaves, torch.autograd.grad(errors[-1], leaves, allow_unused=True), strict=True):
                leaf.sub_(0.0 if grad is None else 0.02 * grad)
    assert errors[-1] < 0.5 * errors[0]


def test_rays_without_sections_see_nothing_and_no_rays_are_none():
    field = ball()
    rays = rays_past(3, 0.3)
    whole = placed(field, rays).surface
    # The first and the last ray have lost theirs, as where `grid_march` finds no occupied cell.
    middle = slice(128, 256)
    sections = March(torch.tensor([0, 0, 128, 128]), whole.begin[middle], whole.end[middle])
    seen, full = render_surface(field, *rays, sections), render_surface(field, *rays, whole)
    torch.testing.assert_close(seen.colour[1], full.colour[1])
    assert (seen.colour[[0, 2]] == 0).all() and seen.opacity[[0, 2]].tolist() == [0, 0]
    none = render_surface(field, rays[0][:0], rays[1][:0], March(torch.tensor([0]), whole.begin[:0], whole.end[:0]))
    assert none.colour.shape == (0, 3) and none.weights.shape == (0,)


def test_unequal_rays_keep_their_backgrounds_apart():
    field, rays = ball(sharpness=60.0), rays_past(2, 0.4)
    sections, whole, _ = placed(field, rays, WITH)
    both = render_surface(field, *rays, sections, background=grey, whole=whole)
    # The second ray without its last 28 sections, beside the first with all.
    fewer = March(torch.tensor([0, 128, 228]), sections.begin[:228], sections.end[:228])
    kept = torch.cat([torch.arange(144 + 100), torch.arange(144 + 128, 288)])
    rest = March(torch.tensor([0, 144, 260]), whole.begin[kept], whole.end[kept])
    seen = render_surface(field, *rays, fewer, background=grey, whole=rest)
    torch.testing.assert_close(seen.weights[:244], both.weights[:244])
    torch.testing.assert_close(seen.colour[0], both.colour[0])


def test_a_background_needs_the_whole_of_the_rays():
    field, rays = ball(), rays_past(2, 0.3)
    with pytest.raises(ValueError, match="expected the whole of the rays beside a background"):
        render_surface(field, *rays, placed(field, rays).surface, background=grey)
