from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from scene3d.errors import DataError
from scene3d.objects.projection import pixels_in, shares_in_view, view_of
from tests.objects.table import CENTRE, Table


def test_what_a_camera_looks_at_lies_in_the_middle_of_its_view_at_any_size(table: Table):
    shot = table.scene.shots[0]
    for area, middle in ((None, [80.0, 60]), (60 * 80, [40.0, 30])):
        pixels, depth = pixels_in(shot, view_of(shot, area), CENTRE[None])
        torch.testing.assert_close(pixels[0], torch.tensor(middle, dtype=torch.float64))
        # 4 aside and 2.5 above.
        torch.testing.assert_close(depth[0], torch.tensor(22.25, dtype=torch.float64).sqrt())


def test_shares_in_view_ask_every_camera(table: Table):
    behind = torch.tensor([[0.0, 0, 60]], dtype=torch.float64)
    shares = shares_in_view(table.scene, torch.cat([CENTRE[None], behind]))
    assert shares.tolist() == [1, 0]
    lost = replace(table.scene, shots=(replace(table.scene.shots[0], cam_to_world=None),))
    with pytest.raises(DataError, match=r"000\.png: expected a known camera transform"):
        shares_in_view(lost, behind)
