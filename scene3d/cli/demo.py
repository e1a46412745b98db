"""`scene3d demo`: the main job on what comes with the package: no network, no account, no data."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from scene3d.cli.outputs import refuse_existing
from scene3d.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from scene3d.evaluation.report import Report
    from scene3d.structures.frames import Frames
    from scene3d.structures.prediction import Prediction
    from scene3d.structures.tables import Table

FRAME = 30  # of the street's drive: half way


def demo(
    *,
    out: Path = Path("out/demo"),
    image: Path | None = None,
    seed: int = 9000,
    weights: str = "street",
    no_open3d: bool = False,
    device: str = "auto",
    overwrite: bool = False,
) -> int:
    """Complete a street that the network has never seen, and a photograph if one is given.

    Examples:
      scene3d demo --out out/demo
      scene3d demo --out out/mine --image photo.jpg

    Args:
        out: folder for depth, features, voxels, point cloud, meshes, pictures and report.html.
        image: a photograph to complete as well.
        seed: of the street; the packaged weights were trained on seeds below 9000.
        weights: name of packaged weights, weights file or run folder.
        no_open3d: leave out the picture that needs Open3D.
        device: "auto", "cpu", "cuda" or "cuda:1".
        overwrite: replace results that exist.
    """
    if image is not None and not image.is_file():
        raise DataError(f"{image}: expected an image, got {'a folder' if image.is_dir() else 'no such file'}")
    refuse_existing(out, overwrite=overwrite)
    start = time.monotonic()
    from scene3d.data.street import make_street
    from scene3d.data.street.truth import true_view
    from scene3d.recipe import load

    predictor = load(weights, device=device)
    photo = None if image is None else predictor.frames(image)
    print(f"completing frame {FRAME} of street {seed} from one image")
    frames = true_view(make_street(seed), FRAME, predictor.view.camera)
    results = _Results(out, open3d=not no_open3d, overwrite=overwrite)
    prediction = predictor.predict_frames(frames)
    report = _compared(prediction, frames)
    truth = _truth_pictures(frames)
    results.write(prediction, frames, "street", f"Frame {FRAME} of street {seed}", report.tables, truth)
    if image is not None and photo is not None:
        print(f"completing {image}")
        results.write(predictor.predict_frames(photo), photo, "photo", image.name)
    for table in report.tables:
        print(f"{table.title}, {_first_row(table)}")
    for path in results.files:
        print(path)
    took = time.monotonic() - start
    print(f"{len(results.files)} files in {took:.0f} s; open {out / 'street' / 'report.html'} in a browser")
    return 0


class _Results:
    """The files written so far, and how to write more."""

    def __init__(self, out: Path, *, open3d: bool, overwrite: bool) -> None:
        self.out, self.open3d, self.overwrite = out, open3d, overwrite
        self.files: list[Path] = []

    def write(
        self,
        prediction: Prediction,
        frames: Frames,
        name: str,
        title: str,
        tables: Sequence[Table] = (),
        extra: Sequence[tuple[str, Tensor]] = (),
    ) -> None:
        """Everything that follows from one prediction, into a folder of that name."""
        from scene3d.visualise.results import write_results

        self.files += write_results(
            prediction,
            frames.image[0, 0],
            self.out / name,
            title=title,
            tables=tables,
            extra=extra,
            open3d=self.open3d,
            overwrite=self.overwrite,
        )


def _compared(prediction: Prediction, frames: Frames) -> Report:
    """The prediction against the exact truth of the street."""
    from scene3d.engine.evaluator import EvaluateConfig, evaluate

    class Said:
        def predict(self, frames: Frames) -> Prediction:
            return prediction

    config = EvaluateConfig(protocol="street exact", crop=False, ranges=(12.8, 25.6))
    return evaluate(Said(), [frames], config, split="one view of a new street", device=prediction.depth.device)


def _first_row(table: Table) -> str:
    name, figures = next(iter(table.rows.items()))
    said = (f"{c} {f:.3f}" for c, f in zip(table.columns, figures, strict=True) if f is not None)
    return f"{name}: {', '.join(islice(said, 3))}"


def _truth_pictures(frames: Frames) -> list[tuple[str, Tensor]]:
    """The exact depth and voxels, to set beside the predicted ones."""
    from scene3d.geometry.voxels import SSCBENCH
    from scene3d.visualise.painter import paint_voxels
    from scene3d.visualise.pictures import depth_picture
    from scene3d.visualise.quads import class_palette

    assert frames.depth is not None and frames.voxels is not None
    voxels = paint_voxels(frames.voxels[0], class_palette(), SSCBENCH)
    return [("true depth", depth_picture(frames.depth[0, 0])), ("true voxels", voxels)]
