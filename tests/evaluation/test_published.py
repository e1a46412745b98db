from __future__ import annotations

import pytest

from scene3d.evaluation.depth_protocol import PROTOCOLS
from scene3d.evaluation.published import TABLES, published_depth


def test_published_figures_stand_beside_their_own_protocol_data_and_images():
    table = published_depth("eigen as published", "kitti_raw", 697)
    assert table is not None and table.rows["ManyDepth R18, 640x192, 2 frames"][0] == 0.098


@pytest.mark.parametrize(
    ("protocol", "data", "images"),
    [
        ("eigen", "kitti_raw", 697),
        ("eigen improved", "kitti_raw", 697),
        ("eigen as published", "kitti_raw", 696),
        ("eigen as published", "kitti_odometry", 697),
        ("eigen as published", None, 697),
        ("network size", "kitti_raw", 697),
    ],
)
def test_and_beside_no_other(protocol: str, data: str | None, images: int):
    assert published_depth(protocol, data, images) is None


def test_every_table_is_of_a_protocol_of_ours_and_of_plausible_figures():
    for table in TABLES:
        assert table.protocol in PROTOCOLS and table.source
        for name, (abs_rel, sq_rel, rmse, rmse_log, a1, a2, a3) in table.rows.items():
            assert 0 < abs_rel < rmse_log < sq_rel < rmse, name
            assert 0.5 < a1 < a2 < a3 < 1, name
