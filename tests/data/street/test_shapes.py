from __future__ import annotations

import numpy as np
import pytest

from scene3d.data.street.categories import Category
from scene3d.data.street.shapes import Kind, Part, Shapes, about_z, assemble, enter, within
from scene3d.data.street.tracing import Tiles, first_hits


def _one(kind: Kind, centre: tuple, half: tuple, taper: tuple = (0.0, 0.0), turn: np.ndarray | None = None) -> Shapes:
    part = Part(
        kind=kind,
        centre=centre,
        half=half,
        category=Category.BOX,
        material=0,
        colour=(0.5, 0.5, 0.5),
        taper=taper,
        turn=turn,
    )
    return assemble([part], np.random.default_rng(0))


def _distance(shapes: Shapes, origin: tuple, direction: tuple) -> float:
    towards = np.array(direction, dtype=np.float32) / np.linalg.norm(direction)
    start = np.zeros((3, 1, 1), dtype=np.float32)
    tiles = Tiles(np.array(origin, dtype=np.float64), start, towards.reshape(3, 1, 1).astype(np.float32))
    return float(first_hits(shapes, tiles, 1e3)[0][0, 0])


@pytest.mark.parametrize("kind", [Kind.BOX, Kind.BALL, Kind.ROUND, Kind.TAPERED])
def test_a_ray_along_x_meets_every_solid_at_its_side(kind: Kind) -> None:
    # Centre 10 m ahead, 2 m half size along x: the near side lies 8 m away.
    assert _distance(_one(kind, (10, 0, 0), (2, 2, 3)), (0, 0, 0), (1, 0, 0)) == pytest.approx(8, abs=1e-4)


@pytest.mark.parametrize("kind", [Kind.ROUND, Kind.TAPERED])
def test_a_taper_of_one_half_narrows_the_top(kind: Kind) -> None:
    # At z = 1.5 of -3..3 a taper of 0.5 has taken 0.5 * 0.75 = 0.375 of the half size 2: the side lies at 10 - 1.25.
    shapes = _one(kind, (10, 0, 0), (2, 2, 3), (0.5, 0.5))
    assert _distance(shapes, (0, 0, 1.5), (1, 0, 0)) == pytest.approx(8.75, abs=1e-4)


def test_a_turned_box_shows_its_edge() -> None:
    # A cube of half size 1 turned by 45 degrees reaches sqrt(2) towards the ray.
    shapes = _one(Kind.BOX, (10, 0, 0), (1, 1, 1), turn=about_z(np.pi / 4))
    assert _distance(shapes, (0, 0, 0), (1, 0, 0)) == pytest.approx(10 - np.sqrt(2), abs=1e-4)


def test_a_ray_from_inside_or_away_meets_nothing() -> None:
    shapes = _one(Kind.BOX, (10, 0, 0), (1, 1, 1))
    assert np.isinf(_distance(shapes, (10, 0, 0), (1, 0, 0)))
    assert np.isinf(_distance(shapes, (0, 0, 0), (-1, 0, 0)))


@pytest.mark.parametrize("kind", list(Kind))
def test_where_a_ray_enters_lies_on_the_border_of_the_solid(kind: Kind) -> None:
    rng = np.random.default_rng(1)
    taper = np.array([0.4, 0.4 if kind == Kind.ROUND else 0.7]) * (kind in (Kind.ROUND, Kind.TAPERED))
    origin = rng.normal(size=(500, 3)) * 2 + np.array([6, 0, 0])
    direction = rng.normal(size=(500, 3)) * 0.4 - origin
    at = enter(kind, list(origin.T), list(direction.T), np.broadcast_to(taper, (500, 2)))
    hit = np.isfinite(at) & (at > 0.01)
    assert hit.sum() > 100
    still = np.zeros(3)
    for step, inside in ((1e-4, True), (-1e-4, False)):
        points = origin[hit] + (at[hit] + step)[:, None] * direction[hit]
        assert (within(int(kind), list(points.T), taper, still) == inside).mean() > 0.99


def test_many_solids_and_tiles_agree_with_trying_every_pair() -> None:
    rng = np.random.default_rng(2)
    parts = [
        Part(
            kind=Kind(int(rng.integers(4))),
            centre=tuple(rng.uniform(-8, 8, 3).tolist()),
            half=tuple(rng.uniform(0.2, 2.5, 3).tolist()),
            category=Category.BOX,
            material=0,
            colour=(0.5, 0.5, 0.5),
            taper=(0.3, 0.3),
            turn=about_z(rng.uniform(0, 6)),
        )
        for _ in range(60)
    ]
    shapes = assemble(parts, rng)
    around = np.linspace(0, 2 * np.pi, 64 * 16)
    direction = np.stack([np.cos(around), np.sin(around), 0.3 * np.sin(5 * around)])
    direction = (direction / np.linalg.norm(direction, axis=0)).astype(np.float32)
    base = np.array([0.5, 0.2, 0.1])
    tiles = Tiles(base, np.zeros((3, 64, 1), dtype=np.float32), direction.reshape(3, 64, 16))
    distance, index = first_hits(shapes, tiles, 100.0)
    affine, offset = shapes.world_to_local, base - shapes.centre
    local_origin = np.einsum("nij,nj->ni", affine, offset).T[:, :, None]
    local_direction = np.einsum("nij,jr->inr", affine, direction.astype(np.float64))
    every = np.stack(
        [
            enter(
                Kind(int(kind)),
                [o[n : n + 1] for o in local_origin],
                [d[n : n + 1] for d in local_direction],
                shapes.taper[n : n + 1, None],
            )[0]
            for n, kind in enumerate(shapes.kind)
        ]
    )
    expected = every.min(axis=0)
    assert np.array_equal(np.isfinite(distance.reshape(-1)), np.isfinite(expected))
    hit = np.isfinite(expected)
    assert np.allclose(distance.reshape(-1)[hit], expected[hit], atol=1e-3)
    assert (index.reshape(-1)[hit] == every.argmin(axis=0)[hit]).mean() > 0.99
