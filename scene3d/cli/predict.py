"""`scene3d predict`: images in; depth, voxels, meshes and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from scene3d.cli.inputs import VIDEO_SUFFIXES, check_every, images_of
from scene3d.cli.outputs import refuse_existing


def predict(
    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")],
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="INPUT")],
    *,
    out: Path,
    K: tuple[float, float, float, float] | None = None,
    every: int = 1,
    no_open3d: bool = False,
    device: str = "auto",
    overwrite: bool = False,
) -> int:
    """Predict from an image, a folder of images or a video; for each image a folder of its own.

    Examples:
      scene3d predict street photo.jpg --out out/photo
      scene3d predict runs/street drive/image_02/data --out out/drive --every 10
      scene3d predict runs/street drive.mp4 --out out/drive --K 720 720 620 180

    Args:
        weights: run folder, weights file, or the name of packaged weights: "street".
        source: image, folder of images, or video.
        out: folder for the results; one folder an image inside it unless the input is one image.
        K: fx fy cx cy of the images, pixels; without it the field of view of the training images is assumed.
        every: take one image or frame in so many.
        no_open3d: leave out the picture that needs Open3D.
        device: "auto", "cpu", "cuda" or "cuda:1".
        overwrite: replace results that exist.
    """
    check_every(every)
    images = images_of(source)
    refuse_existing(out, overwrite=overwrite)
    from scene3d.recipe import load
    from scene3d.visualise.results import write_results

    predictor = load(weights, device=device)
    several = source.is_dir() or source.suffix.lower() in VIDEO_SUFFIXES
    for frames, shot in predictor.snippets(images, K, every=every):
        name = shot.image.stem if several else ""
        files = write_results(
            predictor.predict_frames(frames),
            frames.image[0, 0],
            out / name if name else out,
            title=name or source.name,
            facts={"weights": weights, "K": "assumed to be that of the training images" if K is None else f"{K}"},
            open3d=not no_open3d,
            overwrite=overwrite,
        )
        for path in files:
            print(path)
    return 0
