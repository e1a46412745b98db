"""The part of benchmarks/ssc.py on several frames: three of a drive instead of one, calibration, and other views."""

from __future__ import annotations

import argparse

from ssc_classes import EARLIER, RANGES
from street import make_streets

from scene3d import recipe as recipes
from scene3d.engine.rules import OURS
from scene3d.engine.scoring import OURS_CALIBRATED, STORED
from scene3d.evaluation.report import Report, table_markdown
from scene3d.evaluation.tables import CALIBRATION_TITLE, CLASSES_TITLE, MIOU_OFF_GROUND, completion_title
from scene3d.evaluation.view_tables import CONSISTENCY_TITLE, NOVEL_TITLE

FEW = ("evaluate.frames=30", "evaluate.fit_frames=12", "evaluate.baseline_frames=40")
VIEWS = "evaluate.novel_views=[{sensor: right}, {sensor: left, plus: 1}]"
REGIONS = ("solid", "solid without ground", "shell", "shell without ground")


def several(options: argparse.Namespace) -> None:
    """Three frames of a drive instead of one (asked: 5 % more IoU), and how sure a cell is (asked: an error of 0.05)"""
    make_streets(options.data)
    start = recipes.packaged().get(options.start, options.start)
    changes = [f"data.root={options.data.resolve()}", *FEW, *options.changes]
    before = ",".join(str(offset) for offset in EARLIER)
    reports = []
    for name, more in (("one_frame", VIEWS), ("three_frames", f"evaluate.earlier=[{before}]")):
        report = recipes.evaluate(start, split=options.split, device="cpu", changes=[*changes, more])
        report.save(options.out / f"{name}_{options.split}.json")
        reports.append(report)
    one, three = reports
    _gains(one, three)
    _errors(one, three)
    _views(one)


def _gains(one: Report, three: Report) -> None:
    print("| | range | one frame | three frames | more |\n|---|---|---:|---:|---:|")
    for threshold in (f"{OURS}, {STORED}", OURS):
        asked = [(completion_title(region), f"IoU, {region}", "IoU") for region in REGIONS]
        asked += [(CLASSES_TITLE, what, what) for what in ("mIoU", MIOU_OFF_GROUND)]
        for title, name, column in asked:
            for r in RANGES:
                a, b = (report.figure(title, threshold, f"{column} {r}") or 0.0 for report in (one, three))
                gain = f"{100 * (b / a - 1):+.0f} %" if a else ""
                print(f"| {threshold}: {name} | {r} | {a:.3f} | {b:.3f} | {gain} |")


def _errors(one: Report, three: Report) -> None:
    print("\n| expected calibration error | " + " | ".join(RANGES) + " |\n|---|---:|---:|---:|")
    for frames, report in (("one frame", one), ("three frames", three)):
        for row in (OURS, OURS_CALIBRATED):
            errors = [report.figure(CALIBRATION_TITLE, row, f"ECE {r}") or 0.0 for r in RANGES]
            print(f"| {frames}, {row} | " + " | ".join(f"{e:.3f}" for e in errors) + " |")


def _views(one: Report) -> None:
    for table in one.tables:
        if table.title in (NOVEL_TITLE, CONSISTENCY_TITLE):
            print(f"\n{table_markdown(table)}", flush=True)
