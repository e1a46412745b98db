"""The figures of benchmarks/README.md on procedural streets: training from scratch, packaged weights, cost of a step.

    make bench-street                                  (or: .venv/bin/python benchmarks/street.py --help)

Streets that are missing are made first. A training that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import platform
import resource
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

import torch

from scene3d import recipe as recipes
from scene3d.data.street.street import StreetConfig
from scene3d.data.street.write import write_streets
from scene3d.evaluation.report import Report

HERE = Path(__file__).parent
CONFIG = HERE.parent / "configs" / "completion" / "street.yaml"
REGIONS = ("solid", "shell", "solid without ground", "shell without ground", "occluded without ground")
FRAMES, SIZE, FISHEYE = 36, (96, 320), 224


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    make_streets(options.data)
    print(f"{date.today()}, {platform.machine()}, {options.threads} threads, torch {torch.__version__}")
    hints = options.hints or options.data.with_name(f"{options.data.name}_hints")
    overrides = [f"data.root={options.data.resolve()}", f"data.snippets.hints={hints.resolve()}"]
    _match(recipes.load_recipe(options.config, overrides), options.threads)
    # First, so that the peak memory is that of training steps and nothing else.
    print("\n## Cost of a training step\n")
    print(_cost(recipes.load_recipe(options.config, overrides)))
    reports = []
    for seed in options.seeds:
        run = options.out / f"seed_{seed}"
        changes = [*overrides, f"train.seed={seed}", f"train.max_cpu_minutes={options.cpu_minutes}"]
        recipe = recipes.load_recipe(options.config, changes)
        recipes.train(recipe, run, progress=False)
        reports.append(recipes.evaluate(run, split="test"))
        reports[-1].save(run / "evaluation_test.json")
    if reports:
        seeds = ", ".join(str(seed) for seed in options.seeds)
        print(f"\n## From scratch, {options.cpu_minutes:g} CPU minutes, seeds {seeds}: median (range)\n")
        print(_table(reports))
    if options.weights:
        data = recipes.load_recipe(options.config, overrides).data
        report = recipes.evaluate(options.weights, split="test", data=data)
        print(f"\n## Weights {options.weights}\n")
        print(report.as_markdown())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=HERE.parent / "data" / "street", help="tree of streets")
    parser.add_argument("--hints", type=Path, help="depth found by matching; beside the streets if not given")
    parser.add_argument("--out", type=Path, default=HERE.parent / "runs" / "bench_street", help="folder of the runs")
    parser.add_argument("--config", type=Path, default=CONFIG, help="recipe to train")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2], help="none skips the trainings")
    parser.add_argument("--cpu-minutes", type=float, default=60.0, help="a training: two quiet cores for half as long")
    parser.add_argument("--weights", default="street", help="packaged name or file to score; empty skips it")
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


def make_streets(root: Path) -> None:
    """The streets of configs/base/street.yaml: seeds 100 to 159 to learn from, 950 to 961 to choose and report on."""
    folder = root / "data_2d_raw"
    for seeds, every in ((range(100, 160), 16), (range(950, 962), 8)):
        missing = [seed for seed in seeds if not (folder / f"2013_05_28_drive_{seed:04d}_sync").exists()]
        if missing:
            write_streets(
                root,
                missing,
                config=StreetConfig(frames=FRAMES),
                size=SIZE,
                fisheye=FISHEYE,
                voxels_every=every,
                scans=False,
                progress=lambda name, done, of: print(f"{name}: {done} of {of}", flush=True),
            )


def _match(recipe: recipes.Recipe, workers: int) -> None:
    """Depth of the training streets by matching, where it is missing; its cost is not part of a training's budget."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _, written = recipes.match(recipe, workers=max(workers, 2))  # in processes of their own, whose time is counted
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"matching: {written} depth images in {seconds / 60:.1f} CPU minutes")


def _table(reports: list[Report]) -> str:
    """Our figures beside the best baseline's median; one of them unprojects our own depth and differs by seed."""
    lines = ["| figure | ours | best baseline | which |", "|---|---:|---:|---|"]
    ours = _spread([report.figure("depth", "ours", "abs_rel") for report in reports])
    baseline = reports[0].figure("depth", "median training depth image", "abs_rel")
    lines.append(f"| abs_rel, unscaled | {ours} | {baseline:.3f} | median training depth image |")
    for region in REGIONS:
        for extent in ("12.8 m", "25.6 m", "51.2 m"):
            title, column = f"completion, {region}", f"IoU {extent}"
            rows = next(table.rows for table in reports[0].tables if table.title == title)
            others = {row: _median(reports, title, row, column) for row in rows if not row.startswith("ours")}
            best = max(others, key=lambda row: others[row])
            ours = _spread([report.figure(title, "ours", column) for report in reports])
            lines.append(f"| {region}, {column} | {ours} | {others[best]:.3f} | {best} |")
    return "\n".join(lines)


def _median(reports: list[Report], title: str, row: str, column: str) -> float:
    return statistics.median(report.figure(title, row, column) or 0.0 for report in reports)


def _spread(figures: list[float | None]) -> str:
    known = [figure for figure in figures if figure is not None]
    return f"{statistics.median(known):.3f} ({min(known):.3f} to {max(known):.3f})"


def _cost(recipe: recipes.Recipe) -> str:
    """CPU seconds of the parts of a step, rays a second, and peak memory of this process."""
    data = recipe.data.build("train")
    method = recipe.method.build()
    optimiser = torch.optim.AdamW(method.parameters(), 1e-4)
    frames = data[0]

    def step() -> None:
        optimiser.zero_grad()
        method.training_step(frames, 0).total().backward()
        optimiser.step()

    whole = _cpu_seconds(step)
    forward = _cpu_seconds(lambda: method.training_step(frames, 0))
    encode = _cpu_seconds(lambda: method.encode(frames.image[:, 0], frames.K[:, 0]))
    update = _cpu_seconds(optimiser.step)
    rays = recipe.method.patches * recipe.method.patch**2
    rows = {
        "encoder, forward": encode,
        "rays, colours and losses, forward": forward - encode,
        "backward": whole - forward - update,
        "update": update,
        "all": whole,
    }
    lines = ["| part | CPU seconds | share |", "|---|---:|---:|"]
    lines += [f"| {name} | {seconds:.3f} | {seconds / whole:.0%} |" for name, seconds in rows.items()]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    lines.append(f"\n{rays / whole:.0f} rays a CPU second, peak memory of the process {peak:.0f} MiB")
    return "\n".join(lines)


def _cpu_seconds(call: Callable[[], object], repeats: int = 9) -> float:
    times = []
    for _ in range(repeats + 2):
        start = time.process_time()
        call()
        times.append(time.process_time() - start)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()
