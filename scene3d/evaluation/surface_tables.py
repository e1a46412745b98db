"""Figures of surfaces and of their views laid out as the tables of a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple

from scene3d.evaluation.normals import LIMITS, NormalScores
from scene3d.evaluation.surface import SurfaceScores
from scene3d.evaluation.views import ViewScores
from scene3d.structures.tables import Table

VIEWS_TITLE = "rendered views"
NORMALS_TITLE = "normals"
SURFACE_TITLE = "surface"


def views_table(rows: Mapping[str, Sequence[ViewScores]], note: str) -> Table:
    """Figures of rendered views, each averaged over the views that have it."""
    columns = ("PSNR", "SSIM", "PSNR in mask", "SSIM in mask", "PSNR outside", "silhouette IoU")
    values: dict[str, tuple[float | None, ...]] = {}
    for name, views in rows.items():
        figures = zip(*map(astuple, views), strict=True)
        found = [[figure for figure in column if figure is not None] for column in figures]
        values[name] = tuple(sum(column) / len(column) if column else None for column in found)
    return Table(title=VIEWS_TITLE, columns=columns, rows=values, note=note)


def normals_table(rows: Mapping[str, Sequence[NormalScores]], note: str) -> Table:
    """Figures of rendered normals, each averaged over the views."""
    columns = ("mean angle", "median angle", *(f"within {limit:g}" for limit in LIMITS))
    values: dict[str, tuple[float | None, ...]] = {}
    for name, views in rows.items():
        figures = zip(*((view.mean, view.median, *view.within) for view in views), strict=True)
        values[name] = tuple(sum(column) / len(column) for column in figures)
    return Table(title=NORMALS_TITLE, columns=columns, rows=values, note=note)


def surface_table(rows: Mapping[str, SurfaceScores], note: str) -> Table:
    """Figures of surfaces against a true one."""
    columns = ("accuracy", "completeness", "Chamfer", "precision", "recall", "F-score")
    values: dict[str, tuple[float | None, ...]] = {
        name: (s.accuracy, s.completeness, s.chamfer, s.precision, s.recall, s.f_score) for name, s in rows.items()
    }
    return Table(title=SURFACE_TITLE, columns=columns, rows=values, note=note)
