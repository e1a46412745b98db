from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from scene3d.data.sscbench import (
    check_label_map,
    classes_of,
    find_voxels,
    raw_ids_of,
    read_classes,
    read_invalid,
    read_raw_labels,
    read_voxels,
    write_classes,
    write_voxels,
)
from scene3d.errors import DataError
from scene3d.structures.labels import SSC, SSCBENCH
from scene3d.structures.scene import VoxelFile

SHAPE = (256, 256, 32)


def grids() -> tuple[torch.Tensor, torch.Tensor]:
    """Four cells of a row: a seen car, a hidden car, seen air, hidden air; everything else is hidden air."""
    raw = torch.zeros(SHAPE, dtype=torch.int32)
    invalid = torch.ones(SHAPE, dtype=torch.bool)
    raw[0, 0, :2] = 10
    invalid[0, 0, 0] = invalid[0, 0, 2] = False
    return raw, invalid


def test_a_label_stays_under_the_mask_and_unlabelled_cells_do_not():
    raw, invalid = grids()
    assert classes_of(raw, invalid)[0, 0, :4].tolist() == [1, 1, 0, 255]


def test_the_observed_cells_alone_can_be_asked_for():
    raw, invalid = grids()
    assert classes_of(raw, invalid, observed_only=True)[0, 0, :4].tolist() == [1, 255, 0, 255]


@pytest.mark.parametrize(
    ("raw", "name"),
    [(10, "car"), (252, "car"), (258, "truck"), (257, "other-vehicle"), (254, "person"), (60, "road")]
    + [(48, "sidewalk"), (52, "other-structure"), (99, "other-object"), (81, "traffic-sign")],
)
def test_raw_ids_mean_the_classes_of_the_data_set(raw, name):
    grid = torch.full(SHAPE, raw, dtype=torch.int32)
    assert (classes_of(grid, torch.zeros(SHAPE, dtype=torch.bool)) == SSCBENCH.index(name)).all()


@pytest.mark.parametrize("raw", [1, 31, 32, 71, 253, 255, 65535])
def test_raw_ids_without_a_class_are_ignored(raw):
    grid = torch.full(SHAPE, raw, dtype=torch.int32)
    assert (classes_of(grid, torch.zeros(SHAPE, dtype=torch.bool)) == 255).all()


@pytest.mark.parametrize("space", [SSCBENCH, SSC])
def test_raw_ids_of_classes_lead_back_to_the_class_of_that_name(space):
    classes = torch.zeros(SHAPE, dtype=torch.int64)
    classes[0, 0, : len(space)] = torch.arange(len(space))
    back = classes_of(raw_ids_of(classes, space).int(), torch.zeros(SHAPE, dtype=torch.bool))
    names = [SSCBENCH.classes[index] for index in back[0, 0, : len(space)]]
    assert names == list(space.classes)


def test_ignored_cells_are_written_without_a_label():
    assert (raw_ids_of(torch.full(SHAPE, 255)) == 0).all()


def test_the_bytes_are_those_of_the_format(tmp_path: Path):
    raw, invalid = grids()
    raw[1, 2, 3] = 258  # 0x0102: the low byte comes first
    write_voxels(tmp_path / "v" / "000005.label", raw, invalid=invalid)
    data = (tmp_path / "v" / "000005.label").read_bytes()
    cell = 2 * (1 * 256 * 32 + 2 * 32 + 3)
    assert len(data) == 4_194_304 and data[:4] == b"\x0a\x00\x0a\x00" and data[cell : cell + 2] == b"\x02\x01"
    mask = (tmp_path / "v" / "000005.invalid").read_bytes()
    assert len(mask) == 2_097_152 and mask[:4] == b"\x00\x01\x00\x01"


def test_what_is_written_is_read_back(tmp_path: Path):
    raw, invalid = grids()
    path = tmp_path / "000005.label"
    write_voxels(path, raw, invalid=invalid)
    assert torch.equal(read_raw_labels(path), raw) and torch.equal(read_invalid(path.with_suffix(".invalid")), invalid)
    npy = tmp_path / "000005_1_1.npy"
    write_classes(npy, classes_of(raw, invalid))
    assert np.load(npy).dtype == np.float32
    from_label = VoxelFile(labels=path, invalid=path.with_suffix(".invalid"), frame=0)
    assert torch.equal(read_voxels(from_label), read_voxels(VoxelFile(labels=npy, frame=0)))
    assert (read_voxels(from_label, observed_only=True)[0, 0, :4] == torch.tensor([1, 255, 0, 255])).all()
    assert read_voxels(replace(from_label, invalid=None))[0, 0, 3] == 0


def test_a_packed_mask_has_its_first_cell_in_the_highest_bit(tmp_path: Path):
    path = tmp_path / "000000.invalid"
    path.write_bytes(b"\x90" + bytes(262_143))  # 1001 0000
    mask = read_invalid(path)
    assert mask[0, 0, :8].tolist() == [True, False, False, True, False, False, False, False] and mask.sum() == 2


def test_a_mask_of_neither_size_is_refused_with_both(tmp_path: Path):
    path = tmp_path / "000000.invalid"
    path.write_bytes(bytes(1000))
    with pytest.raises(DataError, match=r"000000\.invalid: expected 2097152 bytes.* or 262144 bytes.*got 1000 bytes"):
        read_invalid(path)


def test_a_label_file_of_another_size_is_refused_with_the_right_one(tmp_path: Path):
    path = tmp_path / "000000.label"
    path.write_bytes(bytes(4_194_303))
    with pytest.raises(DataError, match=r"000000\.label: expected 4194304 bytes.*got 4194303 bytes"):
        read_raw_labels(path)


