"""The figures of benchmarks/README.md on semantic scene completion.

make bench-ssc                                     (or: .venv/bin/python benchmarks/ssc.py --help)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from measure import run_parts
from ssc_classes import ROOT, classes, refined, votes
from ssc_frames import several
from ssc_predict import predict
from ssc_step import SETTINGS, step

PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "step": step,
    "predict": predict,
    "classes": classes,
    "refined": refined,
    "votes": votes,
    "several": several,
}


def main() -> None:
    run_parts(PARTS, _options())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, help="of the part step; all if not given")
    parser.add_argument("--step-repeats", type=int, default=2, help="steps of each setting; the quickest counts")
    parser.add_argument("--data", type=Path, default=ROOT / "data" / "street", help="tree of streets")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench_ssc", help="folder of the runs")
    parser.add_argument("--start", default="street", help="packaged weights or file whose geometry and features stay")
    parser.add_argument("--split", default="test", choices=("val", "test"), help="val, to choose settings on")
    parser.add_argument("--set", nargs="*", default=[], dest="changes", help="KEY=VALUE laid over the recipe")
    return parser.parse_args()


if __name__ == "__main__":
    main()
