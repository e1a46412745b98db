"""What an evaluation says of rendered views and of their normals."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.engine.view_scoring import ViewScorer
from scene3d.geometry.normals import depth_normals
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import SurfacePrediction
from tests.methods.globes import view


def as_it_is(frames: Frames) -> SurfacePrediction:
    """A method that is right."""
    normals = depth_normals(frames.depth[0, 0], frames.K[0, 0])
    normals = normals @ frames.cam_to_world[0, 0, :3, :3].float().mT
    return SurfacePrediction(
        colour=frames.image[:, 0],
        depth=frames.depth[:, 0],
        normals=normals.movedim(-1, 0)[None],
        opacity=frames.mask[:, 0].float(),
        K=frames.K[:, 0],
        behind=0.0,
    )


def test_normals_are_compared_where_depth_was_measured():
    scorer = ViewScorer()
    frames = view(2)
    scorer.add(as_it_is(frames), frames)
    views, normals = scorer.tables()
    assert normals.title == "normals" and normals.rows["ours"][0] == pytest.approx(0, abs=1e-3)
    assert views.rows["ours"][views.columns.index("silhouette IoU")] == 1
    # Turned by 30 degrees about the camera's axis they are off by at most that.
    turned = as_it_is(frames)
    turn = torch.tensor([[3**0.5 / 2, -0.5, 0], [0.5, 3**0.5 / 2, 0], [0, 0, 1]])
    scorer = ViewScorer()
    scorer.add(replace(turned, normals=torch.einsum("ij,bjhw->bihw", turn, turned.normals)), frames)
    assert 5 < scorer.tables()[1].rows["ours"][0] < 30


def test_without_depth_there_are_no_figures_of_normals():
    scorer = ViewScorer()
    frames = view(2)
    scorer.add(as_it_is(frames), replace(frames, depth=None))
    assert [table.title for table in scorer.tables()] == ["rendered views"]


@pytest.mark.parametrize(("behind", "note"), [(0.0, "before black"), (1.0, "before white"), (None, "as they are")])
def test_an_object_that_is_shown_alone_is_compared_with_the_object_alone(behind: float | None, note: str):
    """A photograph of gray surroundings, and renderings that show the object before one colour or before the gray."""
    frames = view(2)
    mask = frames.mask[:, 0, None]
    photo = torch.where(mask, frames.image[:, 0], 0.5)
    shown = photo if behind is None else torch.where(mask, photo, behind)
    frames = replace(frames, image=photo[:, None])
    scorer = ViewScorer()
    scorer.add(replace(as_it_is(frames), colour=shown, behind=behind), frames)
    table = scorer.tables()[0]
    psnr = table.columns.index("PSNR")
    assert note in table.note and table.rows["ours"][psnr] > 60
    # Before another colour than it says, every pixel beside the object is wrong.
    scorer = ViewScorer()
    scorer.add(replace(as_it_is(frames), colour=torch.where(mask, photo, 0.8), behind=behind), frames)
    assert scorer.tables()[0].rows["ours"][psnr] < 20
