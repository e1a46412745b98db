from __future__ import annotations

import json
from pathlib import Path

import pytest

from scene3d.cli import main


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """An estimate whose fourth frame lies 1 m aside, and the truth: a metre a frame along z."""
    for name, aside in (("estimate", 1), ("true", 0)):
        lines = [f"1 0 0 {aside if z == 3 else 0} 0 1 0 0 0 0 1 {z}" for z in range(6)]
        (tmp_path / f"{name}.txt").write_text("\n".join(lines))
    return [str(tmp_path / "estimate.txt"), str(tmp_path / "true.txt")]


def test_a_trajectory_is_scored_and_written_down(capsys, files: list[str], tmp_path: Path):
    out = tmp_path / "scores.json"
    assert main(["trajectory", *files, "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "### positions (ATE)" in printed and "snippets of 5 frames" in printed
    (positions, *_) = json.loads(out.read_text())["tables"]
    # One of six is 1 m off: rmse sqrt(1/6), and the largest is 1.
    assert positions["rows"]["none"][0] == pytest.approx((1 / 6) ** 0.5)
    assert main(["trajectory", *files, "--out", str(out)]) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_the_wrong_layout_is_one_line(capsys, files: list[str]):
    assert main(["trajectory", *files, "--layout", "tum"]) == 3
    printed = capsys.readouterr().err
    assert "expected 8 numbers on line 1, got 12" in printed and printed.count("\n") == 1
