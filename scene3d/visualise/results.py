"""Everything that follows from one prediction, as files: depth, features, voxels, points, meshes, a report."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.data.images import write_bytes, write_depth
from scene3d.data.sscbench import classes_of, raw_ids_of, write_classes, write_voxels
from scene3d.errors import MissingExtraError, UsageError
from scene3d.geometry.camera import CAM_TO_FORWARD, unproject
from scene3d.geometry.se3 import invert, transform
from scene3d.geometry.voxels import SSCBENCH
from scene3d.structures.labels import CITYSCAPES, SSC
from scene3d.structures.prediction import CompletionPrediction, Prediction
from scene3d.structures.solids import PointCloud
from scene3d.structures.tables import Table
from scene3d.visualise import pictures
from scene3d.visualise.files import write_mesh, write_points
from scene3d.visualise.offscreen_child import Offscreen
from scene3d.visualise.painter import paint_voxels
from scene3d.visualise.points import point_cloud
from scene3d.visualise.quads import class_palette, height_colours, height_palette, merged_faces, quad_mesh
from scene3d.visualise.report_html import Content, SolidView, class_legend, report_html

UNNAMED = SSC.index("other-object")
"""What occupied cells are called in label files when the method names no classes."""

OPEN3D = "open3d.png"

CAPTIONS = {"features": "features: their three main directions", "labels": "classes of pixels"}
"""What maps of pixels show, by the name they have in a prediction."""

_log = logging.getLogger(__name__)


def write_results(
    prediction: Prediction,
    image: Float[Tensor, "3 h w"],
    folder: Path | str,
    *,
    index: int = 0,
    title: str = "Completed scene",
    facts: Mapping[str, str] | None = None,
    tables: Sequence[Table] = (),
    extra: Sequence[tuple[str, Tensor]] = (),
    open3d: bool = True,
    offscreen: Offscreen | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write all that a prediction says of one image.

    - `depth.png`: 16 bit, metres x 256, 0 = none; `depth_colour.png`; `features.png`; `labels.png`.
    - `points.ply`: what the camera sees, coloured by the image; axes of the grid (x forward, y left, z up).
    - `voxels.label` (SSCBench raw ids) and `voxels.npy` (SSCBench classes); without semantics every
      occupied cell is "other-object". Only for the SSCBench grid, which these formats are made for.
    - `voxels.ply`, `voxels.glb`: the faces of the occupied cells, coloured by class, else by height.
    - `voxels.png`: a painted picture of them; `open3d.png`: the same mesh through Open3D, where it works.
    - `report.html`: all of it in one file, with a view that turns.

    Args:
        prediction: of a batch.
        image: what was predicted from, RGB in [0, 1], of any size.
        folder: made where it is absent.
        index: which one of the batch.
        title: heading of the report.
        facts: names and values to list in the report.
        tables: figures to show in the report.
        extra: captions and RGB pictures to add to the report, such as the truth.
        open3d: whether to try the Open3D picture, which may take 20 s on a machine without graphics.
        offscreen: who draws that, if it was loaded ahead.
        overwrite: replace files that are there.

    Returns:
        The files, in the order they were written.

    Raises:
        UsageError: a file is there and `overwrite` is not given; nothing is written then.
    """
    folder = Path(folder)
    drawer = (offscreen or Offscreen()) if open3d else None
    writers = _writers(_one(prediction, index), image, title, dict(facts or {}), tables, extra, drawer)
    for name in writers:
        if (folder / name).exists() and not overwrite:
            raise UsageError(f"{folder / name}: exists already", hint="--overwrite replaces it")
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    # Open3D draws in a process of its own, while the other files are written here.
    with ThreadPoolExecutor(max_workers=1) as beside:
        if OPEN3D in writers:
            drawing = beside.submit(writers.pop(OPEN3D), folder / OPEN3D)
            writers[OPEN3D] = lambda _: drawing.result()
        for name, write in writers.items():
            try:
                write(folder / name)
                written.append(folder / name)
            except MissingExtraError as error:
                _log.warning("%s left out: %s", name, error)
    return written


def voxel_classes(prediction: CompletionPrediction) -> Int[Tensor, "X Y Z"]:
    """Class of each cell of the first scene; occupied cells without a class are `UNNAMED`."""
    occupied = prediction.density[0] >= prediction.threshold
    if prediction.classes is None:
        return torch.where(occupied, UNNAMED, 0)
    return prediction.classes[0]