def test_a_missing_label_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"000000\.label: expected voxel labels, got No such file"):
        read_raw_labels(tmp_path / "000000.label")


@pytest.mark.parametrize(
    ("array", "complaint"),
    [
        (np.zeros((128, 128, 16), np.float32), "shape"),
        (np.full(SHAPE, 19, np.float32), "classes 0 to 18"),
        (np.full(SHAPE, 0.5, np.float32), "classes 0 to 18"),
        (np.full(SHAPE, np.nan, np.float32), "classes 0 to 18"),
        (np.full(SHAPE, 256, np.float32), "classes 0 to 18"),
        (np.full(SHAPE, "a"), "numbers"),
    ],
)
def test_an_npy_that_does_not_hold_classes_is_refused(tmp_path: Path, array, complaint):
    np.save(tmp_path / "000000_1_1.npy", array)
    with pytest.raises(DataError, match=complaint):
        read_classes(tmp_path / "000000_1_1.npy")


def test_an_npy_of_pickled_objects_is_refused(tmp_path: Path):
    np.save(tmp_path / "000000_1_1.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(DataError, match="000000_1_1.npy"):
        read_classes(tmp_path / "000000_1_1.npy")


def test_a_truncated_npy_is_refused(tmp_path: Path):
    path = tmp_path / "000000_1_1.npy"
    np.save(path, np.zeros(SHAPE, np.float32))
    path.write_bytes(path.read_bytes()[:100_000])
    with pytest.raises(DataError, match="000000_1_1.npy"):
        read_classes(path)


def test_an_npy_no_longer_knows_what_was_observed(tmp_path: Path):
    with pytest.raises(DataError, match="without a mask"):
        read_voxels(VoxelFile(labels=tmp_path / "000000_1_1.npy", frame=0), observed_only=True)


def test_nothing_is_overwritten_unasked(tmp_path: Path):
    raw, invalid = grids()
    path = tmp_path / "000000.label"
    write_voxels(path, raw, invalid=invalid)
    with pytest.raises(DataError, match="exists"):
        write_voxels(path, raw)
    write_voxels(path, raw + 1, overwrite=True)
    assert torch.equal(read_raw_labels(path), raw + 1)


def test_a_grid_of_another_shape_is_not_written(tmp_path: Path):
    with pytest.raises(DataError, match=r"\(256, 256, 32\)"):
        write_voxels(tmp_path / "000000.label", torch.zeros(2, 2, 2, dtype=torch.int32))
    assert not list(tmp_path.iterdir())


def test_labels_with_their_mask_are_preferred_and_an_npy_stands_in(tmp_path: Path):
    voxels, made = tmp_path / "data_2d_raw" / "seq" / "voxels", tmp_path / "preprocess" / "labels" / "seq"
    for folder in (voxels, made):
        folder.mkdir(parents=True)
    for name in ("000000.label", "000000.invalid", "000005.label"):
        (voxels / name).touch()
    for name in ("000000_1_1.npy", "000005_1_1.npy", "000010_1_1.npy", "000010_1_8.npy"):
        (made / name).touch()
    assert find_voxels(tmp_path, "seq") == {
        0: (voxels / "000000.label", voxels / "000000.invalid"),
        5: (made / "000005_1_1.npy", None),
        10: (made / "000010_1_1.npy", None),
    }


def test_a_label_file_without_its_mask_is_an_error_where_no_npy_stands_in(tmp_path: Path):
    voxels = tmp_path / "data_2d_raw" / "seq" / "voxels"
    voxels.mkdir(parents=True)
    (voxels / "000000.label").touch()
    with pytest.raises(DataError, match=r"000000\.invalid"):
        find_voxels(tmp_path, "seq")


def test_a_sequence_without_voxels_has_none(tmp_path: Path):
    assert find_voxels(tmp_path, "seq") == {}


def npy_grids(folder: Path, *highest: int) -> list[VoxelFile]:
    """Grids of empty and ignored cells, with one cell of each of these classes."""
    paths = [folder / f"{5 * i:06d}_1_1.npy" for i in range(len(highest))]
    for path, value in zip(paths, highest, strict=True):
        grid = torch.zeros(SHAPE, dtype=torch.int64)
        grid[0, 0, 0], grid[0, 0, 1] = value, 255
        write_classes(path, grid)
    return [VoxelFile(labels=path, frame=i) for i, path in enumerate(paths)]


def test_grids_made_with_the_label_map_of_nuscenes_are_told_by_their_highest_class(tmp_path: Path):
    with pytest.raises(DataError, match=r"none above 10 in 3 grids.*nuScenes.*hint: the corrected files"):
        check_label_map(npy_grids(tmp_path, 1, 10, 7))


def test_grids_of_the_right_map_or_of_nothing_at_all_pass(tmp_path: Path):
    check_label_map(npy_grids(tmp_path, 1, 10, 13))
    check_label_map(npy_grids(tmp_path / "empty", 0, 0))
    check_label_map([])


def test_raw_ids_of_another_map_are_refused(tmp_path: Path):
    raw = torch.zeros(SHAPE, dtype=torch.int32)
    raw[0, 0, :3] = torch.tensor([2, 3, 8])
    write_voxels(tmp_path / "000000.label", raw)
    with pytest.raises(DataError, match=r"000000\.label: expected raw ids of SSCBench, got none but 2, 3, 8"):
        read_voxels(VoxelFile(labels=tmp_path / "000000.label", frame=0))
