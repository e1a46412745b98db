"""`scene3d data`: make the procedural street as a KITTI tree, and check a data set before training on it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro

from scene3d.cli.failures import DATA
from scene3d.errors import UsageError


def make_street(
    root: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="ROOT")],
    *,
    streets: int = 4,
    seed: int = 0,
    frames: int | None = None,
    traffic: float = 1.0,
    size: tuple[int, int] = (376, 1408),
    fisheye: int = 1400,
    voxels_every: int = 5,
    no_scans: bool = False,
    layout: Literal["kitti-360", "kitti-raw"] = "kitti-360",
    workers: int = 0,
    overwrite: bool = False,
) -> int:
    """Render seeded streets with exact ground truth into a KITTI-360 + SSCBench tree, or a KITTI raw tree.

    Examples:
      scene3d data make-street data/street --streets 60 --size 192 640 --fisheye 350
      scene3d data make-street data/raw --layout kitti-raw --streets 4 --seed 100

    Args:
        root: folder of the tree; published code that reads KITTI-360 reads it unchanged.
        streets: number of drives.
        seed: of the first street; the others count up from it.
        frames: length of a drive in frames, a metre apart; the street's own default if not given.
        traffic: share of the usual moving cars, cyclists and people; 0 makes still streets.
        size: height and width of the rectified images, pixels.
        fisheye: edge of the square fisheye images, pixels; 0 makes none.
        voxels_every: poses from one voxel grid to the next; a grid takes 14 MB, and 0 writes none.
        no_scans: leave out the velodyne scans.
        layout: which data set's tree to write.
        workers: processes; 0 takes one a core.
        overwrite: replace drives that exist.
    """
    from tqdm import tqdm

    from scene3d.data.street.layout import StreetConfig
    from scene3d.data.street.write import write_streets

    if streets < 1:
        raise UsageError(f"--streets: expected 1 or more, got {streets}")
    with tqdm(total=streets, unit="street", disable=None) as bar:
        names = write_streets(
            root,
            range(seed, seed + streets),
            config=StreetConfig(traffic=traffic, **({} if frames is None else {"frames": frames})),
            size=size,
            fisheye=fisheye or None,
            voxels_every=voxels_every,
            scans=not no_scans,
            layout=layout,
            workers=workers or None,
            overwrite=overwrite,
            progress=lambda *_: bar.update(),
        )
    print(f"{root}: {', '.join(names)}")
    print(f"next: scene3d data check {root}")
    return 0


def match(
    config: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CONFIG")],
    *,
    changes: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = (),
    split: Literal["train", "val", "test"] = "train",
    workers: int = 0,
) -> int:
    """Find depth by matching each view with its stereo partner and neighbours in time, as hints for training.

    Examples:
      scene3d data match configs/completion/street.yaml
      scene3d data match my_recipe.yaml --set data.snippets.hints=data/hints

    Args:
        config: recipe that names the drives, the size of the views and, as data.snippets.hints, the folder to fill.
            Images that are there already stay, so the command can be stopped and given again.
        changes: KEY=VALUE laid over the recipe; may be repeated.
        split: drives to match.
        workers: processes; 0 takes one a core.
    """
    from tqdm import tqdm

    from scene3d import recipe

    read = recipe.load_recipe(config, changes)
    with tqdm(unit="camera", disable=None) as bar:

        def tell(stage: str, done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        folder, written = recipe.match(read, split=split, workers=workers or None, progress=tell)
    print(f"{folder}: {written} depth images written")
    return 0


def depth_truth(
    config: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="CONFIG")],
    *,
    changes: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = (),
    split: Literal["train", "val", "test"] = "test",
) -> int:
    """Prepare the true depth that evaluation scores against, at the size of the images, as 16-bit PNGs.

    Examples:
      scene3d data depth-truth my_recipe.yaml --set evaluate.depth=eigen --set data.scoring.truth_folder=data/truth

    Args:
        config: recipe that names the drives, the protocol as evaluate.depth, and the folder to fill as
            data.scoring.truth_folder. Images that are there stay. Without a folder, evaluation reads scans each time.
        changes: KEY=VALUE laid over the recipe; may be repeated.
        split: drives or list to prepare.
    """
    from tqdm import tqdm

    from scene3d import recipe

    read = recipe.load_recipe(config, changes)
    with tqdm(unit="image", disable=None) as bar:

        def tell(stage: str, done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        folder, written = recipe.depth_truth(read, split=split, progress=tell)
    print(f"{folder}: {written} depth images written")
    return 0


def check(path: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="PATH")]) -> int:
    """Find what would spoil a training: a line a problem, exit code 3 if there is any.

    Examples:
      scene3d data check data/street

    Args:
        path: root of a KITTI raw, KITTI odometry, KITTI-360 or Cityscapes tree, or a folder of photographs: posed
            images, NeuS (DTU, BlendedMVS), transforms.json, Middlebury, COLMAP, TUM RGB-D, 7-Scenes.
    """
    from scene3d.data.check import check_data

    problems = check_data(path)
    for problem in problems:
        print(problem)
    print(f"{path}: {len(problems) or 'no'} problem{'s' if len(problems) != 1 else ''}")
    return DATA if problems else 0
