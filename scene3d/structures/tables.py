"""Figures with their names: made by evaluation, shown by reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """Figures of one kind.

    Attributes:
        title: what is measured, on which cells or pixels.
        columns: names of the figures.
        rows: figures under the name of who made them; None where one does not apply.
        note: what a reader must know to compare them with others'.
    """

    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]
    note: str = ""
