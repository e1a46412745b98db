"""Handheld RGB-D: TUM's sequences and 7-Scenes', colour beside depth with a measured transform a frame.

TUM      SEQUENCE/{rgb,depth}.txt       lines of: seconds, file
         SEQUENCE/groundtruth.txt       lines of: seconds, x y z, qx qy qz qw of the colour camera
7-Scenes SEQUENCE/frame-000000.{color,depth}.png, frame-000000.pose.txt     cam_to_world; colour may be a .jpg
         SEQUENCE/camera-intrinsics.txt, or beside the sequence              K, 3 x 3; may be absent
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.images import IMAGE_SUFFIXES, image_size
from scene3d.data.kitti_files import checked_rigid, read_rows, read_text
from scene3d.data.scene_folders import SENSOR, Layout, scene_name
from scene3d.data.trajectory_files import associate_stamps, read_tum_trajectory
from scene3d.errors import DataError, wrong_file
from scene3d.geometry.camera import Camera
from scene3d.structures.scene import Scene, Shot

TUM = Layout("rgb.txt", ("rgb.txt",))
SEVEN_SCENES = Layout("frame-*.pose.txt", ("frame-*.pose.txt",))

Intrinsics = tuple[float, float, float, float]
"""fx, fy, cx, cy in pixels, cx and cy counted from the centre of the first pixel."""

TUM_INTRINSICS: Intrinsics = (525.0, 525.0, 319.5, 239.5)
"""What the data set's page advises for its registered depth."""

SEVEN_SCENES_INTRINSICS: Intrinsics = (585.0, 585.0, 320.0, 240.0)
"""The focal length of the depth camera, which the data set's page gives for both: they are not registered."""

TUM_STEPS = 5000.0
MILLIMETRES = 1000.0
NOT_MEASURED = 65535
"""What 7-Scenes writes where depth is invalid."""


def read_tum_rgbd(
    root: Path | str,
    names: Sequence[str] | None = None,
    *,
    intrinsics: Intrinsics = TUM_INTRINSICS,
    within: float = 0.02,
) -> list[Scene]:
    """Scenes of a TUM RGB-D sequence, or of the sequences in a folder, in metres.

    Each colour image takes the depth image and the transform that are nearest in time. Images without a transform are
    left out; those without depth are kept.

    Args:
        root: the sequence, or the folder of several.
        names: sequences to read; None reads all.
        intrinsics: of both cameras.
        within: largest difference in time, seconds.

    Raises:
        DataError: a file is missing or not what it should be, or no image has a transform.
    """
    return [_read_tum(folder, intrinsics, within) for folder in TUM.folders(root, names)]


def _read_tum(folder: Path, intrinsics: Intrinsics, within: float) -> Scene:
    stamps, images = _timed_files(folder / "rgb.txt")
    depths: dict[int, Path] = {}
    if (folder / "depth.txt").exists():
        other_stamps, others = _timed_files(folder / "depth.txt")
        pairs = zip(*associate_stamps(stamps, other_stamps, within), strict=True)
        depths = {int(i): others[int(j)] for i, j in pairs}
    measured = folder / "groundtruth.txt"
    if not measured.exists():
        hint = f"scene3d data from-images {folder / 'rgb'} finds where cameras stood"
        raise wrong_file(measured, expected="the transforms of the sequence", got="no such file", hint=hint)
    truth = read_tum_trajectory(measured)
    placed, places = associate_stamps(stamps, truth.stamps, within)
    if len(placed) == 0:
        expected = f"transforms within {within:g} s of the images of rgb.txt"
        raise wrong_file(measured, expected=expected, got="none")
    first = float(stamps[placed[0]])
    shots = [
        Shot(
            image=images[i],
            frame=i,
            sensor=SENSOR,
            camera=_camera(intrinsics, images[i]),
            cam_to_world=truth.body_to_world[j],
            time=float(stamps[i]) - first,
            depth=depths.get(i),
            depth_steps=TUM_STEPS,
        )
        for i, j in zip(placed.tolist(), places.tolist(), strict=True)
    ]
    return Scene(name=scene_name(folder), shots=tuple(shots))


