from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.kitti import read_kitti_odometry
from scene3d.data.pose_noise import disturb
from scene3d.data.snippet_config import PoseNoiseConfig
from scene3d.data.snippets import SnippetConfig, Snippets, ViewSpec
from scene3d.geometry.se3 import is_rigid
from scene3d.structures.frames import Frames
from tests.data.small_trees import HEIGHT, WIDTH, write_odometry

VIEWS = tuple(ViewSpec(sensor=side, plus=plus) for plus in (0, 1) for side in ("left", "right"))


def snippets(root: Path, *, training: bool, **noise: float) -> Snippets:
    config = SnippetConfig(views=VIEWS, height=HEIGHT, width=WIDTH, pose_noise=PoseNoiseConfig(**noise))
    return Snippets(read_kitti_odometry(root), config, training=training)


def test_cameras_of_another_instant_move_together_and_the_references_stay(tmp_path: Path):
    write_odometry(tmp_path)
    plain = snippets(tmp_path, training=True)[0].cam_to_world[0]
    noisy = snippets(tmp_path, training=True, degrees=2.0, metres=0.1)[0].cam_to_world[0]
    assert torch.equal(noisy[:2], plain[:2]) and is_rigid(noisy).all()
    assert (noisy[2:] - plain[2:]).abs().amax(dim=(1, 2)).min() > 1e-3
    # Where the right camera stands beside the left one is calibration.
    torch.testing.assert_close(torch.linalg.inv(noisy[2]) @ noisy[3], torch.linalg.inv(plain[2]) @ plain[3])


def test_noise_is_of_the_stated_size_and_follows_from_the_seed():
    identity = torch.eye(4).expand(1, 2, 4, 4)
    frames = Frames(
        image=torch.zeros(1, 2, 3, 1, 1),
        K=torch.eye(3).expand(1, 2, 3, 3),
        present=torch.ones(1, 2, dtype=torch.bool),
        offset=torch.tensor([[0, 1]]),
        cam_to_world=identity,
    )
    config = PoseNoiseConfig(degrees=1.0, metres=0.2)
    moved = [disturb(frames, config, np.random.default_rng(seed)).cam_to_world[0, 1] for seed in range(400)]
    again = disturb(frames, config, np.random.default_rng(0)).cam_to_world[0, 1]
    assert torch.equal(moved[0], again)
    found = torch.stack(moved)
    # The standard error of 1,200 draws is 2 %. Of a small rotation the entries beside the diagonal are its angles.
    assert found[:, :3, 3].std().item() == pytest.approx(0.2, rel=0.08)
    assert found[:, [2, 0, 1], [1, 2, 0]].rad2deg().std().item() == pytest.approx(1.0, rel=0.08)


def test_evaluation_and_no_noise_leave_the_transforms(tmp_path: Path):
    write_odometry(tmp_path)
    plain = snippets(tmp_path, training=False)[0].cam_to_world
    assert torch.equal(snippets(tmp_path, training=False, metres=1.0)[0].cam_to_world, plain)
    assert torch.equal(snippets(tmp_path, training=True)[0].cam_to_world, plain)
