from __future__ import annotations

import pytest

from scene3d.evaluation.depth_protocol import PROTOCOLS
from scene3d.evaluation.protocols import PROTOCOLS as COMPLETION_PROTOCOLS
from scene3d.evaluation.published import (
    COMPLETION_TABLES,
    SSCBENCH_TEST,
    TABLES,
    published_completion,
    published_depth,
    why_unpublished,
)


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


def test_published_completion_stands_beside_its_own_protocol_data_and_frames():
    table = published_completion("S4C 15-class", SSCBENCH_TEST, 2165)
    assert table is not None and table.miou["SceneDINO, DINO ViT-B/8"][12.8] == pytest.approx(0.1076)
    assert why_unpublished("S4C 15-class", SSCBENCH_TEST, 2165) is None


@pytest.mark.parametrize(
    ("protocol", "data", "frames"),
    [
        ("SSCBench 18-class", SSCBENCH_TEST, 2165),
        ("S4C 15-class, not grown", SSCBENCH_TEST, 2165),
        ("S4C 15-class", SSCBENCH_TEST, 5),
        ("S4C 15-class", None, 2165),
    ],
)
def test_and_is_refused_beside_any_other(protocol: str, data: str | None, frames: int):
    assert published_completion(protocol, data, frames) is None
    why = why_unpublished(protocol, data, frames)
    assert why is None if data is None else f"ours of {protocol} over {frames}" in why


def test_every_completion_table_is_of_a_protocol_of_ours_and_falls_with_the_range():
    for table in COMPLETION_TABLES:
        assert table.protocol in {protocol.name for protocol in COMPLETION_PROTOCOLS.values()} and table.source
        for figures in (*table.iou.values(), *table.miou.values()):
            assert list(figures) == [12.8, 25.6, 51.2]
            assert 0 < figures[51.2] < figures[25.6] < figures[12.8] < 1
