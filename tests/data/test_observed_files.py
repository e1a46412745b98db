from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.io import savemat

from scene3d.data.observed_files import read_observed
from scene3d.errors import DataError


def write_observed(folder: Path, scan: int = 5, **changes: object) -> Path:
    """Two cells, 2 wide, of which the first is observed, about (-1, 4, 7); true points above z = 6.5."""
    cells = np.zeros((2, 1, 1), dtype=np.uint8)
    cells[0] = 1
    box = np.array([[-1.0, 4, 7], [1.0, 4, 7]])
    path = folder / f"ObsMask{scan}_10.mat"
    savemat(path, {"ObsMask": cells, "BB": box, "Res": 2.0, "Margin": 10.0, **changes}, do_compression=True)
    savemat(folder / f"Plane{scan}.mat", {"P": np.array([[0.0], [0], [1], [-6.5]])})
    return path


def test_convention_the_box_begins_at_the_centre_of_the_first_cell(tmp_path: Path):
    observed = read_observed(write_observed(tmp_path))
    # The first cell spans -2..0, 3..5, 6..8: what is rounded to number 0.
    inside = [[-1.9, 4, 7], [-0.1, 3.1, 6.1], [-0.1, 4.9, 7.9]]
    outside = [[0.1, 4, 7], [-2.1, 4, 7], [-1, 5.1, 7], [-1, 4, 5.9]]
    assert observed.judges(torch.tensor(inside, dtype=torch.float64)).all()
    assert not observed.judges(torch.tensor(outside, dtype=torch.float64)).any()
    assert observed.wants(torch.tensor([[0.0, 0, 6.6], [0, 0, 6.4]])).tolist() == [True, False]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ObsMask": np.ones((2, 2))}, r"expected ObsMask \[X, Y, Z\], got \[2, 2\]"),
        ({"ObsMask": "all"}, "expected an array of numbers ObsMask, got something else"),
        ({"BB": np.ones((3, 2))}, r"expected BB, two finite corners \[2, 3\], got \[3, 2\]"),
        ({"BB": np.full((2, 3), np.nan)}, r"expected BB, two finite corners"),
        ({"Res": 0.0}, r"expected Res, one edge above 0, got \[\[0.0\]\]"),
    ],
)
def test_a_wrong_array_is_named(tmp_path: Path, changes: dict[str, object], said: str):
    with pytest.raises(DataError, match=rf"ObsMask5_10.mat: {said}"):
        read_observed(write_observed(tmp_path, **changes))


def test_a_file_that_is_none_of_dtu_is_one_line(tmp_path: Path):
    path = write_observed(tmp_path)
    savemat(tmp_path / "Plane5.mat", {"Q": np.zeros(4)})
    with pytest.raises(DataError, match="Plane5.mat: expected an array of numbers P, got none"):
        read_observed(path)
    savemat(tmp_path / "Plane5.mat", {"P": np.zeros(3)})
    with pytest.raises(DataError, match="Plane5.mat: expected P, four finite numbers"):
        read_observed(path)
    (tmp_path / "Plane5.mat").unlink()
    with pytest.raises(DataError, match="Plane5.mat: expected a MATLAB file with P, got no such file"):
        read_observed(path)
    for content in (b"", b"MATLAB" * 50, path.read_bytes()[:180]):
        (tmp_path / "ObsMask6_10.mat").write_bytes(content)
        with pytest.raises(DataError, match="ObsMask6_10.mat: expected .*, got .") as raised:
            read_observed(tmp_path / "ObsMask6_10.mat")
        assert "\n" not in str(raised.value)
    # Version 7.3 is HDF5, which says so in its header.
    (tmp_path / "ObsMask7_10.mat").write_bytes(b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM" + bytes(400))
    with pytest.raises(DataError, match="expected a MATLAB file of version 5, got version 7.3.*save -v7"):
        read_observed(tmp_path / "ObsMask7_10.mat")
    with pytest.raises(DataError, match=r"expected a file named ObsMask\{scan\}_\{margin\}.mat, got Plane5.mat"):
        read_observed(tmp_path / "Plane5.mat")
