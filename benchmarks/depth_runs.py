"""The trainings of benchmarks/depth.py, and what is measured of them."""

from __future__ import annotations

import argparse
import json
import re
import zipfile
from pathlib import Path

import torch

from scene3d import recipe as recipes
from scene3d.data.street.street import StreetConfig
from scene3d.data.street.write import write_streets
from scene3d.data.trajectory_files import read_kitti_trajectory
from scene3d.data.views import view_to_world
from scene3d.engine.drive import walk
from scene3d.evaluation.tables import DEVIATION_TITLE
from scene3d.evaluation.trajectory import (
    absolute_errors,
    align,
    from_first,
    path_lengths,
    path_pairs,
    relative_errors,
    summarise,
)
from scene3d.evaluation.trajectory_tables import DRIFT, POSITIONS, STEPS, trajectory_report
from scene3d.geometry.se3 import invert
from scene3d.losses.reprojection import Reconstruction, moving_error, standing_error
from scene3d.structures.frames import Frames

CONFIGS = Path(__file__).parents[1] / "configs" / "depth"
STREETS = {"moving": (range(300, 340), 1.0), "still": (range(980, 988), 0.0), "busy": (range(960, 968), 2.0)}
"""Folder of the streets to learn from, of those without traffic and of those with much: seeds, and share of traffic."""

SIZE = (128, 416)


def trajectories(options: argparse.Namespace) -> None:
    """Stored scores of other programs, reproduced"""
    folder = options.real / "eval_reference"
    if not folder.is_dir():
        print(f"{folder} is not there; left out")
        return
    print("| what | stored | ours |")
    print("|---|---:|---:|")
    text = (folder / "PROVENANCE.md").read_text()
    figures = ((DRIFT, "t_err"), (DRIFT, "r_err"), (POSITIONS, "rmse"), (STEPS, "mean m"), (STEPS, "mean degrees"))
    for sequence in ("09", "10"):
        line = text.split(f"seq {sequence}, align scale")[1].split("\n")[0]
        names = ("example_0", "gt_poses")
        pair = (read_kitti_trajectory(folder / "kitti_odom_eval" / name / f"{sequence}.txt") for name in names)
        report = trajectory_report(*pair)
        for (title, column), known in zip(figures, re.findall(r"\d+\.\d{6}", line), strict=False):
            ours = report.figure(title, "scale", column)
            print(f"| {sequence}, scale aligned, {title}, {column} | {known} | {ours:.6f} |")
    estimated, true = (read_kitti_trajectory(folder / "evo" / f"KITTI_00_{n}.txt").body_to_world for n in ("ORB", "gt"))
    for name, errors in (
        ("orb_ape", absolute_errors(align(estimated, true, "6dof"), true)),
        ("orb_rpe", relative_errors(estimated, true, path_pairs(estimated, 10.0))[0]),
    ):
        with zipfile.ZipFile(folder / "evo" / "res_files" / f"{name}.zip") as archive:
            known = json.loads(archive.read("stats.json"))
        for figure in ("rmse", "mean", "median", "max"):
            print(f"| evo {name}, {figure} | {known[figure]:.10f} | {getattr(summarise(errors), figure):.10f} |")


def streets(options: argparse.Namespace) -> None:
    """Streets, motion unknown: several frames against one"""
    for name, (seeds, traffic) in STREETS.items():
        root = options.data / name
        folder = root / "2011_09_26"
        missing = [seed for seed in seeds if not (folder / f"2011_09_26_drive_{seed:04d}_sync").exists()]
        if missing:
            config = StreetConfig(traffic=traffic)
            write_streets(root, missing, config=config, size=SIZE, layout="kitti-raw", scans=False)
    print("| recipe | CPU minutes | streets | single frame | several frames | change | inside one deviation |")
    print("|---|---:|---|---:|---:|---:|---:|")
    for name in ("manydepth_street", "fusion_street"):
        root = (options.data / "moving").resolve()
        recipe = recipes.load_recipe(CONFIGS / f"{name}.yaml", [f"data.root={root}", "train.max_cpu_minutes=30"])
        run = recipes.train(recipe, options.out / name, progress=False)
        for where in ("still", "busy"):
            drives = tuple(f"2011_09_26_drive_{seed:04d}_sync" for seed in STREETS[where][0])
            data = recipe.data.model_copy(update={"root": options.data / where, "train": (), "val": (), "test": drives})
            report = recipes.evaluate(run, split="test", data=data)
            report.save(run / f"evaluation_{where}.json")
            one = report.figure("depth", "single frame, median scaled", "abs_rel")
            several = report.figure("depth", "ours, median scaled", "abs_rel")
            assert one is not None and several is not None
            told = ""
            if any(table.title == DEVIATION_TITLE for table in report.tables):
                told = f"{report.figure(DEVIATION_TITLE, 'ours', 'inside one'):.0%}"
            figures = f"{one:.3f} | {several:.3f} | {several / one - 1:+.0%} | {told}"
            print(f"| {name} | {_cpu_minutes(run):.0f} | {where} | {figures} |", flush=True)


