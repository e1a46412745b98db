"""Photographs without cameras -> a folder of posed images with sparse points, by structure from motion (pycolmap)."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from scene3d.data.colmap import pycolmap, scene_of_model
from scene3d.data.images import IMAGE_SUFFIXES, image_size
from scene3d.data.posed_writing import write_posed_images
from scene3d.errors import DataError, UsageError, wrong_file

Matching = Literal["exhaustive", "sequential"]
"""Which pairs of photographs are compared: all, or those near each other by name, as of a video."""

FEWEST = 3
"""Photographs that a reconstruction needs; two alone say nothing of their scale against each other's noise."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """What became of a folder of photographs.

    Attributes:
        registered: photographs whose camera was found.
        photographs: all that were there.
        points: sparse points.
        error: mean reprojection error, pixels.
    """

    registered: int
    photographs: int
    points: int
    error: float


def register_photographs(
    folder: Path | str,
    out: Path | str,
    *,
    matching: Matching = "exhaustive",
    one_camera: bool = True,
    threads: int = -1,
    seed: int = 0,
) -> Registration:
    """Find the cameras of photographs and write those that were found, with their points, as posed images.

    The world has no scale and stands anyhow. Where the photographs fall apart into several models the largest is kept.

    Args:
        folder: of JPEG or PNG files; sub-folders are not looked into.
        out: a new folder; it appears whole or not at all.
        matching: see `Matching`.
        one_camera: whether all were taken with one camera and zoom; those of another size never are.
        threads: -1 takes one a core.
        seed: of the random trials.

    Raises:
        UsageError: `out` is there already.
        DataError: there are too few photographs, one is damaged, or too few of them show the same things.
        MissingExtraError: pycolmap is not installed.
    """
    folder, out = Path(folder), Path(out)
    if out.exists():
        raise UsageError(f"{out}: expected a folder that is not there yet, got one that is")
    files = sorted(path for path in folder.glob("*") if path.suffix.lower() in IMAGE_SUFFIXES)
    if len(files) < FEWEST:
        got = str(len(files)) if folder.is_dir() else "no such folder"
        raise wrong_file(folder, expected=f"{FEWEST} photographs (PNG or JPEG) or more", got=got)
    one_size = len({image_size(file) for file in files}) == 1
    library = pycolmap()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as work:
        model = _largest_model(library, folder, files, Path(work), matching, one_camera and one_size, threads, seed)
        scene = scene_of_model(model, folder, folder, out.name)
        made = Path(work) / "made"
        made.mkdir()
        write_posed_images(scene, made)
        os.replace(made, out)
    return Registration(
        registered=len(scene.shots),
        photographs=len(files),
        points=len(model.points3D),
        error=float(model.compute_mean_reprojection_error()),
    )


def _largest_model(
    library: Any, folder: Path, files: list[Path], work: Path, matching: Matching, single: bool, threads: int, seed: int
) -> Any:
    """The `pycolmap.Reconstruction` with the most images."""
    library.logging.minloglevel = library.logging.Level.FATAL.value
    library.set_random_seed(seed)
    database = work / "database.db"
    extraction, pairing = library.FeatureExtractionOptions(), library.FeatureMatchingOptions()
    extraction.num_threads = pairing.num_threads = threads
    mapping = library.IncrementalPipelineOptions()
    mapping.num_threads, mapping.random_seed, mapping.min_model_size = threads, seed, FEWEST
    match = {"exhaustive": library.match_exhaustive, "sequential": library.match_sequential}[matching]
    try:
        library.extract_features(
            database,
            folder,
            image_names=[file.name for file in files],
            camera_mode=library.CameraMode.SINGLE if single else library.CameraMode.PER_IMAGE,
            extraction_options=extraction,
            device=library.Device.cpu,
        )
        match(database, matching_options=pairing, device=library.Device.cpu)
        models = library.incremental_mapping(database, folder, work / "models", options=mapping)
    except (RuntimeError, ValueError) as error:
        raise DataError(f"{folder}: pycolmap stopped: {(str(error).splitlines() or ['no reason given'])[0]}") from error
    if not models:
        raise DataError(
            f"{folder}: expected photographs that show the same things, got none of {len(files)} registered",
            hint="take them closer together, with texture, and walk instead of turning on the spot",
        )
    return max(models.values(), key=lambda model: model.num_reg_images())
