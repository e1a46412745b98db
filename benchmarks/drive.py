"""Train on one drive of KITTI raw, and show the completion of one of its frames beside its lidar.

    make bench-drive DRIVE=PATH POSES=FILE             (or: .venv/bin/python benchmarks/drive.py --help)

The folder gets the run, the results of the frame, and one picture, drive.png, with the projected scan.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from scene3d import recipe as recipes
from scene3d.data.kitti_files import read_scan
from scene3d.geometry.depth import points_to_depth
from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction
from scene3d.visualise.painter import paint_voxels
from scene3d.visualise.pictures import depth_picture, image_picture, panel, write_picture
from scene3d.visualise.quads import height_colours, height_palette
from scene3d.visualise.results import write_results

HERE = Path(__file__).parent
CONFIG = HERE.parent / "configs" / "completion" / "kitti_raw_fit.yaml"
FARTHEST = 60.0  # metres; what the colours of both depth pictures span


def main() -> None:
    options = _options()
    changes = [f"data.root={options.drive.resolve()}"]
    if options.poses:
        changes.append(f"data.scan_poses={options.poses.resolve()}")
    if not options.from_scratch:
        # The geometry of the packaged weights; their semantic head stays behind.
        changes += [f"train.start_from={recipes.packaged()['street']}", "train.part=completion."]
    recipe = recipes.load_recipe(options.config, changes)
    run = recipes.train(recipe, options.out / "run")
    print(recipes.evaluate(run, split="train").as_markdown())
    frames = _frame(recipe, options.frame)
    prediction = recipes.load(run).predict_frames(frames)
    assert isinstance(prediction, CompletionPrediction)
    for path in write_results(prediction, frames.image[0, 0], options.out / "frame", overwrite=True):
        print(path)
    picture = options.out / "drive.png"
    write_picture(picture, _beside_lidar(prediction, frames, _lidar(recipe, options.frame, frames)))
    print(picture)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--drive", type=Path, required=True, help="folder that holds <date>/<date>_drive_<number>_sync")
    parser.add_argument("--poses", type=Path, help="velodyne-to-world of every frame, 12 numbers a line")
    parser.add_argument("--frame", type=int, default=12)
    parser.add_argument("--config", type=Path, default=CONFIG)
    parser.add_argument("--from-scratch", action="store_true", help="without the packaged weights to begin with")
    parser.add_argument("--out", type=Path, default=HERE.parent / "runs" / "bench_drive")
    return parser.parse_args()


def _frame(recipe: recipes.Recipe, number: int) -> Frames:
    """One frame of the drive."""
    scoring = recipe.data.scoring.model_copy(update={"need": (), "depth": None, "frames": (number, number)})
    data = recipe.data.model_copy(update={"scoring": scoring})
    return data.build("train", training=False)[0]


def _lidar(recipe: recipes.Recipe, number: int, frames: Frames) -> tuple[int, torch.Tensor]:
    """The scan nearest in time, moved to where the frame was taken and projected into it; what moved is off."""
    scene = recipe.data.scenes("train")[0]
    scan = min(scene.scans, key=lambda scan: abs(scan.frame - number))
    shot = next(shot for shot in scene.shots if shot.frame == number and shot.sensor == "left")
    assert scan.scan_to_world is not None and shot.cam_to_world is not None
    scan_to_cam = invert(shot.cam_to_world) @ scan.scan_to_world
    points = transform(scan_to_cam.float(), read_scan(scan.path)[:, :3])
    height, width = frames.image.shape[-2:]
    return scan.frame, points_to_depth(points, frames.K[0, 0], height, width)


def _beside_lidar(prediction: CompletionPrediction, frames: Frames, scan: tuple[int, torch.Tensor]) -> torch.Tensor:
    occupied = prediction.density[0] >= prediction.threshold
    voxels = paint_voxels(height_colours(occupied), height_palette(occupied.shape[2]), SSCBENCH)
    lidar = depth_picture(scan[1], nearest=3.0, farthest=FARTHEST)
    predicted = depth_picture(prediction.depth[0], nearest=3.0, farthest=FARTHEST)
    return panel(
        [
            ("image", image_picture(frames.image[0, 0])),
            ("predicted depth", predicted),
            (f"lidar of frame {scan[0]}, projected", lidar),
            ("completed scene, coloured by height", voxels),
        ],
        columns=2,
    )


if __name__ == "__main__":
    main()
