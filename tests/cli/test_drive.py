"""A whole drive from a shell: a data set, a folder of images, a video."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scene3d.cli import main
from scene3d.data.images import read_depth
from tests.tiny import SIZE

NAMES = ("2013_05_28_drive_0000_sync", "2013_05_28_drive_0001_sync")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, list[str], str]:
    """Exit code, lines on stdout, stderr and warnings of a command."""
    code = main([str(word) for word in words])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two short streets of three frames."""
    root = tmp_path_factory.mktemp("data") / "streets"
    words = ["--streets", 2, "--frames", 3, "--size", *SIZE, "--fisheye", 0, "--voxels-every", 0, "--no-scans"]
    assert main([str(word) for word in ["data", "make-street", root, *words, "--workers", 1]]) == 0
    return root


def test_a_drive_of_a_data_set_is_written_and_every_file_is_named(capsys, streets: Path, tiny_weights: Path, tmp_path):
    out = tmp_path / "out"
    words = ["drive", tiny_weights, streets, "--scene", NAMES[0], "--out", out, "--no-open3d"]
    code, printed, err = run(capsys, *words)
    assert code == 0, err
    assert {Path(line) for line in printed[:-1]} == {path for path in out.rglob("*") if path.is_file()}
    assert printed[-1] == f"next: open {out / 'drive.html'} in a browser"
    assert read_depth(out / "depth" / "0000000002.png").shape == SIZE
    poses = np.loadtxt(out / "poses_kitti.txt")
    # The street is driven at about a metre a frame, along the camera's z.
    assert poses.shape == (3, 12) and 1.2 < poses[2, 11] < 3
    code, _, err = run(capsys, *words)
    assert code == 2 and f"{out}: exists already" in err
    assert run(capsys, *words, "--overwrite", "--every", 2)[0] == 0
    assert [line.split()[0] for line in (out / "poses_kitti.txt").read_text().splitlines()] == ["0", "2"]


def test_plain_images_have_depth_but_no_place_where_nobody_estimates_it(
    capsys, streets: Path, tiny_weights: Path, tmp_path: Path, caplog
):
    images = streets / "data_2d_raw" / NAMES[0] / "image_00" / "data_rect"
    out = tmp_path / "out"
    words = ["--out", out, "--no-open3d", "--K", 80, 80, 52, 16]
    code, printed, err = run(capsys, "drive", tiny_weights, images, *words)
    assert code == 0, err
    assert sum("/depth/" in line for line in printed) == 3
    assert len((out / "poses_kitti.txt").read_text().splitlines()) == 1
    assert "has no place in the drive: the data does not say" in caplog.text
    # The frame of a video has its number, whatever was left out before it.
    video = tmp_path / "again"
    code, printed, err = run(capsys, "drive", tiny_weights, out / "video.mp4", "--out", video, "--every", 2)
    assert code == 0, err
    assert [path.name for path in sorted((video / "depth").iterdir())] == ["0000000000.png", "0000000002.png"]


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["{tree}"], 2, f"expected the name of one of its drives, got none (hint: {', '.join(NAMES)})"),
        (["{tree}", "--scene", "2013_05_28_drive_0003_sync"], 2, "did you mean '2013_05_28_drive_000"),
        (["{tree}", "--scene", NAMES[0], "--K", "1", "1", "1", "1"], 2, "--K: "),
        (["{images}", "--scene", NAMES[0]], 2, "--scene: "),
        (["{images}", "--every", "0"], 2, "--every: expected 1 or more, got 0"),
        (["{tree}/none"], 3, "expected an image, a folder or a video, got no such file"),
        (["{tree}/data_2d_raw"], 3, "expected images"),
    ],
)
def test_a_wrong_input_is_one_line(capsys, streets, tiny_weights, tmp_path, words, code, message):
    images = streets / "data_2d_raw" / NAMES[0] / "image_00" / "data_rect"
    filled = [word.format(tree=streets, images=images) for word in words]
    found, printed, err = run(capsys, "drive", tiny_weights, *filled, "--out", tmp_path / "out")
    assert (found, printed) == (code, [])
    assert err.count("\n") == 1 and message in err
    assert not (tmp_path / "out").exists()
