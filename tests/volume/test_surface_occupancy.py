from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from scene3d.ops.grid_march import March
from scene3d.ops.neus_alpha import neus_alpha
from scene3d.volume import SurfaceSample
from scene3d.volume.surface_field import SurfaceField
from scene3d.volume.surface_occupancy import (
    MarchSamplingConfig,
    SurfaceOccupancy,
    between_cells,
    cell_distances,
    followed_by,
)


@dataclass(frozen=True)
class Ball:
    radius: float = 0.5

    def distance(self, points):
        return points.norm(dim=1) - self.radius

    def __call__(self, points):
        return SurfaceSample(self.distance(points), points, points[:, :0])


def ball(sharpness: float = 100.0) -> SurfaceField:
    return SurfaceField(Ball(), lambda points, *_: points, torch.tensor(sharpness))


def rays(*sides: float):
    """Along x from -3, at these distances from the axis."""
    origins = torch.tensor([[-3.0, side, 0.0] for side in sides])
    return origins, torch.tensor([[1.0, 0.0, 0.0]]).expand(len(sides), 3)


def placed(field: SurfaceField, *sides: float, look: bool = True, **options: float) -> March:
    occupancy = SurfaceOccupancy(MarchSamplingConfig(cells=64, **options))
    if look:
        occupancy.refresh(field)
    return occupancy.place(field, *rays(*sides), jitter=False).surface


def test_the_whole_ball_is_marched_until_the_field_was_looked_at():
    march = placed(ball(), 0.0, 0.9, 1.1, look=False, longest=0.1, shortest=0.1)
    # Chords of 2 and 2 sqrt(1 - 0.81) = 0.87 units, in steps of 0.1; the third ray misses.
    assert march.offsets.diff().tolist() == [20, 9, 0]


def test_sections_lie_about_the_first_surface_that_a_ray_enters():
    march = placed(ball(), 0.0)
    middle = (march.begin + march.end) / 2
    # The surface is met at 2.5; within 5 blurs of 0.01 before it and 4.5 behind, and the slack of a coarse cell.
    slack = 0.5 / 32
    assert 2.45 - slack - 0.02 < middle.min() < 2.46
    assert 2.54 < middle.max() < 2.545 + slack + 0.02
    # Even and without gaps.
    torch.testing.assert_close(march.begin[1:], march.end[:-1])


def test_a_ray_that_grazes_keeps_what_lies_near():
    near, far = placed(ball(), 0.52), placed(ball(), 0.7)
    assert len(near.begin) > 10 and len(far.begin) == 0


def test_nothing_that_matters_is_left_out():
    # Opacity of what is kept, against that of every section in the ball.
    field = ball(40.0)

    def opacity(march: March) -> torch.Tensor:
        ray = torch.arange(3).repeat_interleave(march.offsets.diff())
        origins, directions = rays(0.0, 0.3, 0.48)
        points = origins[ray] + ((march.begin + march.end) / 2)[:, None] * directions[ray]
        cosine = (directions[ray] * points).sum(dim=1) / points.norm(dim=1)
        alpha = neus_alpha(Ball().distance(points), cosine, march.end - march.begin, field.sharpness)
        return torch.stack([1 - (1 - part).prod() for part in alpha.split(march.offsets.diff().tolist())])

    kept, whole = placed(field, 0.0, 0.3, 0.48), placed(field, 0.0, 0.3, 0.48, look=False)
    torch.testing.assert_close(opacity(kept), opacity(whole), atol=0.02, rtol=0)


def test_steps_follow_the_blur_within_bounds():
    def step(sharpness: float) -> float:
        march = placed(ball(sharpness), 0.0)
        return float((march.end - march.begin)[0])

    assert step(1e5) == pytest.approx(0.0034, abs=1e-6)
    assert step(100.0) == pytest.approx(0.01, abs=1e-6)
    assert step(10.0) == pytest.approx(0.03, abs=1e-6)


def test_jitter_moves_a_ray_by_less_than_a_step():
    field, occupancy = ball(), SurfaceOccupancy(MarchSamplingConfig(cells=64))
    still = occupancy.place(field, *rays(0.0), jitter=False).surface
    moved = occupancy.place(field, *rays(0.0), jitter=torch.Generator().manual_seed(1)).surface
    shift = (still.begin[0] - moved.begin[0]) % 0.01
    assert 0 < float(shift) < 0.01
    torch.testing.assert_close(moved.begin.diff(), torch.full_like(moved.begin[1:], 0.01), atol=1e-5, rtol=0)


def test_cells_outside_of_the_ball_are_not_asked():
    asked = []

    def distance(points):
        asked.append(points)
        return points[:, 0]

    found = cell_distances(distance, torch.ones(8, 8, 8, dtype=torch.bool))
    assert torch.cat(asked).norm(dim=1).max() < 1 + 3**0.5 / 8
    assert found[0, 0, 0] == 1 and found[4, 4, 4] == pytest.approx(0.125)


def test_between_cells_a_plane_is_exact():
    middles = (torch.arange(8) + 0.5) / 4 - 1
    x, y, z = torch.meshgrid(middles, middles, middles, indexing="ij")
    points = torch.rand(50, 3) * 1.6 - 0.8
    expected = points @ torch.tensor([1.0, 2.0, -3.0])
    torch.testing.assert_close(between_cells(x + 2 * y - 3 * z, points), expected)


def test_sections_beyond_follow_those_of_each_ray():
    march = March(torch.tensor([0, 2, 2, 3]), torch.tensor([1.0, 2.0, 5.0]), torch.tensor([2.0, 3.0, 6.0]))
    whole = followed_by(march, torch.tensor([[10.0, 12.0], [20.0, 23.0], [30.0, 34.0]]))
    assert whole.offsets.tolist() == [0, 4, 6, 9]
    assert whole.begin.tolist() == [1, 2, 10, 12, 20, 23, 5, 30, 34]
    assert whole.end.tolist() == [2, 3, 12, 14, 23, 26, 6, 34, 38]


def test_an_odd_grid_is_refused():
    with pytest.raises(ValueError, match="expected an even number, got 33"):
        MarchSamplingConfig(cells=33)
    with pytest.raises(ValueError, match="expected at least shortest"):
        MarchSamplingConfig(longest=0.001)
