"""Arguments of the operators in single precision: channels that do not fill a warp, rays without samples, edges."""

from __future__ import annotations

from collections.abc import Callable

import torch

from scene3d.ops import (
    composite,
    field_density,
    hash_encode,
    march_field,
    neus_alpha,
    neus_composite,
    plane_sweep,
    render_weights,
    sample_views,
    sample_views_composite,
)
from tests.ops.fields import points_about, rays_about, small_field, views_about


def _weights() -> tuple:
    return (torch.rand(70, 33),)


def _views() -> tuple:
    return torch.randn(3, 7, 9, 5), torch.rand(3, 50, 2) * 12 - 2


def _composite() -> tuple:
    opacity = torch.rand(43)
    opacity[5] = 1.0
    offsets = torch.tensor([0, 9, 9, 42, 43])
    return opacity, torch.randn(43, 37), torch.rand(43) * 10, offsets, torch.rand(43)


def _sweep() -> tuple:
    A = torch.eye(3) + 0.05 * torch.randn(2, 3, 3, 3)
    depths = 0.5 + 6 * torch.rand(2, 4, 1, 1)
    return torch.randn(2, 5, 7, 9), torch.randn(2, 3, 6, 8, 9), A, torch.randn(2, 3, 3), depths, False, 0.5


def _sections() -> tuple:
    return 0.3 * torch.randn(37, 11), 2 * torch.rand(37, 11) - 1, 0.2 * torch.rand(37, 11), torch.tensor(7.0), 0.4


def _neus() -> tuple:
    drawn = 0.3 * torch.randn(43), 2 * torch.rand(43) - 1, 0.2 * torch.rand(43), torch.tensor(7.0)
    return *drawn, torch.randn(43, 37), torch.rand(43) * 10, torch.tensor([0, 9, 9, 42, 43]), 0.4


def _hash() -> tuple:
    starts = hash_encode.level_starts([2, 5, 9], 256)
    return torch.rand(300, 3), torch.randn(starts[-1], 2), [2, 5, 9], starts, True


def _looks() -> tuple:
    to_pixels = torch.tensor([[6.0, 0, 5, 0], [0, 6, 4, 0], [0, 0, 1, 0]]) + 0.2 * torch.randn(2, 3, 3, 4)
    points = torch.randn(2, 6, 7, 3) + torch.tensor([0.0, 0.0, 3.0])
    return torch.randn(2, 3, 8, 10, 37), points, to_pixels, torch.rand(2, 6, 7), torch.rand(2, 3, 8, 10) > 0.1


def _densities() -> tuple:
    field = small_field(37, 3, dtype=torch.float32)
    return (*field[:5], points_about(2, 90, torch.float32), *field[5:])


def _march() -> tuple:
    single = torch.float32
    field = small_field(37, 3, dtype=single)
    rays = rays_about(20, 33, dtype=single)
    return (*field[:5], *rays[:3], *views_about(dtype=single), *field[5:], True)


CASES: dict[str, tuple[Callable, Callable, Callable]] = {
    "render_weights": (_weights, render_weights.reference, render_weights.reference_backward),
    "sample_views": (_views, sample_views.reference, sample_views.reference_map_backward),
    "composite": (_composite, composite.reference, composite.reference_backward),
    "neus_alpha": (_sections, neus_alpha.reference, neus_alpha.reference_backward),
    "neus_composite": (_neus, neus_composite.reference, neus_composite.reference_backward),
    "hash_encode": (_hash, hash_encode.reference, hash_encode.reference_backward),
    "field_density": (_densities, field_density.reference, field_density.reference_backward),
    "march_field": (_march, march_field.reference, march_field.reference_backward),
    "sample_views_composite": (
        _looks,
        sample_views_composite.reference,
        sample_views_composite.reference_weight_backward,
    ),
    "plane_sweep": (_sweep, plane_sweep.reference, plane_sweep.reference_backward),
}
BACKWARD = {
    "sample_views": "sample_views_map_backward",
    "sample_views_composite": "sample_views_composite_weight_backward",
}
"""Of each operator: its arguments, its reference, and that of its backward operator."""

STORED = {
    "sample_views": (0,),
    "composite": (1,),
    "plane_sweep": (0, 1),
    "neus_composite": (4,),
    "sample_views_composite": (0,),
    "field_density": (0,),
    "march_field": (0,),
}
"""Of each operator that takes them: which arguments may be stored in half of single precision."""


def stored_in(dtype: torch.dtype, name: str, inputs: tuple) -> tuple:
    """The arguments of an operator, with those that may be so stored in a lower precision."""
    return tuple(x.to(dtype) if i in STORED.get(name, ()) else x for i, x in enumerate(inputs))
