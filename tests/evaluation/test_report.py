from __future__ import annotations

from dataclasses import replace

import pytest

from scene3d.errors import DataError
from scene3d.evaluation.report import Report, load_report
from scene3d.structures.tables import Table

TABLE = Table(title="depth", columns=("abs_rel", "a1"), rows={"ours": (0.25, None)}, note="not scaled")
REPORT = Report(split="val", frames=3, protocol="S4C", tables=(TABLE,), provenance={"weights": "ab12"}, notes=("x",))


def test_a_report_comes_back_as_it_was(tmp_path):
    REPORT.save(tmp_path / "report.json")
    assert load_report(tmp_path / "report.json") == REPORT


def test_markdown_shows_what_is_missing_as_a_dash():
    text = REPORT.as_markdown()
    assert "| ours | 0.250 | - |" in text
    assert "protocol: S4C" in text and "- weights: ab12" in text


def test_figures_are_found_by_name():
    assert REPORT.figure("depth", "ours", "abs_rel") == 0.25
    with pytest.raises(KeyError, match="there are depth"):
        REPORT.figure("pose", "ours", "abs_rel")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tables": 3}', '{"tables": [], "notes": [], "new": 1}'])
def test_another_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "report.json"
    path.write_text(content)
    with pytest.raises(DataError, match="report.json"):
        load_report(path)
    with pytest.raises(DataError, match="no such file"):
        load_report(tmp_path / "none.json")


def test_a_protocol_is_named_only_where_completion_was_scored():
    assert "protocol: S4C" in REPORT.as_markdown()
    assert "protocol" not in replace(REPORT, protocol="").as_markdown()
