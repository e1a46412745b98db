"""`scene3d predict`: images in; depth, voxels, meshes and a report out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from scene3d.cli.inputs import VIDEO_SUFFIXES, check_every, images_of
from scene3d.cli.outputs import refuse_existing
from scene3d.errors import UsageError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from scene3d.engine.predictor import Predictor

Camera = tuple[float, float, float, float]


def predict(
    weights: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="WEIGHTS")],
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="INPUT")],
    *,
    out: Path,
    K: Camera | None = None,
    every: int = 1,
    shard: str = "1/1",
    no_open3d: bool = False,
    device: str = "auto",
    overwrite: bool = False,
) -> int:
    """Predict from an image, a folder of images or a video; for each image a folder of its own.

    A folder or a video that was not finished is gone on with by the same command: what is there is whole and stays.

    Examples:
      scene3d predict street photo.jpg --out out/photo
      scene3d predict runs/street drive/image_02/data --out out/drive --every 10 --shard 2/4
      scene3d predict runs/street drive.mp4 --out out/drive --K 720 720 620 180

    Args:
        weights: run folder, weights file, or the name of packaged weights: "street".
        source: image, folder of images, or video.
        out: folder for the results; one folder an image inside it unless the input is one image.
        K: fx fy cx cy of the images, pixels; without it the field of view of the training images is assumed.
        every: take one image or frame in so many.
        shard: which part of them, "2/4" being the second of four processes or machines that share the work.
        no_open3d: leave out the picture that needs Open3D.
        device: "auto", "cpu", "cuda" or "cuda:1".
        overwrite: replace results that exist.
    """
    check_every(every)
    several = source.is_dir() or source.suffix.lower() in VIDEO_SUFFIXES
    if not several:
        refuse_existing(out, overwrite=overwrite)
        if shard != "1/1":
            raise UsageError(f"--shard: {source} is one image")
    from scene3d.visualise.offscreen_child import Offscreen

    with Offscreen() as offscreen:
        if not no_open3d:
            offscreen.load_ahead()  # beside all that is imported from here on
        images = images_of(source)
        from scene3d.engine.batch_folder import whole_folder
        from scene3d.recipe import load
        from scene3d.visualise.results import write_results

        predictor = load(weights, device=device)
        camera = "assumed to be that of the training images" if K is None else f"{K}"
        results = _Batch(predictor, source, out, K, every, shard, overwrite) if several else None
        take = (lambda number: True) if results is None else results.takes
        facts = {"weights": weights, "K": camera}
        options: dict[str, Any] = {"facts": facts, "open3d": not no_open3d, "offscreen": offscreen}
        for frames, shot in predictor.snippets(images, K, every=every, take=take):
            if not no_open3d:
                offscreen.load_ahead()
            name = shot.image.stem if several else source.name
            place = out / name if several else out
            with whole_folder(out) if results is None else results.writing(name) as folder:
                prediction = predictor.predict_frames(frames)
                files = write_results(prediction, frames.image[0, 0], folder, title=name, **options)
            for path in files:
                print(place / path.name)
    return 0


class _Batch:
    """Which images of a folder or a video are still to be done by this process, and where their results go."""

    def __init__(
        self,
        predictor: Predictor,
        source: Path,
        out: Path,
        K: Camera | None,
        every: int,
        shard: str,
        overwrite: bool,
    ) -> None:
        from scene3d.engine.batch_folder import BatchFolder, Shard, unique_names
        from scene3d.engine.photographs import image_files

        self.every, self.shard = every, Shard.parse(shard)
        self.names = unique_names(image_files(source)) if source.is_dir() else None
        settings = {"weights": predictor.fingerprint, "K": K}
        self.folder = BatchFolder(out, settings, overwrite=overwrite)

    def takes(self, number: int) -> bool:
        """Whether the image of this number is still to be done here."""
        if self.names is not None and number >= len(self.names):
            return False
        name = f"{number:06d}" if self.names is None else self.names[number]
        return self.shard.has(number // self.every) and self.folder.wants(name)

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """As `BatchFolder.writing`."""
        return self.folder.writing(name)
