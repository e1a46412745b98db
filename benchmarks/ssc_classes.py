"""The parts of benchmarks/ssc.py on classes: beside their yardsticks, smoothed, and voted on by several frames.

Streets that are missing are made first. A training that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from street import make_streets

from scene3d import recipe as recipes
from scene3d.engine.evaluator import REFINED
from scene3d.engine.probes import KMEANS, LINEAR
from scene3d.engine.rules import OURS
from scene3d.engine.scoring import STORED
from scene3d.evaluation.baselines import MEAN_GRID
from scene3d.evaluation.report import Report
from scene3d.evaluation.tables import AGREEMENT_TITLE, CLASSES_TITLE, LABELS_TITLE, MIOU_OFF_GROUND

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "configs" / "semantics" / "street.yaml"
RANGES = ("12.8 m", "25.6 m", "51.2 m")
EARLIER = (-1, -2)


def classes(options: argparse.Namespace) -> None:
    """Classes without labels on frozen geometry and features (asked: 1.25 x k-means, the linear probe 1.15 x ours)"""
    run = _trained(options)
    report = _scored(options, run, ("evaluate.probes=true",), "classes")
    ours = f"{OURS}, {STORED}"
    rows = (ours, f"{KMEANS}, {STORED}", f"{LINEAR}, {STORED}", MEAN_GRID)
    print("| | " + " | ".join(f"mIoU {r} | without ground" for r in RANGES) + " | mIoU of pixels |")
    print("|---|" + "---:|" * 7)
    for row in rows:
        figures = [
            report.figure(CLASSES_TITLE, row, f"{what} {r}") for r in RANGES for what in ("mIoU", MIOU_OFF_GROUND)
        ]
        name = row.removesuffix(f", {STORED}")
        pixels = None if name == MEAN_GRID else report.figure(LABELS_TITLE, name, "mIoU")
        print(f"| {name} | " + " | ".join("" if v is None else f"{v:.4f}" for v in (*figures, pixels)) + " |")
    for what in ("mIoU", MIOU_OFF_GROUND):
        own, kmeans, linear = (report.figure(CLASSES_TITLE, row, f"{what} 12.8 m") or 0.0 for row in rows[:3])
        print(f"\n{what} at 12.8 m: ours / k-means {_ratio(own, kmeans)}, linear probe / ours {_ratio(linear, own)}")


def refined(options: argparse.Namespace) -> None:
    """What smoothing does to cells, and a random field to pixels"""
    report = _scored(options, _trained(options), ("evaluate.refine={smoothing: 0, crf: {}}",), "refined")
    for name, row in (("smoothed", OURS), ("not smoothed", REFINED)):
        cells = [report.figure(CLASSES_TITLE, f"{row}, {STORED}", f"mIoU {r}") or 0.0 for r in RANGES]
        print(f"cells {name}: mIoU " + " / ".join(f"{v:.4f}" for v in cells))
    for name, row in (("by themselves", OURS), ("in a random field", REFINED)):
        pixels = [report.figure(LABELS_TITLE, row, column) or 0.0 for column in ("mIoU", "accuracy")]
        print(f"pixels {name}: mIoU {pixels[0]:.4f}, accuracy {pixels[1]:.4f}", flush=True)


def votes(options: argparse.Namespace) -> None:
    """Three frames of a drive that vote on classes, and how often two of them agree"""
    run, before = _trained(options), ",".join(str(offset) for offset in EARLIER)
    alone = _scored(options, run, (), "alone")
    voted = _scored(options, run, (f"evaluate.votes=[{before}]",), "voted")
    for name, report in (("one frame", alone), ("three vote", voted)):
        figures = [report.figure(CLASSES_TITLE, f"{OURS}, {STORED}", f"mIoU {r}") or 0.0 for r in RANGES]
        print(f"{name}: mIoU " + " / ".join(f"{v:.4f}" for v in figures))
    for r in RANGES:
        same, chance, both = (
            voted.figure(AGREEMENT_TITLE, OURS, f"{what} {r}") or 0.0
            for what in ("same class", "same class by chance", "both occupied")
        )
        print(f"{r}: same class {same:.3f} (by chance {chance:.3f}), both occupied {both:.3f}", flush=True)


def _trained(options: argparse.Namespace) -> Path:
    """The semantic stage on the geometry and features of the start, which it leaves as they are."""
    make_streets(options.data)
    start = recipes.packaged().get(options.start, Path(options.start)).resolve()
    changes = [f"data.root={options.data.resolve()}", f"train.start_from={start}", *options.changes]
    # Packaged weights hold a semantic stage of their own, which is not looked at.
    changes += ["train.part=completion."] if start.is_file() else []
    run = recipes.train(recipes.load_recipe(CONFIG, changes), options.out / "semantics", device="cpu", progress=False)
    last = json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])
    print(f"semantic stage: {last['step']} steps, {last['cpu_seconds'] / 60:.1f} CPU minutes\n", flush=True)
    return run


def _scored(options: argparse.Namespace, run: Path, changes: Sequence[str], name: str) -> Report:
    report = recipes.evaluate(run, split=options.split, device="cpu", changes=changes)
    report.save(options.out / f"{name}_{options.split}.json")
    return report


def _ratio(a: float, b: float) -> str:
    return f"{a / b:.2f}" if b else "of nothing"
