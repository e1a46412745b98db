from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from scene3d.data.sparse_files import read_sparse, write_sparse
from scene3d.errors import DataError
from scene3d.structures.sparse import SparsePoints


def two_points() -> SparsePoints:
    """The first was seen in images 0 and 1, the second in image 1."""
    return SparsePoints(
        points=torch.tensor([[0.0, 1, 2], [3, 4, 5]], dtype=torch.float64),
        colours=torch.tensor([[1, 2, 3], [4, 5, 6]], dtype=torch.uint8),
        errors=torch.tensor([0.5, 0.25]),
        track_start=torch.tensor([0, 2, 3]),
        track_shot=torch.tensor([0, 1, 1]),
        track_pixel=torch.tensor([[1.5, 2.5], [3.5, 4.5], [5.5, 6.5]]),
    )


def test_points_come_back_and_their_tracks_follow_the_images(tmp_path: Path):
    write_sparse(tmp_path / "sparse.npz", two_points())
    back = read_sparse(tmp_path / "sparse.npz", [0, 1])
    for name, tensor in vars(two_points()).items():
        assert torch.equal(getattr(back, name), tensor) and getattr(back, name).dtype == tensor.dtype
    # Image 0 of the file is shot 7 of the scene, and image 1 is shot 3.
    assert read_sparse(tmp_path / "sparse.npz", [7, 3]).track_shot.tolist() == [7, 3, 3]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"points": np.zeros((2, 2))}, "points of kind f"),
        ({"points": np.full((2, 3), np.nan)}, "finite points"),
        ({"colours": np.zeros((2, 3))}, "colours of kind u"),
        ({"errors": np.zeros(3)}, "a colour and error a point"),
        ({"track_start": np.array([0, 3])}, "track_start from 0 up to 3 for 2 points"),
        ({"track_start": np.array([0, 4, 3])}, "track_start from 0 up to 3"),
        ({"track_shot": np.array([0, 1, 2])}, "tracks in 2 images, got image 2"),
        ({"track_pixel": np.zeros((2, 2))}, "a pixel an observation"),
        ({"points": np.array([{}])}, "expected an npz file of sparse points"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, change: dict[str, Any], message: str):
    arrays = {name: tensor.numpy() for name, tensor in vars(two_points()).items()}
    np.savez(tmp_path / "sparse.npz", **{**arrays, **change})
    with pytest.raises(DataError, match=message):
        read_sparse(tmp_path / "sparse.npz", [0, 1])


def test_what_is_missing_or_damaged_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"sparse\.npz: expected an npz file of sparse points, got no such file"):
        read_sparse(tmp_path / "sparse.npz", [0])
    (tmp_path / "sparse.npz").write_bytes(b"PK")
    with pytest.raises(DataError, match="expected an npz file of sparse points"):
        read_sparse(tmp_path / "sparse.npz", [0])
    np.savez(tmp_path / "sparse.npz", points=np.zeros((0, 3)))
    with pytest.raises(DataError, match="colours"):
        read_sparse(tmp_path / "sparse.npz", [0])
