from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from scene3d.data.middlebury import read_middlebury
from scene3d.data.neus import read_neus
from scene3d.data.normalisation import RegionConfig, normalise
from scene3d.data.object_files import write_object
from scene3d.data.rgbd import read_seven_scenes
from scene3d.data.transforms_json import read_transforms_json
from scene3d.errors import DataError
from scene3d.geometry.se3 import transform
from scene3d.structures.scene import Scene
from scene3d.structures.sparse import SparsePoints
from tests.data.photograph_trees import CENTRE, write_neus, write_seven_scenes, write_transforms
from tests.volume.test_object_space import a_region


def with_points(scene: Scene, points: torch.Tensor) -> Scene:
    number = len(points)
    sparse = SparsePoints(
        points=points,
        colours=torch.zeros(number, 3, dtype=torch.uint8),
        errors=torch.zeros(number),
        track_start=torch.zeros(number + 1, dtype=torch.int64),
        track_shot=torch.zeros(0, dtype=torch.int64),
        track_pixel=torch.zeros(0, 2),
    )
    return dataclasses.replace(scene, sparse=sparse)


def test_the_ball_of_a_neus_case_is_that_of_its_file(tmp_path: Path):
    (scene,) = read_neus(write_neus(tmp_path))
    similarity = normalise(scene)
    torch.testing.assert_close(similarity.unit_to_world[:3, 3], CENTRE)
    assert similarity.radius == pytest.approx(1.5)


def test_without_bounds_cameras_decide_through_their_lens_too(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path, k1=0.1))
    similarity = normalise(scene)
    torch.testing.assert_close(similarity.unit_to_world[:3, 3], CENTRE)
    # 6 of 12 rows over a focal length of 21: the sine of atan(6 / 21), of a distance of 4.
    assert similarity.radius == pytest.approx(4 * 6 / (6**2 + 21**2) ** 0.5)


def test_cameras_that_look_at_nothing_leave_it_to_the_points(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path, 1))
    points = torch.rand(100, 3, dtype=torch.float64)
    similarity = normalise(with_points(scene, points))
    assert similarity.unit_to_world[:3, 3].tolist() == pytest.approx([0.5] * 3, abs=0.1)
    with pytest.raises(DataError, match=r"cameras: expected at least 2 .*; sparse points: expected some, got none"):
        normalise(scene)


def test_a_region_of_interest_that_holds_nothing_is_refused(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path))
    around = torch.stack([CENTRE - 0.5, CENTRE + 0.5])
    assert normalise(scene, bounds=around).radius == pytest.approx(0.5)
    with pytest.raises(DataError, match="expected a box that a camera sees"):
        normalise(scene, bounds=around + torch.tensor([0.0, 0, 100]))
    with pytest.raises(DataError, match="expected sparse points in it, got none of 5"):
        normalise(with_points(scene, torch.full((5, 3), 9.0)), bounds=around)
    with pytest.raises(DataError, match="expected bounds, got none"):
        normalise(scene, "bounds")


def test_a_surface_is_confined_to_bounds_where_there_are_some(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path))
    given = ((-1.0, -1.0, -1.0), (1.0, 2.0, 3.0))
    assert RegionConfig(bounds=given).box(scene) is None
    assert RegionConfig(bounds=given, confined=True).box(scene).tolist() == [list(corner) for corner in given]
    with pytest.raises(DataError, match=r"expected bounds to confine a surface to, got none \(hint: confined: false"):
        RegionConfig(confined=True).box(scene)


def test_cameras_of_real_scenes_find_the_object_that_their_files_name(shared_data: Path):
    for read, folder in ((read_neus, "dtu_scan65_neus_400x300"), (read_middlebury, "middlebury_templeRing")):
        (scene,) = read(shared_data / folder)
        named, found = normalise(scene), normalise(scene, "cameras")
        apart = (named.unit_to_world[:3, 3] - found.unit_to_world[:3, 3]).norm() / named.radius
        assert apart < 0.5 and 0.5 < found.radius / named.radius < 2


def test_depth_images_and_cameras_say_where_a_room_is(tmp_path: Path):
    (scene,) = read_seven_scenes(write_seven_scenes(tmp_path))
    found = normalise(scene, "depth")
    centres = torch.stack([shot.cam_to_world[:3, 3] for shot in scene.shots])
    # Walls 1.5 ahead of cameras 4 from the middle, and the cameras themselves.
    assert (transform(found.world_to_unit, centres).norm(dim=1) < 1).all()
    ahead = torch.stack([shot.cam_to_world[:3, 3] + 1.5 * shot.cam_to_world[:3, 2] for shot in scene.shots])
    assert (transform(found.world_to_unit, ahead).norm(dim=1) < 1).all()
    bare = dataclasses.replace(scene, shots=tuple(dataclasses.replace(shot, depth=None) for shot in scene.shots))
    with pytest.raises(DataError, match="depth images: expected some, got none"):
        normalise(bare, "depth")


def test_the_ball_about_an_object_holds_its_box_with_a_margin(tmp_path: Path):
    (scene,) = read_neus(write_neus(tmp_path / "case"))
    region = a_region()
    write_object(tmp_path, region)
    found = RegionConfig(object=tmp_path, margin=1.4).of(scene)
    torch.testing.assert_close(found.unit_to_world[:3, 3], region.box.box_to_world[:3, 3])
    assert found.radius == pytest.approx(1.4 * float(region.box.half.norm()))
    assert (transform(found.world_to_unit, region.box.corners()).norm(dim=1) < 1).all()
    with pytest.raises(DataError, match="object.json"):
        RegionConfig(object=tmp_path / "nowhere").of(scene)
