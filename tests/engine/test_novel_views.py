from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch

from scene3d.data.snippet_config import ViewSpec
from scene3d.engine.evaluator import EvaluateConfig, evaluate
from scene3d.engine.novel_views import NovelViewScorer
from scene3d.errors import DataError, MissingExtraError, UsageError
from scene3d.evaluation.view_tables import CONSISTENCY_TITLE, NOVEL_TITLE
from scene3d.geometry.camera import pinhole
from scene3d.geometry.depth import ray_lengths
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import rigid
from scene3d.structures.frames import Frames
from scene3d.structures.rays import Rays
from scene3d.volume import FieldSample
from scene3d.volume.renderer import Rendering, render
from tests.engine.toy import Toy

HEIGHT, WIDTH, WALL, BASELINE = 24, 48, 6.0, 0.5
CAMERA = pinhole(24.0, HEIGHT, WIDTH)
RIGHT = (ViewSpec(sensor="right"),)


def paint(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """A colour for each place on the wall, smooth but nowhere flat."""
    waves = [torch.sin(1.9 * x + 0.4 * y), torch.sin(1.3 * y - 0.7 * x + 1), torch.sin(2.3 * x - 1.1 * y + 2)]
    return torch.stack([0.5 + 0.45 * wave for wave in waves])


def frames(valid: torch.Tensor | None = None) -> Frames:
    """A stereo pair before a painted wall."""
    cam_to_world = torch.stack([rigid(torch.eye(3), torch.tensor([x, 0.0, 0.0])) for x in (0.0, BASELINE)])
    rows, columns = torch.meshgrid(torch.arange(HEIGHT) + 0.5, torch.arange(WIDTH) + 0.5, indexing="ij")
    pixels = torch.stack([columns, rows], dim=-1).reshape(-1, 2)
    images = []
    for matrix in cam_to_world:
        origins, directions = pixel_rays(pixels, CAMERA.K, matrix)
        points = origins + directions * (WALL / directions[:, 2:])
        images.append(paint(points[:, 0], points[:, 1]).reshape(3, HEIGHT, WIDTH))
    return Frames(
        image=torch.stack(images)[None],
        K=CAMERA.K.expand(1, 2, 3, 3),
        present=torch.ones(1, 2, dtype=torch.bool),
        valid=valid,
        names=("wall",),
        cam_to_world=cam_to_world[None],
        depth=torch.full((1, 2, HEIGHT, WIDTH), WALL),
    )


@dataclass(frozen=True)
class Wall:
    """Solid from a depth on; its features are the colours of its image."""

    image: torch.Tensor
    K: torch.Tensor
    depth: float
    height: int = HEIGHT
    width: int = WIDTH

    def __call__(self, points: torch.Tensor, *, features: bool = True) -> FieldSample:
        return FieldSample(1e4 * (points[..., 2] >= self.depth).float(), points[..., 2] > 0)

    def select(self, index: int) -> Wall:
        return self


class Oracle(Toy):
    """Knows that a wall is there, if not how far away."""

    def __init__(self, depth: float = WALL, *, teacher: bool = True) -> None:
        super().__init__()
        self.depth, self.teacher = depth, teacher

    def encode(self, image: torch.Tensor, K: torch.Tensor) -> Wall:
        return Wall(image, K, self.depth)

    def render_view(self, field: Wall, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.depth * ray_lengths(field.K, height, width), field.image

    def look(self, field: Wall, rays: Rays, sources=None) -> Rendering:
        distances = torch.linspace(3.0, 12.0, 600).expand(*rays.directions.shape[:2], -1)
        return render(field, rays, distances, sources=sources)

    def expand(self, features: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.normalize(features, dim=-1)

    def teacher_features(self, image: torch.Tensor) -> torch.Tensor:
        if not self.teacher:
            raise MissingExtraError("no teacher here")
        return torch.nn.functional.avg_pool2d(image.flatten(0, 1), 4).unflatten(0, image.shape[:2])


def scored(method: Oracle, given: Frames) -> dict[str, dict[str, tuple[float | None, ...]]]:
    scorer = NovelViewScorer(method, RIGHT)
    scorer.add(given)
    return {table.title: dict(table.rows) for table in scorer.tables()}


def test_true_geometry_shows_the_other_view_and_a_wrong_one_does_not():
    found = scored(Oracle(), frames())[NOVEL_TITLE]
    ours, as_it_is = found["ours, right"], found["the reference image as it is, right"]
    # A focal length of 24 and a baseline of 0.5 m move the wall 6 m away by 2 of 48 pixels: 46 columns were seen.
    assert ours[4] == pytest.approx(46 / 48)
    assert ours[2] > 35 and ours[3] > 0.98
    assert ours[0] > as_it_is[0] + 8 and ours[1] > as_it_is[1]
    wrong = scored(Oracle(9.0), frames())[NOVEL_TITLE]["ours, right"]
    assert wrong[2] < ours[2] - 8


def test_features_of_one_place_agree_and_others_do_not():
    found = scored(Oracle(), frames())[CONSISTENCY_TITLE]
    same, random, share = found["ours, right"]
    assert same > 0.999 and random < 0.95
    # One in four columns at 2, 6, ..., 46; that at 2 moves to the edge of the other image and still lies in it.
    assert share == 1.0
    taught = found["teacher, each image by itself, right"]
    assert 0.98 < taught[0] < same


def test_pixels_that_a_view_does_not_show_count_nowhere():
    valid = torch.ones(1, 2, HEIGHT, WIDTH, dtype=torch.bool)
    valid[:, 1, :, 24:] = False
    given = frames(valid)
    spoilt = replace(given, image=torch.where(valid[:, :, None], given.image, 0.0))
    found = scored(Oracle(), spoilt)
    assert found[NOVEL_TITLE]["ours, right"][0] > 30 and found[NOVEL_TITLE]["ours, right"][4] == pytest.approx(0.5)
    assert found[CONSISTENCY_TITLE]["ours, right"][2] < 0.6


def test_without_a_teacher_its_row_is_left_out_in_words(caplog):
    assert list(scored(Oracle(teacher=False), frames())[CONSISTENCY_TITLE]) == ["ours, right"]
    assert "no row of the teacher: no teacher here" in caplog.text


def test_an_evaluation_has_the_tables_where_they_are_asked_for():
    given = frames()
    report = evaluate(Oracle(), [given, given], EvaluateConfig(novel_views=RIGHT, crop=False))
    assert report.figure(NOVEL_TITLE, "ours, right", "PSNR where seen") > 35
    plain = evaluate(Oracle(), [given], EvaluateConfig(crop=False))
    assert NOVEL_TITLE not in [table.title for table in plain.tables]


def test_what_cannot_be_asked_is_said_in_words():
    with pytest.raises(UsageError, match="novel_views: expected a method of completion, got Toy"):
        NovelViewScorer(Toy(), RIGHT)
    blind = replace(frames(), cam_to_world=None)
    with pytest.raises(DataError, match="expected frames that have these views"):
        scored(Oracle(), blind)
    with pytest.raises(ValueError, match="leave one out"):
        EvaluateConfig(novel_views=RIGHT, earlier=(-1,))
