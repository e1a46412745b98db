from __future__ import annotations

from pathlib import Path

import pytest

from scene3d.cli import main
from scene3d.errors import UsageError
from scene3d.evaluation.report import Report
from scene3d.evaluation.results import results_markdown, results_tables
from scene3d.structures.tables import Table


def report(iou: float, *, protocol: str = "street exact 15-class, not grown", samples: str = "2, sha256 ab") -> Report:
    solid = Table(
        title="completion, solid",
        columns=("IoU 12.8 m", "precision 12.8 m", "recall 12.8 m"),
        rows={
            "ours, threshold of the weights": (iou - 0.1, 0.5, 0.5),
            "ours": (iou, 0.5, 0.5),
            "published: Theirs": (0.4, None, None),
            "mean grid": (0.3, 0.5, 0.5),
        },
        note="",
    )
    classes = Table(
        title="classes of voxels",
        columns=("mIoU 12.8 m", "weighted mIoU 12.8 m"),
        rows={"ours": (iou / 5, 0.2), "ours, Hungarian oracle": (0.9, 0.9), "published: Theirs": (0.11, None)},
        note="",
    )
    provenance = {"weights": f"w{iou}, sha256 cd", "samples": samples}
    return Report(split="test", frames=2, protocol=protocol, tables=(solid, classes), provenance=provenance)


def test_reports_of_the_same_samples_stand_in_one_table_above_baselines_and_published_rows():
    (table,) = results_tables([("one", report(0.5)), ("two", report(0.6))])
    assert table.columns == ("IoU 12.8 m", "mIoU 12.8 m")
    assert list(table.rows) == ["one", "two", "mean grid", "published: Theirs"]
    assert table.rows["two"] == (0.6, 0.12)
    # What was matched on the scored data itself is no result.
    assert table.rows["mean grid"] == (0.3, None) and table.rows["published: Theirs"] == (0.4, 0.11)
    assert "two: w0.6, sha256 cd" in table.note


def test_other_protocols_and_other_samples_have_tables_of_their_own():
    other = report(0.5, protocol="S4C 15-class, grown 3x3x3")
    reports = [("a", report(0.5)), ("b", other), ("c", report(0.5, samples="2, x"))]
    assert [list(table.rows)[0] for table in results_tables(reports)] == ["a", "b", "c"]
    assert results_markdown(reports).count("### Completed scenes") == 3


def test_what_cannot_stand_in_a_table_is_refused():
    with pytest.raises(UsageError, match="two reports have this name"):
        results_tables([("a", report(0.5)), ("a", report(0.6))])
    depth = Report(split="test", frames=1, protocol="", tables=())
    with pytest.raises(UsageError, match="depth: expected a report of completed scenes"):
        results_tables([("depth", depth)])


def test_the_command_names_rows_by_folder_or_as_told(tmp_path: Path, capsys):
    for name in ("a", "b"):
        report(0.5).save(tmp_path / name / "evaluation_test.json")
    file = str(tmp_path / "b" / "evaluation_test.json")
    assert main(["results", str(tmp_path / "a" / "evaluation_test.json"), f"our best={file}"]) == 0
    printed = capsys.readouterr().out
    assert "| a | 0.500 | 0.100 |" in printed and "| our best | 0.500 | 0.100 |" in printed
    assert main(["results", str(tmp_path / "none.json")]) == 3
    assert "none.json: expected a report, got no such file" in capsys.readouterr().err
