from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.object_files import read_object, write_object
from scene3d.errors import DataError
from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.planes import Plane
from scene3d.structures.object_region import ObjectRegion


def region(plane: bool = True) -> ObjectRegion:
    points = torch.randn(7, 3, dtype=torch.float64)
    box_to_world = torch.eye(4, dtype=torch.float64)
    box_to_world[:3, 3] = points[0]
    up = Plane(normal=torch.tensor([0.0, 0.6, 0.8]).double(), offset=torch.tensor(0.1, dtype=torch.float64))
    return ObjectRegion(
        points=points,
        colours=torch.randint(256, (7, 3)).to(torch.uint8),
        foreground=points[:, 0] > 0,
        box=OrientedBox(box_to_world=box_to_world, half=torch.tensor([1.0, 2, 3], dtype=torch.float64)),
        plane=up if plane else None,
    )


@pytest.mark.parametrize("plane", [True, False])
def test_an_object_comes_back_as_it_was(tmp_path: Path, plane: bool):
    said = region(plane)
    write_object(tmp_path, said)
    read = read_object(tmp_path)
    for name in ("points", "colours", "foreground"):
        assert torch.equal(getattr(read, name), getattr(said, name))
    assert torch.equal(read.box.box_to_world, said.box.box_to_world) and torch.equal(read.box.half, said.box.half)
    if plane:
        assert torch.equal(read.plane.normal, said.plane.normal) and read.plane.offset == said.plane.offset
    else:
        assert read.plane is None


def test_others_read_the_points_too(tmp_path: Path):
    import trimesh

    said = region()
    write_object(tmp_path, said)
    cloud = trimesh.load(tmp_path / "object.ply")
    np.testing.assert_allclose(cloud.vertices, said.points.numpy())
    np.testing.assert_array_equal(cloud.colors[:, :3], said.colours.numpy())


def test_damaged_files_are_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"object\.json"):
        read_object(tmp_path)
    write_object(tmp_path, region())
    whole = (tmp_path / "object.ply").read_bytes()
    (tmp_path / "object.ply").write_bytes(whole[:-1])
    with pytest.raises(DataError, match=r"object\.ply: expected 7 points of an object in \d+ bytes, got \d+ bytes"):
        read_object(tmp_path)
    (tmp_path / "object.ply").unlink()
    with pytest.raises(DataError, match=r"object\.ply: expected the points of an object"):
        read_object(tmp_path)
    (tmp_path / "object.ply").write_bytes(whole)
    said = json.loads((tmp_path / "object.json").read_text())
    said["box_to_world"][0][0] = 2
    (tmp_path / "object.json").write_text(json.dumps(said))
    with pytest.raises(DataError, match=r"object\.json: expected a rigid box_to_world"):
        read_object(tmp_path)
