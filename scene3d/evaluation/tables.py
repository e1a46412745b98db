"""Figures laid out as the tables of a report: who made them down the side, what they are along the top."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, fields

from jaxtyping import Int
from torch import Tensor

from scene3d.evaluation.calibration import BINS, Reliability
from scene3d.evaluation.class_figures import class_iou, class_precision, class_recall, mean_iou, weighted_iou
from scene3d.evaluation.completion import Counts
from scene3d.evaluation.consistency import Agreement
from scene3d.evaluation.depth import DepthMetrics, mean_metrics, ratio_spread
from scene3d.evaluation.occupancy import SCANS, SliceFigures, mean_slice_figures
from scene3d.evaluation.protocols import Protocol
from scene3d.evaluation.published import PublishedCompletion
from scene3d.evaluation.segmentation import accuracy, mean_iou_of_present, mean_label_iou
from scene3d.evaluation.uncertainty import GAUSSIAN
from scene3d.structures.labels import CITYSCAPES
from scene3d.structures.tables import Table

DEPTH_TITLE = "depth"
DEVIATION_TITLE = "predicted deviation of the inverse depth"
CLASSES_TITLE = "classes of voxels"
EACH_CLASS_TITLE = "each class of voxels"
AGREEMENT_TITLE = "agreement of frames about classes of voxels"
LABELS_TITLE = "classes of pixels"
CALIBRATION_TITLE = "probability of being occupied"
SLICE_TITLE = "occupancy of a slice of the street"
RELIABILITY_TITLE = "reliability of that probability"

PRESENT_MIOU = "mIoU of present classes"
MIOU_OFF_GROUND = "mIoU without ground classes"
NAMES_NOTE = (
    "names of clusters are those stored with the weights (direct matching, on validation data); a row that says "
    "Hungarian is matched on what is scored itself, so it is a bound and no result"
)

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


def completion_table(
    region: str,
    rows: Mapping[str, Mapping[float, Counts]],
    protocol: str,
    published: PublishedCompletion | None = None,
) -> Table:
    """IoU, precision and recall of one region at every range; published IoU below, where there is any."""
    ranges = next(iter(rows.values())).keys()
    columns = tuple(f"{what} {range_name(r)}" for r in ranges for what in ("IoU", "precision", "recall"))
    note = f"{protocol}: {REGION_NOTES[region.split()[0]]}"
    if region.endswith("without ground"):
        note += (
            "; cells whose truth is a ground class (road, sidewalk, terrain and the like) are left out, whatever is "
        )
        note += "predicted in them"
    values: dict[str, tuple[float | None, ...]] = {
        name: tuple(figure for c in counts.values() for figure in (c.iou, c.precision, c.recall))
        for name, counts in rows.items()
    }
    for name, figures in (published.iou if published else {}).items():
        values[f"published: {name}"] = tuple(v for r in ranges for v in (figures.get(r), None, None))
    return Table(
        title=completion_title(region), columns=columns, rows=values, note=note + (published.note if published else "")
    )


def classes_tables(
    rows: Mapping[str, Mapping[float, Int[Tensor, "C C"]]],
    protocol: Protocol,
    title: str,
    published: PublishedCompletion | None = None,
) -> list[Table]:
    """Mean IoU over the protocol's classes, weighted by frequency, and over those off the ground; then those of each.

    Of each class there are IoU, precision and recall.

    Args:
        rows: confusion of each range, the true classes down.
        protocol: says which classes there are.
        title: of the protocol, for the notes.
        published: figures that stand below ours.
    """
    ranges = next(iter(rows.values())).keys()
    others = [i for i in range(1, len(protocol.space)) if i not in protocol.ground]
    miou: dict[str, tuple[float | None, ...]] = {}
    each: dict[str, tuple[float | None, ...]] = {}
    for name, matrices in rows.items():
        figures: list[float] = []
        for extent, matrix in matrices.items():
            iou = class_iou(matrix, protocol.slack)
            off_ground = iou[others].mean().item()
            figures += mean_iou(matrix, protocol.slack), weighted_iou(matrix, protocol.slack), off_ground
            of_each = {"IoU": iou, "precision": class_precision(matrix), "recall": class_recall(matrix)}
            each |= {f"{name}, {what}, {range_name(extent)}": tuple(v[1:].tolist()) for what, v in of_each.items()}
        miou[name] = tuple(figures)
    for name, known in (published.miou if published else {}).items():
        miou[f"published: {name}"] = tuple(v for r in ranges for v in (known.get(r), None, None))
    columns = tuple(f"{what} {range_name(r)}" for r in ranges for what in ("mIoU", "weighted mIoU", MIOU_OFF_GROUND))
    note = f"{title}: solid cells; {len(protocol.space) - 1} classes, absent ones count as 0; weights are the classes' "
    note += f"shares of the scored truth; {NAMES_NOTE}"
    return [
        Table(title=CLASSES_TITLE, columns=columns, rows=miou, note=note + (published.note if published else "")),
        Table(title=EACH_CLASS_TITLE, columns=protocol.space.classes[1:], rows=each, note=note),
    ]


def agreement_table(rows: Mapping[str, Mapping[float, Agreement]]) -> Table:
    """How often two frames that see the same cell say the same of it, at every range."""
    ranges = next(iter(rows.values())).keys()
    figures = ("same class", "same class by chance", "both occupied")
    values = {
        name: tuple(v for each in sums.values() for v in (each.classes, each.by_chance, each.occupied))
        for name, sums in rows.items()
    }
    note = (
        "pairs of frames that see a cell; of those that both call it occupied: the share that say the same class, and "
        "what it would be if classes were said as often but anywhere; of those where one does: the share where both do"
    )
    columns = tuple(f"{what} {range_name(r)}" for r in ranges for what in figures)
    return Table(title=AGREEMENT_TITLE, columns=columns, rows=values, note=note)


def calibration_tables(rows: Mapping[str, Mapping[float, Reliability]], protocol: str) -> list[Table]:
    """Expected calibration error and Brier score at every range, and the reliability curve over the widest one."""
    ranges = next(iter(rows.values())).keys()
    values = {name: tuple(v for each in sums.values() for v in (each.error, each.brier)) for name, sums in rows.items()}
    note = f"{protocol}: cells that the truth knows, not grown; curves were fitted on training data"
    curves: dict[str, tuple[float | None, ...]] = {}
    for name, sums in rows.items():
        widest = sums[max(ranges)]
        for what, part in (("said", widest.said), ("came true", widest.occupied), ("cells", widest.cells)):
            per = widest.cells.sum() if what == "cells" else widest.cells
            shares = (part / per.clamp(min=1)).tolist()
            curves[f"{name}, {what}"] = tuple(
                share if n or what == "cells" else None for share, n in zip(shares, widest.cells.tolist(), strict=True)
            )
    bins = tuple(f"to {(i + 1) / BINS:.2f}" for i in range(BINS))
    return [
        Table(
            title=CALIBRATION_TITLE,
            columns=tuple(f"{what} {range_name(r)}" for r in ranges for what in ("ECE", "Brier")),
            rows=values,
            note=f"{note}; expected calibration error over {BINS} bins, and mean squared error",
        ),
        Table(
            title=RELIABILITY_TITLE,
            columns=bins,
            rows=curves,
            note=f"{note}; {range_name(max(ranges))}: mean of what was said, share of cells occupied, share of cells",
        ),
    ]


def slice_table(rows: Mapping[str, Sequence[SliceFigures]]) -> Table:
    """The figures of Behind the Scenes, mean over frames."""
    names = {"o": "O", "ie": "IE", "acc": "acc", "prec": "prec", "rec": "rec"}
    columns = tuple("_".join(names[part] for part in f.name.split("_")) for f in fields(SliceFigures))
    values = {
        name: tuple(None if v != v else v for v in astuple(mean_slice_figures(frames))) for name, frames in rows.items()
    }
    frames = len(next(iter(rows.values())))
    note = (
        f"Behind the Scenes: {SCANS} scans, {frames} frames; IE is of what neither the first scan nor our depth saw, "
        "so figures of methods with other depth are of other points. The published table is not printed: its slice is "
        "another than that of the published code, which this is"
    )
    return Table(title=SLICE_TITLE, columns=columns, rows=values, note=note)


def labels_table(rows: Mapping[str, Int[Tensor, "C C"]]) -> Table:
    """Accuracy and mIoU of pixels by both protocols, with the IoU of each class."""
    values = {
        name: (accuracy(matrix), mean_label_iou(matrix), mean_iou_of_present(matrix), *class_iou(matrix).tolist())
        for name, matrix in rows.items()
    }
    columns = ("accuracy", "mIoU", PRESENT_MIOU, *CITYSCAPES.classes)
    note = "Cityscapes classes of the reference view, at the network's size; absent classes count as 0 in the mIoU, as "
    note += f"SceneDINO has it, and are left out of that of present classes, as STEGO has it; {NAMES_NOTE}"
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
