"""The figures of benchmarks/README.md on surfaces from photographs.

    make bench-surface                                 (or: .venv/bin/python benchmarks/surface.py --help)

Parts whose data are not there are left out, in words. A training that was cut off goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from measure import run_parts
from surface_curves import ENCODINGS, curve, draw_curves, print_curves, step_seconds
from surface_shapes import SHAPES, write_shape
from temple_masks import write_masked

from scene3d.data.middlebury import read_middlebury
from scene3d.engine.surface_files import write_surface
from scene3d.fusion.mesh_cleaning import CleaningConfig
from scene3d.fusion.meshing import MeshingConfig
from scene3d.recipe import Recipe, TrueSurface, evaluate, found_object, load, load_recipe, surface_recipe, train

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs" / "surface"
QUICK = 1150
"""Steps of the quick training: as many as its figures need, in less than 90 CPU seconds."""


def main() -> None:
    run_parts(PARTS, _options())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--shared", type=Path, default=ROOT.parent / "shared" / "data", help="folder of the real data")
    parser.add_argument("--seconds", type=float, default=600, help="CPU time of each encoding in `curves`")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench_surface")
    return parser.parse_args()


def _steps(options: argparse.Namespace) -> None:
    """Cost of a step: hash grid against the published networks"""
    data = options.shared / "dtu_scan65_neus_400x300"
    if _missing(data):
        return
    cost = {}
    for name, config, warm, timed in (("hash grid", "dtu_masks", 300, 50), ("published", "dtu_published", 0, 2)):
        recipe = load_recipe(CONFIGS / f"{config}.yaml", [f"data.root={data}"])
        cost[name] = step_seconds(recipe, warm, timed)
        print(f"{name}: {cost[name]:.3f} CPU seconds a step of {recipe.method.rays} rays")
    print(f"ratio {cost['published'] / cost['hash grid']:.0f} (asked 100)")


def _shapes(options: argparse.Namespace) -> None:
    """Exact shapes, without masks: Chamfer distance by the diagonal (asked: at most 1 % in 10 minutes)"""
    bunny = next(iter(sorted((options.shared / "stanford_bunny_mesh").glob("*.obj"))), None)
    print("| shape | CPU seconds | Chamfer, % of the diagonal | F-score at 1 % |")
    print("|---|---:|---:|---:|")
    for name in (*SHAPES, *(["bunny"] if bunny else [])):
        folder = options.out / "shapes" / name
        if not (folder / "scene.json").exists():
            write_shape(name, folder, bunny or Path())
        recipe = surface_recipe(folder, masks=False, steps=3000)
        run = train(recipe, options.out / f"run_{name}", device="cpu")
        report = evaluate(run, device="cpu", surface=TrueSurface(file=folder / "true.ply"))
        table = next(table for table in report.tables if table.title == "surface")
        diagonal = float(table.note.rsplit(" ", 1)[1])
        chamfer, f_score = (report.figure("surface", "ours", name) for name in ("Chamfer", "F-score"))
        print(f"| {name} | {_cpu(run):.0f} | {100 * chamfer / diagonal:.2f} | {f_score:.3f} |", flush=True)


def _temple(options: argparse.Namespace) -> None:
    """Temple ring at half resolution (asked: 31 / 26 / .97 in 12 minutes, 27 / 22 / .96 in 90 CPU seconds)"""
    ring = options.shared / "middlebury_templeRing"
    if _missing(ring):
        return
    data = options.out / "temple_ring"
    if not data.exists():
        write_masked(read_middlebury(ring)[0], data)
    _scored(options, "temple_quick", "temple_ring", data, [f"train.steps={QUICK}", f"method.steps={QUICK}"])
    run = _scored(options, "temple", "temple_ring", data, [])
    _write(run, options.out / "temple_mesh")


def _dtu(options: argparse.Namespace) -> None:
    """DTU scan65 with its masks (asked: 30.5 / 26.5 / .99 in 8 minutes)"""
    data = options.shared / "dtu_scan65_neus_400x300"
    if not _missing(data):
        run = _scored(options, "dtu", "dtu_masks", data, [])
        _write(run, options.out / "dtu_mesh")


def _found(options: argparse.Namespace) -> None:
    """DTU scan65 without masks: the object that is found (asked: silhouette IoU .85), scored on held-out views"""
    data = options.shared / "dtu_scan65_neus_400x300"
    if _missing(data):
        return
    found = found_object(data, options.out / "dtu_object")
    recipe = surface_recipe(data, found=found, steps=4000)
    # The given masks are read to score and for nothing else.
    scoring = recipe.data.scoring.model_copy(update={"masks": True})
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"scoring": scoring})})
    run = train(recipe, options.out / "dtu_found", device="cpu")
    _print_scores("dtu_found", run, recipe)
    _write(run, options.out / "dtu_found_mesh", masks=True)


def _kitchen(options: argparse.Namespace) -> None:
    """7-Scenes' red kitchen from colour: Manhattan prior off and on, cameras as given and corrected (asked: -10 %)"""
    data = options.shared / "sevenscenes_redkitchen_rgbd"
    if _missing(data):
        return
    print("| | PSNR | normals, mean degrees | median | within 11.25 | CPU seconds |")
    print("|---|---:|---:|---:|---:|---:|")
    corrected = ["method.refinement={images: 600, fixed: 10}", "evaluate.correct_cameras=100"]
    for cameras, refined in (("", []), (", cameras corrected", corrected)):
        for name, config in (("prior off", "red_kitchen"), ("prior on", "red_kitchen_manhattan")):
            recipe = load_recipe(CONFIGS / f"{config}.yaml", [f"data.root={data}", *refined])
            folder = f"{config}{'_corrected' if refined else ''}"
            _print_room(f"{name}{cameras}", train(recipe, options.out / folder, device="cpu"))


