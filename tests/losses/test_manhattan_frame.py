from __future__ import annotations

import torch

from scene3d.geometry.se3 import rotation_of
from scene3d.losses.manhattan_frame import likeliest_frame

FRAME = rotation_of(torch.tensor([0.4, -0.9, 0.7], dtype=torch.float64))


def off(found: torch.Tensor) -> float:
    """Largest angle between an axis and the nearest of the true ones, either way, degrees."""
    return float((found @ FRAME.mT).abs().amax(dim=1).clamp(max=1).acos().rad2deg().amax())


def search(normals: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return likeliest_frame(normals, 20, 20, 0.05, torch.Generator().manual_seed(seed))


def rough_room(count: int, share: float, noise: float, seed: int = 0) -> torch.Tensor:
    """Noisy normals of floor and walls among others in any direction."""
    generator = torch.Generator().manual_seed(seed)
    axis = torch.randint(3, (count,), generator=generator)
    sign = 2.0 * torch.randint(2, (count,), generator=generator) - 1
    walls = sign[:, None].double() * FRAME[axis]
    drawn = torch.randn(count, 3, dtype=torch.float64, generator=generator)
    kept = torch.rand(count, generator=generator) < share
    normals = torch.where(kept[:, None], walls + noise * drawn, drawn)
    return torch.nn.functional.normalize(normals, dim=1)


def test_a_clean_room_is_found_exactly():
    found = search(rough_room(600, 1.0, 0.0))
    assert off(found) < 1e-5
    torch.testing.assert_close(found @ found.mT, torch.eye(3, dtype=torch.float64))


def test_a_rough_room_is_found_among_as_many_other_normals():
    for seed in range(3):
        found = search(rough_room(4000, 0.5, 0.15, seed), seed)
        assert off(found) < 4
        torch.testing.assert_close(found @ found.mT, torch.eye(3, dtype=torch.float64))


def test_two_walls_and_a_slanted_heap_do_not_make_a_frame_of_the_heap():
    # The largest cluster is a roof that is square with nothing; clusters alone would begin with it.
    walls = rough_room(900, 1.0, 0.05)
    roof = torch.nn.functional.normalize(FRAME[0] + FRAME[1] + FRAME[2], dim=0)
    heap = torch.nn.functional.normalize(
        roof + 0.05 * torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(3)), dim=1
    )
    assert off(search(torch.cat([walls, heap]))) < 4
