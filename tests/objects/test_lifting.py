from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.objects.lifting import lift_features
from scene3d.objects.projection import shares_in_view, view_of
from tests.objects.table import CENTRE, Colours, Table, true_points


def test_points_take_the_mean_of_what_their_shots_say(table: Table):
    sparse = true_points(table.scene, number=100)
    told = []
    lifted = lift_features(table.scene, sparse, Colours(), progress=lambda done, of: told.append((done, of)))
    assert told[-1] == (12, 12) and lifted.shape == (len(sparse.points), 3)
    # Cells of 4 pixels blur the mottle: the colour of the ball and of the table is left.
    ball = sparse.points[:, 2] > 0.7
    assert (lifted[ball][:, 2] > lifted[ball][:, 0]).all()
    clear = (sparse.points[:, :2] - CENTRE[:2]).norm(dim=1) > 1.8
    assert (lifted[clear][:, 2] < lifted[clear][:, 0]).all()


def test_smaller_images_say_about_the_same_and_unseen_points_nothing(table: Table):
    sparse = true_points(table.scene, number=100)
    full, small = (lift_features(table.scene, sparse, Colours(), area=area) for area in (120 * 160, 60 * 80))
    assert (full - small).abs().mean() < 0.05
    assert (view_of(table.scene.shots[0], 60 * 80).height, view_of(table.scene.shots[0]).height) == (60, 120)
    starts, none = torch.zeros_like(sparse.track_start), slice(0, 0)
    tracks = {"track_shot": sparse.track_shot[none], "track_pixel": sparse.track_pixel[none]}
    unseen = replace(sparse, track_start=starts, **tracks)
    assert (lift_features(table.scene, unseen, Colours()) == 0).all()


def test_shares_in_view_ask_every_camera(table: Table):
    behind = torch.tensor([[0.0, 0, 60]], dtype=torch.float64)
    shares = shares_in_view(table.scene, torch.cat([CENTRE[None], behind]))
    assert shares.tolist() == [1, 0]
    lost = replace(table.scene, shots=(replace(table.scene.shots[0], cam_to_world=None),))
    with pytest.raises(DataError, match=r"000\.png: expected a known camera transform"):
        shares_in_view(lost, behind)
