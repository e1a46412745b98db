from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import torch
from torch.nn import functional as F

from scene3d.data.flip import flip
from scene3d.data.kitti import read_kitti_odometry
from scene3d.data.snippets import SnippetConfig, Snippets, ViewSpec
from scene3d.geometry.camera import project, to_grid
from scene3d.geometry.depth import depth_to_points
from scene3d.geometry.se3 import invert, is_rigid, transform
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.frames import Frames
from tests.data.small_trees import HEIGHT, WIDTH, write_odometry

VIEWS = (ViewSpec(sensor="left"), ViewSpec(sensor="right"), ViewSpec(sensor="right", plus=1))


def a_snippet(root: Path) -> Frames:
    write_odometry(root, range(3))
    config = SnippetConfig(views=VIEWS, height=HEIGHT, width=WIDTH, depth="file", points=True)
    return Snippets(read_kitti_odometry(root), config, training=False)[0]


def warping_error(frames: Frames, view: int) -> float:
    points = depth_to_points(frames.depth[0, 0], frames.K[0, 0]).reshape(-1, 3)
    ref_to_view = invert(frames.cam_to_world[0, view]) @ frames.cam_to_world[0, 0]
    pixels, _ = project(transform(ref_to_view, points), frames.K[0, view])
    grid = to_grid(pixels, HEIGHT, WIDTH)[None, None]
    seen = (grid[0, 0].abs() < 1).all(-1)
    found = F.grid_sample(frames.image[0, view][None], grid, align_corners=False)[0, :, 0]
    return float((found - frames.image[0, 0].reshape(3, -1))[:, seen].abs().mean())


def test_a_mirrored_snippet_warps_as_well_as_it_did(tmp_path: Path):
    frames = a_snippet(tmp_path)
    mirrored = flip(frames)
    for view in (1, 2):
        assert warping_error(mirrored, view) < 0.01
        # It would not, had the cameras been left as they were.
        wrong = Frames(**{**vars_of(mirrored), "cam_to_world": frames.cam_to_world})
        assert warping_error(wrong, view) > 0.05
    assert is_rigid(mirrored.cam_to_world).all()
    # What was on the right is on the left.
    assert mirrored.cam_to_world[0, 1, 0, 3] == -frames.cam_to_world[0, 1, 0, 3]
    torch.testing.assert_close(mirrored.image, frames.image.flip(-1))


def vars_of(frames: Frames) -> dict[str, object]:
    return {field.name: getattr(frames, field.name) for field in fields(frames)}


def test_a_mirrored_box_holds_the_mirrored_points():
    bounds = torch.tensor([[[-1.0, 0, 2], [3.0, 1, 4]]])
    nothing = torch.zeros(1, 1, 3, 4, 6), torch.eye(3).expand(1, 1, 3, 3), torch.ones(1, 1, dtype=torch.bool)
    frames = Frames(image=nothing[0], K=nothing[1], present=nothing[2], bounds=bounds)
    assert flip(frames).bounds.tolist() == [[[-3.0, 0, 2], [1.0, 1, 4]]]


def test_mirroring_twice_is_nothing(tmp_path: Path):
    frames = a_snippet(tmp_path)
    again = flip(flip(frames))
    for name, value in vars_of(frames).items():
        if isinstance(value, torch.Tensor):
            torch.testing.assert_close(getattr(again, name), value)


def test_a_guessed_normal_to_the_right_is_one_to_the_left_of_the_mirrored_image():
    normals = torch.zeros(1, 1, 3, 1, 4)
    normals[0, 0, :, 0, 0] = torch.tensor([0.6, 0.0, -0.8])
    frames = Frames(
        image=torch.zeros(1, 1, 3, 1, 4),
        K=torch.eye(3).expand(1, 1, 3, 3),
        present=torch.ones(1, 1, dtype=torch.bool),
        cue_depth=torch.arange(4.0).reshape(1, 1, 1, 4),
        cue_normals=normals,
    )
    mirrored = flip(frames)
    torch.testing.assert_close(mirrored.cue_normals[0, 0, :, 0, 3], torch.tensor([-0.6, 0.0, -0.8]))
    assert mirrored.cue_normals[..., :3].eq(0).all()
    assert mirrored.cue_depth.flatten().tolist() == [3, 2, 1, 0]


def test_mirrored_points_fall_on_the_mirrored_pixels(tmp_path: Path):
    frames = a_snippet(tmp_path)
    mirrored = flip(frames)
    before, _ = project(frames.points[0], frames.K[0, 0])
    after, _ = project(mirrored.points[0], mirrored.K[0, 0])
    torch.testing.assert_close(after[:, 0], WIDTH - before[:, 0])
    torch.testing.assert_close(after[:, 1], before[:, 1])


def test_a_mirrored_voxel_stands_where_its_mirrored_points_are():
    # A grid that is turned and moved against the camera, with one car in it.
    turn = torch.tensor([[0.1, -0.99, 0.0], [0.0, 0.0, -1.0], [0.99, 0.1, 0.0]])
    grid_to_cam = torch.eye(4)
    grid_to_cam[:3, :3] = torch.linalg.qr(turn)[0] * torch.linalg.qr(turn)[1].diagonal().sign()
    grid_to_cam[:3, 3] = torch.tensor([0.3, -0.1, 0.5])
    voxels = torch.zeros(1, *SSCBENCH.shape, dtype=torch.int64)
    voxels[0, 60, 30, 5] = 1
    frames = Frames(
        image=torch.zeros(1, 1, 3, 4, 4),
        K=torch.eye(3).expand(1, 1, 3, 3),
        present=torch.ones(1, 1, dtype=torch.bool),
        voxels=voxels,
        grid_to_cam=grid_to_cam[None],
    )
    mirrored = flip(frames)
    assert is_rigid(mirrored.grid_to_cam).all()
    centre = SSCBENCH.centres()[60, 30, 5]
    where = transform(grid_to_cam, centre[None])[0] * torch.tensor([-1.0, 1.0, 1.0])
    in_grid = transform(invert(mirrored.grid_to_cam[0]), where[None])
    cell, within = SSCBENCH.cell_of(in_grid)
    assert within.all()
    assert mirrored.voxels[(0, *cell[0].tolist())] == 1
    assert mirrored.voxels.sum() == 1


def test_mirrored_axes_are_those_of_the_mirrored_room():
    nothing = torch.zeros(1, 1, 3, 4, 6), torch.eye(3).expand(1, 1, 3, 3), torch.ones(1, 1, dtype=torch.bool)
    axes = torch.tensor([[[0.6, 0.8, 0.0], [-0.8, 0.6, 0.0], [0.0, 0.0, 1.0]]])
    frames = Frames(image=nothing[0], K=nothing[1], present=nothing[2], room_axes=axes)
    assert torch.allclose(flip(frames).room_axes, torch.tensor([[[-0.6, 0.8, 0], [0.8, 0.6, 0], [0, 0, 1]]]))
