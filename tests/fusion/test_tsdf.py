from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import trimesh

from scene3d.errors import MissingExtraError, Scene3dError
from scene3d.fusion.tsdf import TsdfConfig, TsdfFusion
from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.structures.drive import DriveStep
from scene3d.structures.prediction import DepthPrediction
from scene3d.structures.solids import Mesh
from tests.drives import wall_step

pytest.importorskip("open3d", reason="Open3D, of the extra `open3d`, is not installed")


def fused(*steps: DriveStep, **options: object) -> Mesh:
    fusion = TsdfFusion(TsdfConfig.model_validate({"views": 1, "smallest": 0, **options}))
    for step in steps:
        fusion.add(step)
    return fusion.mesh()


def seen(depth: torch.Tensor, K: torch.Tensor, image: torch.Tensor) -> DriveStep:
    said = DepthPrediction(depth=depth[None], K=K[None], is_metric=True)
    place = torch.eye(4, dtype=torch.float64)
    return DriveStep(name="a 0 left", number=0, image=image, prediction=said, cam_to_world=place)


def rays(K: torch.Tensor, height: int, width: int) -> torch.Tensor:
    pixels = pixel_centres(height, width)
    return torch.cat([pixels, torch.ones(height, width, 1)], dim=-1) @ torch.linalg.inv(K).T


@pytest.mark.parametrize(("slope_x", "slope_y"), [(0.5, 0.0), (0.0, 0.5)])
def test_convention_pixel_centres_lie_at_a_half_for_a_slanted_wall(slope_x: float, slope_y: float):
    # z = 4 + slope x. Half a pixel of 1 / 100 at 4 m is 2 cm to the side, so 1 cm in depth on this slope.
    camera = pinhole(100.0, 96, 128)
    ray = rays(camera.K, 96, 128)
    depth = 4 / (1 - slope_x * ray[..., 0] - slope_y * ray[..., 1])
    # Red and green say where on the image a point lies.
    colour = torch.stack([(ray[..., 0] + 1) / 2, (ray[..., 1] + 1) / 2, torch.full((96, 128), 0.25)])
    mesh = fused(seen(depth, camera.K, colour), voxel=0.05)
    x, y, z = mesh.vertices.T
    assert (z - (4 + slope_x * x + slope_y * y)).median().abs() < 0.0025
    aside = torch.stack([x / z, y / z], dim=1) - (mesh.colours[:, :2].float() / 255 * 2 - 1)
    assert (aside.median(dim=0).values * 100).abs().max() < 0.15  # pixels


def test_convention_a_sphere_stays_where_it_is():
    # A sphere of 1 m whose centre is 4 m ahead, on the axis of the camera.
    camera = pinhole(100.0, 96, 128)
    ray = rays(camera.K, 96, 128)
    a, b, c = (ray**2).sum(dim=-1), -2 * 4 * ray[..., 2], 4**2 - 1
    root = b**2 - 4 * a * c
    depth = torch.where(root > 0, (-b - root.clamp(min=0).sqrt()) / (2 * a), 0.0)
    mesh = fused(seen(depth, camera.K, torch.rand(3, 96, 128)), voxel=0.05, truncation=4.0)
    # Points that face the camera: near the rim the field ends.
    facing = mesh.vertices[mesh.vertices[:, :2].norm(dim=1) < 0.7].double()
    rows = torch.cat([2 * facing, torch.ones_like(facing[:, :1])], dim=1)
    centre = torch.linalg.lstsq(rows, (facing**2).sum(dim=1, keepdim=True)).solution[:3, 0]
    # Half a pixel there would be 1.5 to 2 cm.
    assert centre[:2].abs().max() < 0.005
    assert (facing - torch.tensor([0.0, 0, 4]).double()).norm(dim=1).mean().item() == pytest.approx(1.0, abs=0.005)


def test_a_wall_is_a_coloured_sheet_that_looks_at_the_camera():
    mesh = fused(wall_step(0, 4.0), wall_step(1, 4.0, at=(0.0, 0.0, 1.0)))
    assert (mesh.vertices[:, 2] - 4).abs().max() < 0.01
    assert (mesh.colours.int() - torch.tensor([51, 102, 153])).abs().max() <= 1
    sheet = trimesh.Trimesh(mesh.vertices.numpy(), mesh.faces.numpy(), process=False)
    assert (sheet.face_normals[:, 2] < -0.9).all()
    # Both see the middle; the first sees 8 x 6 m, up to half a pixel (12 cm) and a voxel at each edge.
    assert 7.5 < sheet.extents[0] < 8.1 and 5.5 < sheet.extents[1] < 6.1
    assert sheet.area == pytest.approx(sheet.extents[0] * sheet.extents[1], rel=0.02)


def test_what_one_frame_saw_is_not_enough_for_two():
    twice = fused(wall_step(0, 4.0), wall_step(1, 4.0, at=(0.0, 0.0, 2.0)), views=2)
    # From 2 m away 4 x 3 m are seen.
    assert twice.vertices[:, 0].abs().max() < 2.1
    with pytest.raises(Scene3dError, match="no surface was seen in 2 frames"):
        fused(wall_step(0, 4.0), views=2)


def test_small_parts_are_left_out():
    step = wall_step(0, 4.0)
    depth = step.prediction.depth.clone()
    depth[:, :, 8:] = 0
    depth[:, 10:12, 20:22] = 4.0  # half a metre wide
    step = replace(step, prediction=replace(step.prediction, depth=depth))
    assert fused(step).vertices[:, 0].max() > 1
    mesh = fused(step, smallest=200)
    assert mesh.vertices[:, 0].max() < -1.5 and mesh.faces.max() == len(mesh.vertices) - 1
    with pytest.raises(Scene3dError, match="no part of it has 100000 triangles"):
        fused(step, smallest=100_000)


def test_no_believed_pixel_is_no_mesh_and_says_so():
    step = wall_step(0, 4.0)
    none = replace(step, prediction=replace(step.prediction, depth=torch.zeros(1, 24, 32)))
    with pytest.raises(Scene3dError, match="mesh: expected a surface, got none: no pixel"):
        fused(none, replace(step, cam_to_world=None))


def test_a_mesh_that_would_take_too_much_ends_where_it_would(caplog):
    fusion = TsdfFusion(TsdfConfig(views=1, voxel=0.05, most=400))
    fusion.add(wall_step(0, 4.0))
    whole = fusion.mesh()
    fusion.add(wall_step(1, 4.0))  # the same blocks again
    assert not fusion.full
    fusion.add(wall_step(2, 9.0))
    assert fusion.full and "wall 0000000002 left: the mesh ends before this frame" in caplog.text
    assert "more than 31 MB" in caplog.text
    assert fusion.mesh().faces.shape == whole.faces.shape and fusion.mesh().vertices[:, 2].max() == 4.0


def test_without_open3d_the_error_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"scene3d\[open3d\]"):
        TsdfFusion()