def _timed_files(path: Path) -> tuple[Float[Tensor, "N"], list[Path]]:  # noqa: UP037
    """Seconds, which increase, and the file of each line."""
    stamps: list[float] = []
    files: list[Path] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        try:
            stamp, file = float(words[0]), words[1]
        except (ValueError, IndexError):
            expected = f"seconds and a file on line {number}"
            raise wrong_file(path, expected=expected, got=line.strip()[:60]) from None
        if stamps and not stamp > stamps[-1]:
            raise wrong_file(path, expected=f"a time above {stamps[-1]:.15g} on line {number}", got=words[0])
        stamps.append(stamp)
        files.append(path.parent / file)
    if not files:
        raise wrong_file(path, expected="lines of seconds and a file", got="none")
    return torch.tensor(stamps, dtype=torch.float64), files


def read_seven_scenes(
    root: Path | str, names: Sequence[str] | None = None, *, intrinsics: Intrinsics = SEVEN_SCENES_INTRINSICS
) -> list[Scene]:
    """Scenes of a 7-Scenes sequence, or of the sequences in a folder, in metres.

    Colour and depth are taken to show the same pixels, which is true to a few of them.

    Args:
        root: the sequence, or the folder of several.
        names: sequences to read; None reads all.
        intrinsics: of both cameras, where there is no ``camera-intrinsics.txt``.

    Raises:
        DataError: a file is missing or not what it should be.
    """
    return [_read_seven_scenes(folder, intrinsics) for folder in SEVEN_SCENES.folders(root, names)]


def _read_seven_scenes(folder: Path, intrinsics: Intrinsics) -> Scene:
    for place in (folder, folder.parent):
        if (place / "camera-intrinsics.txt").is_file():
            intrinsics = _read_intrinsics(place / "camera-intrinsics.txt")
            break
    shots = []
    for path in sorted(folder.glob("frame-*.pose.txt")):
        stem = path.name.removesuffix(".pose.txt")
        if not stem[6:].isdecimal():
            raise DataError(f"{path}: expected frame-<number>.pose.txt, got {path.name}")
        image = next((p for end in IMAGE_SUFFIXES if (p := folder / f"{stem}.color{end}").exists()), None)
        if image is None:
            raise wrong_file(path, expected=f"{stem}.color.png or .jpg beside it", got="none")
        matrix = read_rows(path, 4)
        if len(matrix) != 4:
            raise wrong_file(path, expected="4 lines of 4 numbers", got=f"{len(matrix)} lines")
        depth = folder / f"{stem}.depth.png"
        shots.append(
            Shot(
                image=image,
                frame=int(stem[6:]),
                sensor=SENSOR,
                camera=_camera(intrinsics, image),
                cam_to_world=checked_rigid(matrix, path, "it"),
                depth=depth if depth.exists() else None,
                depth_steps=MILLIMETRES,
                depth_unknown=NOT_MEASURED,
            )
        )
    return Scene(name=scene_name(folder), shots=tuple(shots))


def _read_intrinsics(path: Path) -> Intrinsics:
    K = read_rows(path, 3)
    if K.shape != (3, 3) or K[0, 0] <= 0 or K[1, 1] <= 0 or K[2].tolist() != [0, 0, 1]:
        raise wrong_file(path, expected="a camera matrix K of 3 x 3 numbers", got=str(K.tolist())[:60])
    return float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])


def _camera(intrinsics: Intrinsics, image: Path) -> Camera:
    fx, fy, cx, cy = intrinsics
    K = torch.tensor([[fx, 0, cx + 0.5], [0, fy, cy + 0.5], [0, 0, 1]], dtype=torch.float64)
    return Camera(K, *image_size(image))
