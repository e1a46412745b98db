from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.geometry.se3 import invert
from scene3d.losses.depth import median_ratio
from scene3d.losses.reprojection import (
    Reconstruction,
    enlarge_depth,
    moving_error,
    reprojection_error,
    standing_error,
    terms_over_scales,
)
from tests.methods.walls import DEPTH, FOCAL, HEIGHT, STEP, WIDTH, snippets


def a_wall() -> Reconstruction:
    frames = snippets((0, -1, 1), batch=1)
    return Reconstruction.of(frames, invert(frames.cam_to_world))


def flat(depth: float) -> torch.Tensor:
    return torch.full((1, HEIGHT, WIDTH), depth)


def test_the_true_depth_explains_the_others_and_another_does_not():
    views = a_wall()
    right, wrong = reprojection_error(flat(DEPTH), views), reprojection_error(flat(1.5 * DEPTH), views)
    assert right < 0.02
    assert wrong > 5 * right


def test_a_pixel_that_only_one_source_sees_is_judged_by_that_one():
    # The wall moves by 60 * 0.4 / 4 = 6 pixels a frame, to either side: each source misses one edge.
    alone = a_wall()._replace(present=torch.tensor([[True, False]]))
    hidden = torch.isinf(moving_error(flat(DEPTH), alone))[0].all(dim=0)
    assert hidden.sum() == FOCAL * STEP / DEPTH
    assert not torch.isinf(moving_error(flat(DEPTH), a_wall())).any()


def test_what_is_better_as_if_nothing_had_moved_is_left_out():
    frames = snippets((0, -1), batch=1)
    still = replace(frames, image=frames.image[:, :1].expand(-1, 2, -1, -1, -1))
    views = Reconstruction.of(still, invert(still.cam_to_world))
    standing = standing_error(views)
    assert standing.max() < 1e-5
    assert reprojection_error(flat(DEPTH), views) > 0.1
    assert reprojection_error(flat(DEPTH), views, standing=standing) == 0


def test_only_pixels_that_count_are_counted():
    views, counted = a_wall(), torch.zeros(1, HEIGHT, WIDTH, dtype=torch.bool)
    assert reprojection_error(flat(DEPTH), views, counted=counted) == 0
    counted[0, 5, 7] = True
    found = reprojection_error(flat(2 * DEPTH), views, counted=counted)
    torch.testing.assert_close(found, moving_error(flat(2 * DEPTH), views)[0, 5, 7])


def test_scales_are_enlarged_in_inverse_depth_and_averaged():
    views = a_wall()
    found = terms_over_scales([flat(DEPTH), flat(2 * DEPTH)[:, ::2, ::2]], views)
    each = [reprojection_error(flat(depth), views) for depth in (DEPTH, 2 * DEPTH)]
    torch.testing.assert_close(found.photometric, torch.stack(each).mean())
    assert found.smoothness == 0
    # Between 1 and 3 lies 1 / (0.75 / 1 + 0.25 / 3) a quarter of the way in inverse depth.
    edge = enlarge_depth(torch.tensor([[[1.0, 3.0]]]), (1, 4))[0, 0]
    torch.testing.assert_close(edge, torch.tensor([1.0, 1 / (0.75 + 0.25 / 3), 1 / (0.25 + 0.75 / 3), 3.0]))


def test_a_snippet_of_one_view_has_nothing_to_be_reconstructed_from():
    frames = snippets((0,))
    with pytest.raises(DataError, match="wall 0, wall 1: expected another view"):
        Reconstruction.of(frames, frames.cam_to_world)


def test_the_unit_of_a_depth_is_its_median_ratio_to_the_truth():
    truth = torch.tensor([[[2.0, 4.0, 0.0, 8.0]]])
    assert median_ratio(torch.tensor([[[1.0, 2.0, 9.0, 5.0]]]), truth) == 0.5
    assert median_ratio(truth, torch.zeros_like(truth)).isnan()
