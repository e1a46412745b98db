"""`scene3d drive`: a drive in; depth of each frame, the way, a point cloud, a mesh, a video and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from scene3d.cli.inputs import check_every, images_of
from scene3d.cli.outputs import refuse_existing
from scene3d.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scene3d.engine.drive import Drive, Snippet
    from scene3d.engine.predictor import Predictor


def drive(
    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")],
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="INPUT")],
    *,
    out: Path,
    scene: str | None = None,
    K: tuple[float, float, float, float] | None = None,
    places: Literal["auto", "given", "estimated"] = "auto",
    every: int = 1,
    no_open3d: bool = False,
    device: str = "auto",
    overwrite: bool = False,
) -> int:
    """Predict a whole drive: depth of each frame, trajectory, point cloud, mesh, video and a report.

    Of a method with classes of voxels also those that the frames elect for the street, and how well they agree.

    Examples:
      scene3d drive street data/street --scene 2013_05_28_drive_0000_sync --out out/drive
      scene3d drive runs/depth drive/image_02/data --out out/drive --K 720 720 620 180
      scene3d drive runs/depth drive.mp4 --out out/drive --every 2

    Args:
        weights: run folder, weights file, the name of packaged weights: "street", or a released folder:
            "manydepth:FOLDER".
        source: root of a data set, as `scene3d data check` takes it; folder of images, posed or not; or video.
        out: folder for the results.
        scene: which drive of a tree; not needed where there is only one.
        K: fx fy cx cy of plain images or a video, pixels; without it the training's field of view is assumed.
        places: where cameras were: as the data says, as the method estimates, or what goes with the depth's scale.
        every: take one frame in so many.
        no_open3d: leave out the mesh, which needs Open3D.
        device: "auto", "cpu", "cuda" or "cuda:1".
        overwrite: replace results that exist.
    """
    check_every(every)
    refuse_existing(out, overwrite=overwrite)
    from scene3d.engine.drive import walk
    from scene3d.engine.drive_files import write_drive
    from scene3d.recipe import load

    predictor = load(weights, device=device)
    data, step = _snippets(predictor, source, scene, K, every)
    steps = walk(predictor.predict_frames, data, places=places, every=step)
    facts = {"weights": weights, "frames": f"of {source}{f', {scene}' if scene else ''}, one in {every}"}
    last = out
    for last in write_drive(steps, out, title=scene or source.name, facts=facts, open3d=not no_open3d):
        print(last)
    if last.suffix == ".html":
        print(f"next: open {last} in a browser")
    return 0


def _snippets(
    predictor: Predictor, source: Path, scene: str | None, K: tuple[float, float, float, float] | None, every: int
) -> tuple[Drive | Iterable[Snippet], int]:
    """The snippets of the input, and one in how many of them is to be taken."""
    from scene3d.data.snippets import Snippets
    from scene3d.data.trees import along, is_tree, read_drive

    if source.is_dir() and is_tree(source):
        if K is not None:
            raise UsageError(f"--K: {source} says which cameras it was taken with")
        read = read_drive(source, scene)
        return Snippets([read], along(read, predictor.snippet_config), training=False), every
    if scene is not None:
        raise UsageError(f"--scene: {source} is not a data set of several drives")
    # Images that are left out are still looked up by their neighbours, so they are thinned where they are read.
    return predictor.snippets(images_of(source), K, every=every), 1
