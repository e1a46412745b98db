from __future__ import annotations

import torch

from scene3d.stereo.matching import MatchingConfig
from scene3d.stereo.snippets import match_snippet
from tests.methods.walls import DEPTH, snippets

CONFIG = MatchingConfig(nearest=1.5, hypotheses=32)


def test_views_of_a_wall_agree_about_its_depth():
    frames = snippets((0, -1, -2), batch=1)
    found = match_snippet(frames.image[0], frames.K[0], frames.cam_to_world[0], CONFIG)
    believed = found > 0
    assert believed.float().mean() > 0.5
    error = (found[believed] - DEPTH).abs() / DEPTH
    assert error.median() < 0.05


def test_a_view_that_stands_where_another_does_is_not_matched():
    frames = snippets((0, -1), batch=1)
    still = torch.eye(4).expand(2, 4, 4)
    assert not match_snippet(frames.image[0], frames.K[0], still, CONFIG).any()


def test_what_no_other_view_confirms_is_not_believed():
    frames = snippets((0, -1), batch=1)
    image = frames.image[0].clone()
    image[1] = torch.rand(image[1].shape, generator=torch.Generator().manual_seed(0))
    assert (match_snippet(image, frames.K[0], frames.cam_to_world[0], CONFIG) > 0).float().mean() < 0.1
