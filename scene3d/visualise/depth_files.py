"""Every frame of a drive as image files: depth to compute with, depth to look at, and what goes with it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scene3d.data.images import write_bytes, write_depth
from scene3d.structures.drive import DriveStep
from scene3d.visualise.pictures import depth_picture, image_picture, write_picture

METRIC_RANGE = (4.0, 80.0)
"""Nearest and farthest colour of metric depth, metres: a road from in front of the car to where it hardly changes."""

DEVIATION_SCALE = 65535.0
"""Steps of 1/m of the 16-bit deviation PNG."""


@dataclass(frozen=True)
class DepthRange:
    """The depths between which colours run, the same over a drive so that they can be compared.

    Attributes:
        nearest, farthest: in the unit of the depth.
    """

    nearest: float
    farthest: float

    @staticmethod
    def of(step: DriveStep) -> DepthRange:
        """The range of the drive that this is the first frame of: a fixed one in metres, else what it spans itself."""
        if step.prediction.is_metric:
            return DepthRange(*METRIC_RANGE)
        depth = step.prediction.depth
        known = depth[(depth > 0) & torch.isfinite(depth)].double().cpu().numpy()
        if len(known) == 0:
            return DepthRange(*METRIC_RANGE)
        nearest, farthest = np.percentile(known, [1, 99])
        return DepthRange(float(nearest), float(max(farthest, 1.001 * nearest)))

    def picture(self, depth: Float[Tensor, "H W"]) -> UInt8[Tensor, "H W 3"]:
        """Depth in colours, even in inverse depth: near is bright, far is dark."""
        return depth_picture(depth, nearest=self.nearest, farthest=self.farthest)


def step_pictures(step: DriveStep, colours: DepthRange) -> list[tuple[str, UInt8[Tensor, "H W 3"]]]:
    """Caption and picture of a frame's image, depth and, where the method says one, confidence."""
    shown = [("image", image_picture(step.image)), ("depth: near is bright", colours.picture(step.prediction.depth[0]))]
    if step.prediction.confidence is not None:
        gray = _bytes_of(step.prediction.confidence[0])
        shown.append(("confidence: sure is bright", torch.from_numpy(gray)[..., None].expand(-1, -1, 3).contiguous()))
    return shown


def write_step(step: DriveStep, folder: Path | str, colours: DepthRange) -> list[Path]:
    """Write one frame into folders by kind, under its number: `depth/0000000012.png`.

    - `depth`: 16 bit, depth x 256 (metres where it is metric), 0 = none.
    - `colour`: depth in colours.
    - `confidence`: 8 bit, 255 = 1; `deviation`: 16 bit, of the inverse depth, 1/m x 65535; `moving`: 255 where it
      moves. Each where the method says it.

    Raises:
        DataError: a file cannot be written.
    """
    said = step.prediction
    name = f"{step.number:010d}.png"
    files = {kind: Path(folder) / kind / name for kind in ("depth", "colour")}
    grays: dict[str, np.ndarray] = {}
    if said.confidence is not None:
        grays["confidence"] = _bytes_of(said.confidence[0])
    if said.deviation is not None:
        steps = (said.deviation[0].nan_to_num() * DEVIATION_SCALE).round().clamp(0, 65535)
        grays["deviation"] = steps.cpu().numpy().astype(np.uint16)
    if said.moving is not None:
        grays["moving"] = said.moving[0].cpu().numpy().astype(np.uint8) * 255
    files |= {kind: Path(folder) / kind / name for kind in grays}
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    write_depth(files["depth"], said.depth[0])
    write_picture(files["colour"], colours.picture(said.depth[0]))
    for kind, gray in grays.items():
        _write_gray(files[kind], gray)
    return list(files.values())


def _bytes_of(share: Float[Tensor, "H W"]) -> UInt8[np.ndarray, "H W"]:
    """Values in [0, 1] as bytes."""
    return (share.detach().nan_to_num().clamp(0, 1) * 255).round().cpu().numpy().astype(np.uint8)


def _write_gray(path: Path, gray: np.ndarray) -> None:
    from PIL import Image

    with io.BytesIO() as stream:
        Image.fromarray(gray).save(stream, format="PNG")
        write_bytes(path, stream.getvalue())
