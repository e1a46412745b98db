from __future__ import annotations

from pathlib import Path

import pytest

from scene3d.data.split_from_tree import recorded_speeds, samples_of_tree
from scene3d.errors import DataError
from tests.data.small_trees import write_odometry, write_raw

DRIVE = "2011_09_26_drive_0001_sync"


def drive_at(root: Path, *speeds: tuple[float, float]) -> None:
    """A raw drive whose records say these velocities to the north and the east."""
    folder = write_raw(root, range(len(speeds)))
    for frame, (north, east) in enumerate(speeds):
        path = folder / "oxts" / "data" / f"{frame:010d}.txt"
        record = path.read_text().split()
        record[6:8] = [str(north), str(east)]
        path.write_text(" ".join(record))


def test_every_frame_with_its_neighbours_is_a_sample_from_both_sides(tmp_path: Path):
    write_raw(tmp_path, [0, 1, 2, 3, 5])
    # 0 has none before it, 3 and 5 lack frame 4.
    assert list(map(str, samples_of_tree(tmp_path))) == [
        f"{DRIVE} 0000000001 left",
        f"{DRIVE} 0000000001 right",
        f"{DRIVE} 0000000002 left",
        f"{DRIVE} 0000000002 right",
    ]
    assert len(samples_of_tree(tmp_path, neighbours=0, sides=("right",))) == 5


def test_frames_of_a_car_that_stands_are_left_out(tmp_path: Path):
    drive_at(tmp_path, (0, 0), (3, 4), (0.1, 0), (0, 0.6), (9, 0))
    assert recorded_speeds(tmp_path, DRIVE) == pytest.approx({0: 0, 1: 5, 2: 0.1, 3: 0.6, 4: 9})
    moving = samples_of_tree(tmp_path, sides=("left",), slowest=0.5)
    assert [sample.frame for sample in moving] == [1, 3]
    with pytest.raises(DataError, match="no frame of its 1 drives is left"):
        samples_of_tree(tmp_path, slowest=10.0)


def test_drives_of_another_list_are_left_out(tmp_path: Path):
    for name in ("00", "01"):
        write_odometry(tmp_path, name=name)
    assert {sample.drive for sample in samples_of_tree(tmp_path, without={"01"})} == {"00"}


def test_a_speed_that_nobody_recorded_is_not_made_up(tmp_path: Path):
    write_odometry(tmp_path)
    with pytest.raises(DataError, match="OXTS records of 00, which say its speed, got none"):
        samples_of_tree(tmp_path, slowest=0.5)
