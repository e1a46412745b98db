"""Figures laid out as the tables of a report: who made them down the side, what they are along the top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

from jaxtyping import Int
from torch import Tensor

from scene3d.evaluation.completion import GROUND_CLASSES, Counts, class_iou, mean_iou
from scene3d.evaluation.depth import DepthMetrics, mean_metrics, ratio_spread
from scene3d.evaluation.segmentation import accuracy, mean_label_iou
from scene3d.evaluation.surface import SurfaceScores
from scene3d.evaluation.uncertainty import GAUSSIAN
from scene3d.evaluation.views import ViewScores
from scene3d.structures.labels import CITYSCAPES, SSC
from scene3d.structures.tables import Table

DEPTH_TITLE = "depth"
DEVIATION_TITLE = "predicted deviation of the inverse depth"
CLASSES_TITLE = "classes of voxels"
CLASS_IOU_TITLE = "IoU of each class of voxels"
LABELS_TITLE = "classes of pixels"
VIEWS_TITLE = "rendered views"
SURFACE_TITLE = "surface"

REGION_NOTES = {
    "solid": "all cells that the truth knows",
    "shell": "occupied cells count only at the surface; what lies inside a solid is left out",
    "occluded": "only cells behind the first surface that the reference view meets",
}


def completion_title(region: str) -> str:
    """Title of the table of one region."""
    return f"completion, {region}"


def range_name(extent: float) -> str:
    """How a range is called in a column: "12.8 m"."""
    return f"{extent:.1f} m"


def depth_table(
    rows: Mapping[str, Sequence[DepthMetrics]], note: str, published: Mapping[str, tuple[float, ...]] | None = None
) -> Table:
    """The depth figures of each row, averaged over its images; published ones, which tell no scale, below."""
    columns = (*(f.name for f in fields(DepthMetrics)), "ratio_spread")
    values: dict[str, tuple[float | None, ...]] = {
        name: (*astuple(mean_metrics(images)), ratio_spread(images)) for name, images in rows.items() if images
    }
    for name, figures in (published or {}).items():
        values[f"published: {name}"] = (*figures, *[None] * (len(columns) - len(figures)))
    return Table(title=DEPTH_TITLE, columns=columns, rows=values, note=note)


def views_table(rows: Mapping[str, Sequence[ViewScores]], note: str) -> Table:
    """Figures of rendered views, each averaged over the views that have it."""
    columns = ("PSNR", "SSIM", "PSNR in mask", "SSIM in mask", "PSNR outside", "silhouette IoU")
    values = {}
    for name, views in rows.items():
        found = [
            [figure for figure in column if figure is not None] for column in zip(*map(astuple, views), strict=True)
        ]
        values[name] = tuple(sum(column) / len(column) if column else None for column in found)
    return Table(title=VIEWS_TITLE, columns=columns, rows=values, note=note)


def surface_table(rows: Mapping[str, SurfaceScores], note: str) -> Table:
    """Figures of surfaces against a true one."""
    columns = ("accuracy", "completeness", "Chamfer", "precision", "recall", "F-score")
    values = {
        name: (s.accuracy, s.completeness, s.chamfer, s.precision, s.recall, s.f_score) for name, s in rows.items()
    }
    return Table(title=SURFACE_TITLE, columns=columns, rows=values, note=note)


def completion_table(region: str, rows: Mapping[str, Mapping[float, Counts]], protocol: str) -> Table:
    """IoU, precision and recall of one region at every range."""
    ranges = next(iter(rows.values())).keys()
    columns = tuple(f"{what} {range_name(r)}" for r in ranges for what in ("IoU", "precision", "recall"))
    note = f"{protocol}: {REGION_NOTES[region.split()[0]]}"
    if region.endswith("without ground"):
        note += "; cells whose truth is road, sidewalk or terrain are left out, whatever is predicted in them"
    values = {
        name: tuple(figure for c in counts.values() for figure in (c.iou, c.precision, c.recall))
        for name, counts in rows.items()
    }
    return Table(title=completion_title(region), columns=columns, rows=values, note=note)


def classes_tables(rows: Mapping[str, Mapping[float, Int[Tensor, "C C"]]], protocol: str) -> list[Table]:
    """Mean IoU over the 15 classes and over those that are not ground, and the IoU of each class."""
    ranges = next(iter(rows.values())).keys()
    others = [i for i in range(1, len(SSC)) if i not in GROUND_CLASSES]
    miou = {
        name: tuple(
            figure
            for matrix in matrices.values()
            for figure in (mean_iou(matrix), class_iou(matrix)[others].mean().item())
        )
        for name, matrices in rows.items()
    }
    each = {
        f"{name}, {range_name(extent)}": tuple(class_iou(matrix)[1:].tolist())
        for name, matrices in rows.items()
        for extent, matrix in matrices.items()
    }
    columns = tuple(f"{what} {range_name(r)}" for r in ranges for what in ("mIoU", "mIoU without ground classes"))
    note = f"{protocol}: solid cells; absent classes count as 0"
    return [
        Table(title=CLASSES_TITLE, columns=columns, rows=miou, note=note),
        Table(title=CLASS_IOU_TITLE, columns=SSC.classes[1:], rows=each, note=note),
    ]


def labels_table(rows: Mapping[str, Int[Tensor, "C C"]]) -> Table:
    """Accuracy and mIoU of pixels, with the IoU of each class."""
    values = {
        name: (accuracy(matrix), mean_label_iou(matrix), *class_iou(matrix).tolist()) for name, matrix in rows.items()
    }
    columns = ("accuracy", "mIoU", *CITYSCAPES.classes)
    note = "Cityscapes classes of the reference view; absent classes count as 0 in the mean"
    return Table(title=LABELS_TITLE, columns=columns, rows=values, note=note)


def deviation_table(inside: Sequence[tuple[float, float]]) -> Table:
    """Share of pixels whose error lies within one and two predicted deviations, mean over images."""
    one, two = (sum(each[i] for each in inside) / len(inside) for i in (0, 1))
    return Table(
        title=DEVIATION_TITLE,
        columns=("inside one", "inside two"),
        rows={"ours": (one, two), "a Gaussian": GAUSSIAN},
        note="mean over images; medians are brought together first where the method has no scale",
    )
