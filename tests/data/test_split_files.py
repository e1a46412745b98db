from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from scene3d.data.split_files import (
    KNOWN_COUNTS,
    Sample,
    check_count,
    list_hash,
    read_split,
    shared_frames,
    write_split,
)
from scene3d.errors import DataError

DRIVE = "2011_09_26_drive_0002_sync"


def a_list(folder: Path, *lines: str) -> Path:
    path = folder / "list.txt"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_lines_of_the_published_lists_are_understood(tmp_path: Path):
    path = a_list(
        tmp_path,
        f"2011_09_26/{DRIVE} 0000000069 l",
        f"2011_09_26/{DRIVE} 69 r",
        "",
        "9 12 r",
        "10 000003 l",
        f"{DRIVE} 7",
        f"{DRIVE} 8 fisheye_left",
    )
    assert read_split(path) == (
        Sample(DRIVE, 69, "left"),
        Sample(DRIVE, 69, "right"),
        Sample("09", 12, "right"),
        Sample("10", 3, "left"),
        Sample(DRIVE, 7, "left"),
        Sample(DRIVE, 8, "fisheye_left"),
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["d 1 l", "d"], "DRIVE FRAME SIDE on line 2, got d"),
        (["d one l"], "DRIVE FRAME SIDE on line 1, got d one l"),
        (["d 1 l extra"], "DRIVE FRAME SIDE on line 1"),
        (["d 1 l", "d 2 l", "a/d 01 l"], "every sample once, got d 0000000001 left on lines 1 and 3"),
        ([""], "lines of DRIVE FRAME SIDE, got none"),
    ],
)
def test_a_damaged_list_is_named_in_one_line(tmp_path: Path, lines: list[str], said: str):
    with pytest.raises(DataError) as caught:
        read_split(a_list(tmp_path, *lines))
    assert said in str(caught.value) and "list.txt" in str(caught.value) and "\n" not in str(caught.value)


def test_a_list_is_written_in_one_form_with_a_hash_that_sha256sum_checks(tmp_path: Path):
    samples = [Sample("b", 2, "right"), Sample("a", 10), Sample("a", 9)]
    digest = write_split(tmp_path / "new" / "mine.txt", samples)
    text = (tmp_path / "new" / "mine.txt").read_text()
    assert text == "a 0000000009 left\na 0000000010 left\nb 0000000002 right\n"
    assert digest == hashlib.sha256(text.encode()).hexdigest() == list_hash(map(str, samples))
    done = subprocess.run(["sha256sum", "-c", "mine.txt.sha256"], cwd=tmp_path / "new", capture_output=True, text=True)
    assert done.stdout == "mine.txt: OK\n"
    assert sorted(read_split(tmp_path / "new" / "mine.txt")) == sorted(samples)


def test_the_hash_does_not_depend_on_the_order_and_does_on_the_side():
    one, other = Sample("a", 1), Sample("a", 2)
    assert list_hash([one, other]) == list_hash([other, one])
    assert list_hash([one]) != list_hash([Sample("a", 1, "right")])


def test_a_list_of_another_length_than_the_known_one_is_refused():
    samples = [Sample("a", frame) for frame in range(KNOWN_COUNTS["eigen test"])]
    check_count(samples, "eigen test", "list.txt")
    with pytest.raises(DataError, match="the 697 samples of eigen test, got 696"):
        check_count(samples[1:], "eigen test", "list.txt")


def test_lists_share_a_frame_whichever_side_they_see_it_from():
    train = [Sample("a", 1), Sample("a", 2), Sample("b", 1)]
    assert shared_frames(train, [Sample("a", 2, "right"), Sample("b", 2)]) == ["a 0000000002"]
    assert shared_frames(train, [Sample("c", 1)]) == []
