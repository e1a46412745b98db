from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from scene3d.errors import UsageError
from scene3d.geometry.depth import ray_lengths
from scene3d.methods.several_frames import SeveralFrames
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction
from scene3d.volume import FieldSample, ImageField
from tests.methods.walls import DEPTH, HEIGHT, WIDTH, snippets

SAID = 1.25 * DEPTH
"""Where the method believes the wall to be, whatever it sees."""


class Believed:
    """Dense beyond `SAID`."""

    def __init__(self, K: Tensor) -> None:
        self.K, self.height, self.width = K, HEIGHT, WIDTH

    def __call__(self, points: Tensor, *, features: bool = True) -> FieldSample:
        z = points[..., 2]
        return FieldSample(torch.where(z >= SAID, 5.0, 0.01), z > 0)

    def select(self, index: int) -> Believed:
        return Believed(self.K[index : index + 1])


class Method:
    """Has a field of each image, and is asked for the fused one."""

    def encode(self, image: Tensor, K: Tensor) -> Believed:
        return Believed(K)

    def render_view(self, field: ImageField, height: int, width: int) -> tuple[Tensor, None]:
        return SAID * ray_lengths(field.K, height, width), None

    def complete(self, field: ImageField, frames: Frames) -> CompletionPrediction:
        raise NotImplementedError


def surface(frames: Frames, earlier: tuple[int, ...]) -> Tensor:
    """Depth on the axis at which the fused field of each snippet begins to be dense."""
    field = SeveralFrames(Method(), earlier).field(frames)
    depths = torch.linspace(2, 8, 200)
    points = torch.stack([torch.zeros(200), torch.zeros(200), depths], dim=-1).expand(len(frames.image), -1, -1)
    return torch.stack([depths[row > 1][0] for row in field(points).density])


def test_frames_that_saw_the_wall_move_it_to_where_it_is():
    found = surface(snippets((0, -1, -2)), (-1, -2))
    assert bool(((found - DEPTH).abs() < 0.25 * (SAID - DEPTH)).all())


def test_one_frame_alone_is_asked_as_ever():
    single = surface(snippets((0, 1)), (-1,))
    assert bool(((single - SAID).abs() < 0.05).all())


def test_a_frame_that_a_drive_lacks_has_no_say():
    frames = snippets((0, -1, -2))
    present = frames.present.clone()
    present[1, 1:] = False
    found = surface(replace(frames, present=present), (-1, -2))
    assert abs(found[0] - DEPTH) < 0.25 and abs(found[1] - SAID) < 0.05


def test_a_frame_of_unknown_place_has_no_say():
    unknown = snippets((0, -1), posed=False)
    assert bool(((surface(unknown, (-1,)) - SAID).abs() < 0.05).all())
    frames = snippets((0, -1))
    posed = torch.tensor([[True, False], [True, False]])
    assert bool(((surface(replace(frames, posed=posed), (-1,)) - SAID).abs() < 0.05).all())


def test_a_method_without_a_field_is_refused():
    with pytest.raises(UsageError, match="expected a method of completion, got str"):
        SeveralFrames("depth", (-1,))
