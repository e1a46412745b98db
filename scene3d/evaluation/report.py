"""A report: named tables of figures, ours beside the baselines, with all it takes to make them again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scene3d.data.images import write_bytes
from scene3d.errors import wrong_file
from scene3d.structures.tables import Table


@dataclass(frozen=True, kw_only=True)
class Report:
    """What an evaluation found.

    Attributes:
        split: which data was scored: "train", "val", "test".
        frames: how many frames of it.
        protocol: rules of the completion figures, as they are named in papers; empty where there are none.
        tables: the figures.
        provenance: what made them: command, sha256 of the weights, versions, seeds.
        notes: what was left out, and why.
    """

    split: str
    frames: int
    protocol: str
    tables: tuple[Table, ...]
    provenance: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def figure(self, title: str, row: str, column: str) -> float | None:
        """One figure by the names of its table, row and column."""
        for table in self.tables:
            if table.title == title:
                return table.rows[row][table.columns.index(column)]
        raise KeyError(f"{title}: no such table; there are {', '.join(table.title for table in self.tables)}")

    def as_markdown(self) -> str:
        """The report as text for a terminal or a README."""
        rules = f", protocol: {self.protocol}" if self.protocol else ""
        parts = [f"split {self.split}, {self.frames} frames{rules}", *self.notes]
        parts += [table_markdown(table) for table in self.tables]
        parts.append("\n".join(f"- {name}: {value}" for name, value in self.provenance.items()))
        return "\n\n".join(part for part in parts if part)

    def save(self, path: Path | str) -> None:
        """Write the report as JSON, whole or not at all; a file of that name is replaced.

        Raises:
            DataError: the disk is full, or the folder cannot be written to.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, json.dumps(asdict(self), indent=1).encode())


def load_report(path: Path | str) -> Report:
    """A report from its JSON file.

    Raises:
        DataError: the file is missing, is not JSON, or is not a report.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        tables = tuple(
            Table(
                title=str(table["title"]),
                columns=tuple(table["columns"]),
                rows={name: tuple(values) for name, values in table["rows"].items()},
                note=str(table["note"]),
            )
            for table in content["tables"]
        )
        return Report(**{**content, "tables": tables, "notes": tuple(content["notes"])})
    except FileNotFoundError:
        raise wrong_file(path, expected="a report", got="no such file") from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise wrong_file(path, expected="a report written by scene3d evaluate", got=f"{error}") from error


def table_markdown(table: Table) -> str:
    """A table as Markdown, its title as a heading."""
    lines = [f"### {table.title}"]
    if table.note:
        lines += [table.note, ""]
    lines += ["| | " + " | ".join(table.columns) + " |", "|---|" + "---:|" * len(table.columns)]
    for name, values in table.rows.items():
        lines.append(f"| {name} | " + " | ".join("-" if v is None else f"{v:.3f}" for v in values) + " |")
    return "\n".join(lines)