def drive(options: argparse.Namespace) -> None:
    """KITTI odometry 06, gray, poses not looked at: photometric error, and the way"""
    run, recipe = _trained(options, "kitti_odometry_06", options.real / "kitti_odometry_06_gray")
    if run is None:
        return
    predictor = recipes.load(run)
    warped, standing = _photometric(predictor, recipe.data.build("val", training=False))
    print(f"photometric error on frames 41 to 50: {warped:.4f}, of the identity warp {standing:.4f}, ", end="")
    print(f"{warped / standing:.0%} (asked 60 %)")
    whole = recipe.data.scoring.model_copy(update={"frames": None})
    data = recipe.data.model_copy(update={"scoring": whole}).build("val", training=False)
    steps = list(walk(predictor.predict_frames, data, places="estimated"))
    estimated = torch.stack([step.cam_to_world for step in steps if step.cam_to_world is not None])
    true = torch.stack([view_to_world(data.reference(i)) for i in range(len(data))])
    errors = absolute_errors(align(estimated, from_first(true), "7dof"), from_first(true))
    path = path_lengths(true)[-1].item()
    rmse = summarise(errors).rmse
    print(f"way over {len(estimated)} frames: ATE {rmse:.2f} m after Sim(3) alignment, ", end="")
    print(f"{rmse / path:.1%} of {path:.0f} m (asked 5 %)")


def fit(options: argparse.Namespace) -> None:
    """KITTI odometry 07, stereo and mono, a fit of its own frames"""
    run, _ = _trained(options, "kitti_odometry_07", options.real / "kitti_odometry_07_stereo_depth")
    if run is None:
        return
    report = recipes.evaluate(run, split="val")
    report.save(run / "evaluation_val.json")
    print(report.as_markdown())


def _trained(options: argparse.Namespace, name: str, root: Path) -> tuple[Path | None, recipes.Recipe]:
    """The run of a recipe on a real drive; None, in words, where the drive is not there."""
    recipe = recipes.load_recipe(CONFIGS / f"{name}.yaml", [f"data.root={root.resolve()}"])
    if not root.is_dir():
        print(f"{root} is not there; left out")
        return None, recipe
    run = recipes.train(recipe, options.out / name, progress=False)
    print(f"{_cpu_minutes(run):.1f} CPU minutes\n")
    return run, recipe


@torch.no_grad()
def _photometric(predictor: recipes.Predictor, data: object) -> tuple[float, float]:
    """Mean error of the pixels that some source sees by the predicted depth and motion, and as if nothing moved."""
    warped, standing = [], []
    for i in range(len(data)):  # type: ignore[arg-type]
        frames: Frames = data[i]  # type: ignore[index]
        prediction = predictor.predict_frames(frames)
        to_views = invert(prediction.cam_to_reference)  # type: ignore[union-attr]
        views = Reconstruction.of(frames, to_views)
        error = moving_error(prediction.depth, views)
        counted = torch.isfinite(error)
        warped.append(error[counted])
        standing.append(standing_error(views)[counted])
    return torch.cat(warped).mean().item(), torch.cat(standing).mean().item()


def _cpu_minutes(run: Path) -> float:
    last = (run / "metrics.jsonl").read_text().splitlines()[-1]
    return json.loads(last)["cpu_seconds"] / 60
