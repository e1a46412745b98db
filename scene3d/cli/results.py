"""`scene3d results`: stored evaluations as the table of a README."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from scene3d.errors import UsageError


def results(
    reports: Annotated[tyro.conf.Positional[tuple[str, ...]], tyro.conf.arg(metavar="[NAME=]REPORT")],
) -> int:
    """Print one table of completed scenes from reports of `scene3d evaluate`, as Markdown.

    Reports are side by side only where protocol and samples are the same; else there is a table for each.

    Examples:
      scene3d results runs/street/evaluation_test.json
      scene3d results "one image=runs/a/evaluation_test.json" "three images=runs/b/evaluation_test.json"

    Args:
        reports: JSON files, each with a name for its row if you like; without, it is that of the file's folder.
    """
    from scene3d.evaluation.report import load_report
    from scene3d.evaluation.results import results_markdown

    if not reports:
        raise UsageError("expected at least one report", hint="scene3d evaluate writes RUN/evaluation_SPLIT.json")
    named = [_named(report) for report in reports]
    print(results_markdown([(name, load_report(file)) for name, file in named]))
    return 0


def _named(report: str) -> tuple[str, Path]:
    """The name of a row, and its file; a file may have an equals sign in its own name."""
    name, equals, file = report.partition("=")
    if equals and not Path(report).exists():
        return name, Path(file)
    return Path(report).resolve().parent.name, Path(report)
