from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from scene3d.data.images import read_depth
from scene3d.data.kitti import read_kitti_odometry
from scene3d.data.snippet_config import hint_file
from scene3d.errors import DataError
from scene3d.stereo.drives import match_drives
from scene3d.stereo.matching import MatchingConfig
from scene3d.structures.scene import Scene
from tests.data.small_trees import DEPTH, HEIGHT, WIDTH, write_odometry

CONFIG = MatchingConfig(nearest=1.0, hypotheses=33)


def a_scene(root: Path) -> Scene:
    write_odometry(root, range(3))
    return read_kitti_odometry(root)[0]


def test_the_wall_of_a_drive_is_found_in_every_view_and_is_not_looked_for_twice(tmp_path: Path):
    scene, folder = a_scene(tmp_path / "tree"), tmp_path / "hints"
    told: list[tuple[str, int, int]] = []
    size = (HEIGHT, WIDTH)
    assert match_drives([scene], folder, size, CONFIG, workers=1, progress=lambda *a: told.append(a)) == 6
    assert told == [("matching", 1, 2), ("matching", 2, 2)]
    for sensor in ("left", "right"):
        for frame in range(3):
            depth = read_depth(hint_file(folder, scene.name, sensor, frame))
            known = depth[:, 12:-12] > 0
            assert known.float().mean() > 0.5
            assert depth[:, 12:-12][known].median().item() == pytest.approx(DEPTH, rel=0.05)
    assert match_drives([scene], folder, size, CONFIG, workers=1) == 0


def test_where_neighbours_disagree_nothing_is_said(tmp_path: Path):
    scene = a_scene(tmp_path / "tree")
    # The first frame is said to stand a metre nearer to the wall than it does.
    moved = torch.eye(4, dtype=torch.float64)
    moved[2, 3] = 1.0
    shots = tuple(replace(s, cam_to_world=moved @ s.cam_to_world) if s.frame == 0 else s for s in scene.shots)
    folder = tmp_path / "hints"
    match_drives([replace(scene, shots=shots)], folder, (HEIGHT, WIDTH), CONFIG, workers=1)
    wrong = read_depth(hint_file(folder, scene.name, "left", 0))[:, 12:-12]
    right = read_depth(hint_file(folder, scene.name, "left", 2))[:, 12:-12]
    assert (right > 0).float().mean() > 0.5
    # A few agree by chance: the tolerance is a hypothesis, and the maps are not all right.
    assert (wrong > 0).float().mean() < 0.15


def test_a_drive_without_transforms_is_refused(tmp_path: Path):
    scene = a_scene(tmp_path)
    shots = tuple(replace(shot, cam_to_world=None) for shot in scene.shots)
    with pytest.raises(DataError, match="00: expected transforms"):
        match_drives([replace(scene, shots=shots)], tmp_path, (HEIGHT, WIDTH), CONFIG, workers=1)


def test_a_shot_alone_gets_an_empty_image_and_is_not_tried_again(tmp_path: Path):
    scene, folder = a_scene(tmp_path / "tree"), tmp_path / "hints"
    alone = replace(scene, shots=scene.shots[:1])
    assert match_drives([alone], folder, (HEIGHT, WIDTH), CONFIG, workers=1) == 1
    assert (read_depth(hint_file(folder, scene.name, "left", 0)) == 0).all()
    assert match_drives([alone], folder, (HEIGHT, WIDTH), CONFIG, workers=1) == 0
