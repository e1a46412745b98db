"""A folder of images with a small JSON of ours -> Scene: the way in for anybody's own data.

``scene.json`` lies beside the images and says, for each, what is known::

    {
      "images": [
        {
          "file": "000000.png",
          "K": [[552.5, 0, 682.5], [0, 552.5, 239.3], [0, 0, 1]],
          "frame": 0,
          "sensor": "left",
          "cam_to_world": [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]],
          "time": 0.0,
          "depth": "depth/000000.png",
          "labels": "labels/000000.png",
          "mask": "mask/000000.png"
        }
      ],
      "label_ids": {"7": 0, "8": 1},
      "bounds": [[-1, -1, -1], [1, 1, 1]],
      "sparse": "sparse.npz"
    }

Only ``file`` and K are required; K may also be said as ``fx``, ``fy``, ``cx``, ``cy``. K is in pixels of the
image, whose first pixel has its centre at (0.5, 0.5); add 0.5 to a principal point that counts from pixel
centres. ``cam_to_world`` is in metres with x right, y down and z forward. Without ``frame`` images are
numbered as they come. ``width`` and ``height`` may say the size that K is for; an image of another size is an
error. ``distortion``, OpenCV's k1, k2, p1, p2, says that the image is not a pinhole's: it is undistorted when read, and
K is that of the undistorted image too. ``mask`` is bright where the object is, and ``bounds`` are the corners of what
is to be looked at, in the world. ``sparse`` names points with their tracks, see `scene3d.data.sparse_files`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from pydantic import Field, model_validator

from scene3d.config import Config
from scene3d.data.images import image_size
from scene3d.data.json_files import read_json
from scene3d.data.lens import Distortion, view_through
from scene3d.data.scene_folders import Layout, scene_name
from scene3d.data.sparse_files import read_sparse
from scene3d.errors import wrong_file
from scene3d.geometry.se3 import is_rigid
from scene3d.structures.scene import Scene, Shot

FILE = "scene.json"
LAYOUT = Layout(FILE, (FILE,))

Row3 = tuple[float, float, float]
Row4 = tuple[float, float, float, float]


class PosedImage(Config):
    """One entry of ``images``; see the head of this file."""

    file: str
    K: tuple[Row3, Row3, Row3] | None = None
    fx: float | None = Field(default=None, gt=0)
    fy: float | None = Field(default=None, gt=0)
    cx: float | None = None
    cy: float | None = None
    width: int | None = Field(default=None, gt=0)
    height: int | None = Field(default=None, gt=0)
    frame: int | None = Field(default=None, ge=0)
    sensor: str = "left"
    cam_to_world: tuple[Row4, Row4, Row4, Row4] | None = None
    time: float | None = None
    distortion: Distortion = (0.0, 0.0, 0.0, 0.0)
    depth: str | None = None
    labels: str | None = None
    mask: str | None = None

    @model_validator(mode="after")
    def _one_camera(self) -> PosedImage:
        said = [value is not None for value in (self.fx, self.fy, self.cx, self.cy)]
        if (self.K is None) != all(said) or (self.K is not None and any(said)):
            raise ValueError("expected either K or all of fx, fy, cx, cy")
        if any(self.distortion) and self.K is not None and self.K[0][1] != 0:
            raise ValueError("expected K without skew beside a distortion")
        return self

    def matrix(self) -> torch.Tensor:
        """K, float64."""
        rows = self.K or ((self.fx, 0.0, self.cx), (0.0, self.fy, self.cy), (0.0, 0.0, 1.0))
        return torch.tensor(rows, dtype=torch.float64)


class PosedImages(Config):
    """The whole of ``scene.json``."""

    images: tuple[PosedImage, ...] = Field(min_length=1)
    label_ids: dict[int, int] = Field(default_factory=dict)
    bounds: tuple[Row3, Row3] | None = None
    sparse: str | None = None


def read_posed_images(root: Path | str, names: Sequence[str] | None = None) -> list[Scene]:
    """Scenes of a folder that holds a ``scene.json``, or whose sub-folders do.

    Args:
        root: the folder.
        names: sub-folders to read, or the name of the folder itself; None reads all.

    Raises:
        DataError: there is no ``scene.json``, or it is not what it should be; an image that it names is
            missing or of another size; a transform is not rigid.
    """
    return [_read_folder(folder) for folder in LAYOUT.folders(root, names)]


def _read_folder(folder: Path) -> Scene:
    path = folder / FILE
    said, _ = read_json(path, PosedImages)
    shots = [_shot(path, image, number) for number, image in enumerate(said.images)]
    seen: dict[tuple[int, str], Shot] = {}
    for shot in shots:
        other = seen.setdefault((shot.frame, shot.sensor), shot)
        if other is not shot:
            raise wrong_file(
                path,
                expected=f"one image of sensor {shot.sensor} at frame {shot.frame}",
                got=f"{other.image.name} and {shot.image.name}",
            )
    order = sorted(range(len(shots)), key=lambda i: (shots[i].frame, shots[i].sensor))
    places = sorted(range(len(shots)), key=order.__getitem__)
    bounds = None if said.bounds is None else torch.tensor(said.bounds, dtype=torch.float64)
    return Scene(
        name=scene_name(folder),
        shots=tuple(shots[i] for i in order),
        label_ids=said.label_ids,
        bounds=bounds,
        sparse=None if said.sparse is None else read_sparse(folder / said.sparse, places),
    )


def _shot(path: Path, said: PosedImage, number: int) -> Shot:
    image = path.parent / said.file
    height, width = image_size(image)
    for side, stated, actual in (("width", said.width, width), ("height", said.height, height)):
        if stated is not None and stated != actual:
            raise wrong_file(image, expected=f"{side} {stated}, which its K is for", got=str(actual))
    K, frame = said.matrix(), number if said.frame is None else said.frame
    if not torch.isfinite(K).all() or K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
        raise wrong_file(path, expected=f"a camera matrix K for {said.file}", got=str(K.tolist()))
    cam_to_world = None
    if said.cam_to_world is not None:
        cam_to_world = torch.tensor(said.cam_to_world, dtype=torch.float64)
        if not is_rigid(cam_to_world):
            raise wrong_file(path, expected=f"a rigid cam_to_world for {said.file}", got=str(said.cam_to_world))
    camera, virtual = view_through(K, height, width, said.distortion)
    return Shot(
        image=image,
        frame=frame,
        sensor=said.sensor,
        camera=camera,
        virtual=virtual,
        cam_to_world=cam_to_world,
        time=said.time,
        labels=None if said.labels is None else path.parent / said.labels,
        depth=None if said.depth is None else path.parent / said.depth,
        mask=None if said.mask is None else path.parent / said.mask,
    )
