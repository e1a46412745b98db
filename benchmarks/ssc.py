"""The figures of benchmarks/README.md on semantic scene completion.

make bench-ssc                                     (or: .venv/bin/python benchmarks/ssc.py --help)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

from measure import run_parts
from ssc_predict import predict
from ssc_step import SETTINGS, step

PARTS: dict[str, Callable[[argparse.Namespace], None]] = {"step": step, "predict": predict}


def main() -> None:
    run_parts(PARTS, _options())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, help="of the part step; all if not given")
    parser.add_argument("--step-repeats", type=int, default=2, help="steps of each setting; the quickest counts")
    return parser.parse_args()


if __name__ == "__main__":
    main()
