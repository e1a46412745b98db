"""Stored reports of completed scenes as one table, where they were scored on the same samples by the same rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from scene3d.errors import UsageError
from scene3d.evaluation.baselines import DEPTH_SHELL
from scene3d.evaluation.report import Report, table_markdown
from scene3d.evaluation.tables import CLASSES_TITLE, MIOU_OFF_GROUND, completion_title
from scene3d.structures.tables import Table

OURS = ("ours", "ours, threshold of the weights")
"""Rows of the method, the one with thresholds fitted on training data first."""

SOLID, OFF_GROUND = completion_title("solid"), completion_title("solid without ground")
FIGURES = (
    (SOLID, "IoU", "IoU"),
    (OFF_GROUND, "IoU", "IoU without ground"),
    (CLASSES_TITLE, "mIoU", "mIoU"),
    (CLASSES_TITLE, MIOU_OFF_GROUND, MIOU_OFF_GROUND),
)
"""Title of the table in a report, what its column begins with, and what it is called here."""


def results_tables(reports: Sequence[tuple[str, Report]]) -> list[Table]:
    """One table for each protocol and set of samples: a row a report, then the baselines and what was published.

    Figures of other protocols, or of other samples, are never put side by side.

    Args:
        reports: each with what its row is to be called.

    Raises:
        UsageError: a report has no figures of completion, or two rows of a table would have one name.
    """
    groups: dict[tuple[str, str, int, str], list[tuple[str, Report]]] = {}
    for name, report in reports:
        if not report.protocol or all(table.title != SOLID for table in report.tables):
            raise UsageError(f"{name}: expected a report of completed scenes, got one without")
        samples = report.provenance.get("samples", "")
        groups.setdefault((report.protocol, report.split, report.frames, samples), []).append((name, report))
    return [_table(key, group) for key, group in groups.items()]


def results_markdown(reports: Sequence[tuple[str, Report]]) -> str:
    """`results_tables` as text for a README.

    Raises:
        UsageError: as there.
    """
    return "\n\n".join(table_markdown(table) for table in results_tables(reports))


def _table(key: tuple[str, str, int, str], group: Sequence[tuple[str, Report]]) -> Table:
    protocol, split, frames, samples = key
    first = group[0][1]
    columns = list(_columns(first))
    rows: dict[str, tuple[float | None, ...]] = {}
    for name, report in group:
        if name in rows:
            raise UsageError(f"{name}: two reports have this name", hint="NAME=FILE gives another")
        rows[name] = tuple(_figure(report, title, OURS, column) for title, column, _ in columns)
    for other in _others(first):
        rows[other] = tuple(_figure(first, title, (other,), column) for title, column, _ in columns)
    weights = {name: report.provenance["weights"] for name, report in group if "weights" in report.provenance}
    note = f"{split}, {frames} frames{f' ({samples})' if samples else ''}"
    note += "".join(f"; {name}: {made}" for name, made in weights.items())
    table = Table(title=f"Completed scenes, {protocol}", columns=tuple(c[2] for c in columns), rows=rows, note=note)
    return _without_empty_columns(table)


def _columns(report: Report) -> Iterator[tuple[str, str, str]]:
    """Title, column and name of every figure at every range that the report has."""
    tables = {table.title: table for table in report.tables}
    solid = tables[SOLID].columns
    ranges = [column.removeprefix("IoU ") for column in solid if column.startswith("IoU ")]
    for title, begins, said in FIGURES:
        for extent in ranges:
            if title in tables and f"{begins} {extent}" in tables[title].columns:
                yield title, f"{begins} {extent}", f"{said} {extent}"


def _others(report: Report) -> list[str]:
    """Rows of baselines, then of published figures, in the order of the tables."""
    tables = [table for title in (SOLID, CLASSES_TITLE) for table in report.tables if table.title == title]
    names = dict.fromkeys(row for table in tables for row in table.rows)
    # That of predicted depth is another one for each report.
    others = [name for name in names if not name.startswith("ours") and name != DEPTH_SHELL]
    return sorted(others, key=lambda name: name.startswith("published"))


def _figure(report: Report, title: str, rows: Sequence[str], column: str) -> float | None:
    """The figure of the first of these rows that the table has."""
    for table in report.tables:
        if table.title == title and column in table.columns:
            for row in rows:
                if row in table.rows:
                    return table.rows[row][table.columns.index(column)]
    return None


def _without_empty_columns(table: Table) -> Table:
    kept = [i for i in range(len(table.columns)) if any(row[i] is not None for row in table.rows.values())]
    rows = {name: tuple(row[i] for i in kept) for name, row in table.rows.items()}
    return replace(table, columns=tuple(table.columns[i] for i in kept), rows=rows)