def _print_room(name: str, run: Path) -> None:
    report = evaluate(run, device="cpu", split="val")
    angles = [report.figure("normals", "ours", column) for column in ("mean angle", "median angle")]
    near = report.figure("normals", "ours", "within 11.25")
    psnr = report.figure("rendered views", "ours", "PSNR")
    print(f"| {name} | {psnr:.2f} | {angles[0]:.1f} | {angles[1]:.1f} | {near:.3f} | {_cpu(run):.0f} |", flush=True)


def _curves(options: argparse.Namespace) -> None:
    """DTU scan65 with its masks: PSNR in them against CPU time, both encodings, the same time for each (--seconds)"""
    data = options.shared / "dtu_scan65_neus_400x300"
    if _missing(data):
        return
    out = options.out / f"curves_{options.seconds:g}s"
    curves = {
        name: curve(CONFIGS / f"{config}.yaml", data, out / config, options.seconds)
        for name, config in ENCODINGS.items()
    }
    print_curves(curves)
    draw_curves(curves, out / "psnr_against_time.png")
    print(f"wrote {out / 'psnr_against_time.png'}")


def _scored(options: argparse.Namespace, name: str, config: str, data: Path, changes: list[str]) -> Path:
    """Train, score the held-out views and print them."""
    recipe = load_recipe(CONFIGS / f"{config}.yaml", [f"data.root={data}", *changes])
    run = train(recipe, options.out / name, device="cpu")
    _print_scores(name, run, recipe)
    return run


def _print_scores(name: str, run: Path, recipe: Recipe) -> None:
    report = evaluate(run, device="cpu", split="val")
    columns = ("PSNR", "PSNR in mask", "silhouette IoU", "SSIM")
    figures = " / ".join(f"{report.figure('rendered views', 'ours', column):.4g}" for column in columns)
    print(
        f"{name}: {recipe.train.steps} steps, {_cpu(run):.0f} CPU seconds: {' / '.join(columns)} {figures}", flush=True
    )


def _write(run: Path, folder: Path, *, masks: bool = False) -> None:
    """The mesh and the pictures of a run."""
    predictor = load(run, device="cpu")
    recipe: Recipe = predictor.recipe
    learned = recipe.data.build("train", training=False)
    # What the masks cut off is no part of an object that was found without them.
    cleaning = CleaningConfig(dilation=None if masks else 4.0)
    options = {"meshing": MeshingConfig(cells=384), "cleaning": cleaning, "turn": 0, "masks": masks}
    for path in write_surface(predictor.method, learned, folder, shown=recipe.data.build("val"), **options):
        if path.parent.name != "masks":
            print(f"wrote {path}")


def _cpu(run: Path) -> float:
    """CPU seconds of a run by its log."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return float(json.loads(lines[-1])["cpu_seconds"])


def _missing(data: Path) -> bool:
    if not data.is_dir():
        print(f"left out: {data} is not there (--shared names the folder that holds it)")
    return not data.is_dir()


PARTS: dict[str, Callable[[argparse.Namespace], None]] = {
    "steps": _steps,
    "shapes": _shapes,
    "temple": _temple,
    "dtu": _dtu,
    "found": _found,
    "kitchen": _kitchen,
    "curves": _curves,
}

if __name__ == "__main__":
    main()
