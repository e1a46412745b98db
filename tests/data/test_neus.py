from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.neus import read_neus
from scene3d.data.shot_files import shot_mask
from scene3d.errors import DataError
from scene3d.geometry.camera import inside, project
from scene3d.geometry.se3 import invert, transform
from tests.data.epipolar import epipolar_offsets
from tests.data.photograph_trees import CENTRE, K, orbit, photograph, write_neus

BALL = np.diag([1.5, 1.5, 1.5, 1.0])


def test_convention_neus_centres_lie_at_integers_and_factors_of_projections_do_not_matter(tmp_path: Path):
    (scene,) = read_neus(write_neus(tmp_path / "toy"))
    assert scene.name == "toy" and [shot.frame for shot in scene.shots] == [0, 1, 2]
    for i, shot in enumerate(scene.shots):
        torch.testing.assert_close(shot.camera.K, K, atol=1e-9, rtol=0)
        torch.testing.assert_close(shot.cam_to_world, orbit(i), atol=1e-9, rtol=0)
        assert (shot.camera.height, shot.camera.width) == (12, 16)


def test_the_ball_of_the_file_is_the_box_about_it(tmp_path: Path):
    (scene,) = read_neus(write_neus(tmp_path))
    torch.testing.assert_close(scene.bounds, torch.stack([CENTRE - 1.5, CENTRE + 1.5]))


def test_masks_are_bright_where_the_object_is_and_may_be_absent(tmp_path: Path):
    (scene,) = read_neus(write_neus(tmp_path / "a"))
    assert shot_mask(scene.shots[0]).sum() == 6 * 8
    (scene,) = read_neus(write_neus(tmp_path / "b", masks=False))
    assert scene.shots[0].mask is None


def test_cases_are_chosen_by_name(tmp_path: Path):
    write_neus(tmp_path / "scan24")
    write_neus(tmp_path / "scan65")
    assert [scene.name for scene in read_neus(tmp_path)] == ["scan24", "scan65"]
    assert [scene.name for scene in read_neus(tmp_path, ["scan65"])] == ["scan65"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"world_mat_1": np.zeros((4, 4))}, r"a projection K \[R \| t\] in world_mat_1, got .*singular"),
        ({"world_mat_1": np.eye(3)}, r"4 x 4 finite numbers in world_mat_1"),
        ({"world_mat_1": np.full((4, 4), np.nan)}, "4 x 4 finite numbers in world_mat_1"),
        ({"world_mat_3": np.eye(4)}, "expected 4 images, the cameras of cameras_sphere.npz, got 3 images"),
        ({"scale_mat_1": BALL}, "in scale_mat_1 one radius"),
        ({"scale_mat_0": np.diag([1.0, 2.0, 1.0, 1.0])}, "in scale_mat_0 one radius"),
        ({"world_mat_0": np.array([{"a": 1}], dtype=object)}, "expected an npz file of matrices"),
    ],
)
def test_a_wrong_matrix_is_named(tmp_path: Path, changes: dict[str, np.ndarray], message: str):
    write_neus(tmp_path, **changes)
    with pytest.raises(DataError, match=message):
        read_neus(tmp_path)


def test_files_that_are_missing_or_damaged_are_named(tmp_path: Path):
    write_neus(tmp_path)
    photograph(tmp_path / "mask" / "009.png")
    with pytest.raises(DataError, match="mask: expected 3 masks, one an image, or none, got 4"):
        read_neus(tmp_path)
    (tmp_path / "cameras_sphere.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="expected an npz file of matrices"):
        read_neus(tmp_path)
    with pytest.raises(DataError, match=r"a folder with image/ and cameras_sphere\.npz, got no such folder"):
        read_neus(tmp_path / "gone")


def test_cameras_of_dtu_agree_with_its_images_and_masks(shared_data: Path):
    (scene,) = read_neus(shared_data / "dtu_scan65_neus_400x300")
    assert len(scene.shots) == 49
    offsets = epipolar_offsets(scene.shots[20], scene.shots[21], 400, 1200)
    assert len(offsets) > 10 and offsets.abs().median() <= 0.5
    # The visual hull: cells of the ball that no mask rules out. Its share is known from an independent count.
    side = torch.linspace(-1, 1, 33, dtype=torch.float64)
    cells = torch.stack(torch.meshgrid(side, side, side, indexing="ij"), dim=-1).reshape(-1, 3)
    cells = cells[cells.norm(dim=1) <= 1]
    lower, upper = scene.bounds
    world = cells * (upper - lower) / 2 + (upper + lower) / 2
    hull = torch.ones(len(cells), dtype=torch.bool)
    for shot in scene.shots:
        pixels, depth = project(transform(invert(shot.cam_to_world), world), shot.camera.K)
        seen = inside(pixels, depth, shot.camera.height, shot.camera.width)
        column, row = pixels.floor().long().unbind(dim=-1)
        mask = shot_mask(shot)
        hull &= ~seen | mask[row.clamp(0, mask.shape[0] - 1), column.clamp(0, mask.shape[1] - 1)]
    assert 0.2 < hull.double().mean() < 0.26  # 29,901 of 130,536 is 0.229