class _Scene:
    """What several files share, made once when the first of them asks for it."""

    def __init__(self, prediction: Prediction, image: Tensor) -> None:
        self.prediction, self.image = prediction, image.cpu()
        self.cam_to_grid = torch.tensor(CAM_TO_FORWARD)  # for predictions that have no grid
        if isinstance(prediction, CompletionPrediction):
            self.cam_to_grid = invert(prediction.grid_to_cam[0].cpu())
            self.classes = voxel_classes(prediction).cpu()
            named = prediction.classes is not None
            self.colour = self.classes if named else height_colours(self.classes != 0)
            self.palette = class_palette() if named else height_palette(self.colour.shape[2])
            self.quads = merged_faces(self.colour)

    @cached_property
    def points(self) -> PointCloud:
        """What the camera sees."""
        if isinstance(self.prediction, CompletionPrediction) and self.prediction.points is not None:
            return self.prediction.points[0]
        depth, K = self.prediction.depth[0].cpu(), self.prediction.K[0].cpu()
        return point_cloud(depth, K, self.image, self.cam_to_grid)

    @cached_property
    def depth(self) -> Tensor:
        """Picture of the depth."""
        return pictures.depth_picture(self.prediction.depth[0])

    @cached_property
    def maps(self) -> dict[str, Tensor]:
        """Pictures of features and classes of pixels, where there are any."""
        found = {}
        if isinstance(self.prediction, CompletionPrediction) and self.prediction.features is not None:
            found["features"] = pictures.feature_picture(self.prediction.features[0])
        if isinstance(self.prediction, CompletionPrediction) and self.prediction.labels is not None:
            found["labels"] = pictures.label_picture(self.prediction.labels[0], CITYSCAPES)
        return found

    @cached_property
    def painted(self) -> Tensor:
        """Picture of the voxels."""
        assert isinstance(self.prediction, CompletionPrediction)
        return paint_voxels(self.colour, self.palette, self.prediction.frame)

    def frustum(self, reach: float = 2.0) -> np.ndarray:
        """Centre and corners of the camera's view at `reach` metres, in the axes of the grid."""
        height, width = self.prediction.depth.shape[-2:]
        corners = torch.tensor([[0.0, 0], [width, 0], [width, height], [0, height]])
        rays = unproject(corners, torch.full((4,), reach), self.prediction.K[0].cpu())
        return transform(self.cam_to_grid, torch.cat([torch.zeros(1, 3), rays])).numpy()

    def solid(self) -> SolidView | None:
        """Voxels for the report."""
        if not isinstance(self.prediction, CompletionPrediction) or max(self.prediction.frame.shape) > 256:
            return None
        legend = () if self.prediction.classes is None else class_legend(self.classes.flatten())
        return SolidView(quads=self.quads, frame=self.prediction.frame, palette=self.palette, legend=legend)


def _writers(
    prediction: Prediction,
    image: Tensor,
    title: str,
    facts: dict[str, str],
    tables: Sequence[Table],
    extra: Sequence[tuple[str, Tensor]],
    offscreen: Offscreen | None,
) -> dict[str, Callable[[Path], object]]:
    """What writes each file, by its name.

    Pictures are made when they are written, so that the drawing by Open3D, which starts first, waits for none of them.
    """
    scene = _Scene(prediction, image)
    files: dict[str, Callable[[Path], object]] = {
        "depth.png": lambda path: write_depth(path, prediction.depth[0].cpu()),
        "depth_colour.png": lambda path: pictures.write_picture(path, scene.depth),
    }
    for name in CAPTIONS:
        if getattr(prediction, name, None) is not None:
            files[f"{name}.png"] = partial(_write_map, scene, name)
    files["points.ply"] = lambda path: write_points(path, scene.points)
    if isinstance(prediction, CompletionPrediction):
        files |= _voxel_writers(scene, prediction, offscreen)
    files["report.html"] = lambda path: write_bytes(
        path, report_html(_content(scene, title, facts, tables, extra)).encode()
    )
    return files


def _write_map(scene: _Scene, name: str, path: Path) -> None:
    pictures.write_picture(path, scene.maps[name])


def _content(
    scene: _Scene, title: str, facts: dict[str, str], tables: Sequence[Table], extra: Sequence[tuple[str, Tensor]]
) -> Content:
    """What the report shows."""
    shown = [("input image", pictures.image_picture(scene.image)), ("depth: near is bright", scene.depth)]
    shown += [(CAPTIONS[name], picture) for name, picture in scene.maps.items()]
    return Content(
        title=title,
        subtitle=_subtitle(scene),
        pictures=[*shown, *extra],
        poster=scene.painted if isinstance(scene.prediction, CompletionPrediction) else scene.depth,
        points=scene.points,
        camera=scene.frustum(),
        solid=scene.solid(),
        facts=facts,
        tables=tables,
    )


def _voxel_writers(
    scene: _Scene, prediction: CompletionPrediction, offscreen: Offscreen | None
) -> dict[str, Callable[[Path], object]]:
    from scene3d.visualise.viewer import draw_mesh

    mesh = quad_mesh(scene.quads, prediction.frame, scene.palette)
    files: dict[str, Callable[[Path], object]] = {}
    if prediction.frame == SSCBENCH:
        raw = raw_ids_of(scene.classes, SSC)
        classes = classes_of(raw, torch.zeros_like(raw, dtype=torch.bool))
        files["voxels.label"] = lambda path: write_voxels(path, raw, overwrite=True)
        files["voxels.npy"] = lambda path: write_classes(path, classes, overwrite=True)
    files["voxels.ply"] = lambda path: write_mesh(path, mesh)
    files["voxels.glb"] = lambda path: write_mesh(path, mesh)
    files["voxels.png"] = lambda path: pictures.write_picture(path, scene.painted)
    if offscreen is not None:
        files[OPEN3D] = lambda path: draw_mesh(path, mesh, prediction.frame, offscreen)
    return files


def _subtitle(scene: _Scene) -> str:
    parts = [f"{len(scene.points.points):,} points"]
    if isinstance(scene.prediction, CompletionPrediction):
        frame = scene.prediction.frame
        full = int((scene.classes != 0).sum())
        parts.append(f"{full:,} of {scene.classes.numel():,} cells of {frame.size:g} m occupied")
        parts.append(f"density from {scene.prediction.threshold:.3g} per metre on")
    if not scene.prediction.is_metric:
        parts.append("known up to scale: lengths are not metres")
    return " · ".join(parts)


def _one(prediction: Prediction, index: int) -> Prediction:
    """One of a batch, as a batch of one."""
    values: dict[str, Any] = {f.name: getattr(prediction, f.name) for f in fields(prediction)}
    chosen = {k: v[index : index + 1].detach() for k, v in values.items() if isinstance(v, Tensor)}
    if values.get("points") is not None:
        chosen["points"] = values["points"][index : index + 1]
    return type(prediction)(**(values | chosen))
