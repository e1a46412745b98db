from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from scene3d.data.posed_images import read_posed_images
from scene3d.data.posed_writing import write_posed_images
from scene3d.data.transforms_json import read_transforms_json
from scene3d.errors import DataError
from tests.data.photograph_trees import write_transforms
from tests.data.test_sparse_files import two_points


def test_what_is_written_is_read_again(tmp_path: Path):
    for number, lens in enumerate(({}, {"k1": 0.1, "p2": 0.02})):
        (scene,) = read_transforms_json(write_transforms(tmp_path / f"from{number}", **lens))
        bounds = torch.tensor([[0.0, 1, 2], [3, 4, 5]], dtype=torch.float64)
        scene = dataclasses.replace(scene, sparse=two_points(), bounds=bounds)
        folder = tmp_path / f"to{number}"
        folder.mkdir()
        write_posed_images(scene, folder)
        (back,) = read_posed_images(folder)
        assert torch.equal(back.bounds, bounds)
        assert torch.equal(back.sparse.track_pixel, two_points().track_pixel)
        for one, other in zip(scene.shots, back.shots, strict=True):
            assert other.image.read_bytes() == one.image.read_bytes() and other.image.parent == folder / "images"
            assert (other.frame, other.sensor) == (one.frame, one.sensor)
            assert torch.equal(other.cam_to_world, one.cam_to_world)
            if one.virtual is None:
                assert torch.equal(other.camera.K, one.camera.K)
            else:
                assert other.camera == one.camera and torch.equal(other.virtual.camera.K, one.virtual.camera.K)


def test_tracks_follow_images_that_the_json_lists_in_another_order(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path / "from"))
    backwards = tuple(dataclasses.replace(shot, frame=9 - shot.frame) for shot in scene.shots)
    (tmp_path / "to").mkdir()
    write_posed_images(dataclasses.replace(scene, shots=backwards, sparse=two_points()), tmp_path / "to")
    (back,) = read_posed_images(tmp_path / "to")
    # Images 0, 1, 2 are frames 9, 8, 7, and shots come by frame: 2, 1, 0.
    assert [shot.frame for shot in back.shots] == [7, 8, 9]
    assert back.sparse.track_shot.tolist() == [2, 1, 1]


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (scene,) = read_transforms_json(write_transforms(tmp_path / "from"))
    with pytest.raises(DataError, match="to: cannot be written"):
        write_posed_images(scene, tmp_path / "to")
