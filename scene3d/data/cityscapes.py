"""Cityscapes: snippets of video, stereo partners, disparity and labels -> Scenes without the car's own bonnet.

ROOT/leftImg8bit_sequence/<split>/<city>/<city>_<sequence>_<frame>_leftImg8bit.png   30 frames, the 20th annotated
ROOT/leftImg8bit/...                       the annotated frames alone, where there is no sequence
ROOT/rightImg8bit_sequence/... or rightImg8bit/...
ROOT/camera/<split>/<city>/..._camera.json       also under camera_trainvaltest/, with or without camera/ in it
ROOT/disparity_sequence/... or disparity/<split>/<city>/..._disparity.png
ROOT/gtFine/<split>/<city>/..._gtFine_labelIds.png
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from scene3d.data.images import image_size
from scene3d.data.kitti_files import read_text
from scene3d.errors import DataError, wrong_file
from scene3d.geometry.camera import Camera
from scene3d.structures.labels import CITYSCAPES_IDS
from scene3d.structures.scene import Scene, Shot

FRAME_RATE = 17.0
"""Images a second."""

SIDES = {"left": "leftImg8bit", "right": "rightImg8bit"}
Place = tuple[int, int]
"""Number of a sequence, and of a frame in it."""


@dataclass(frozen=True)
class _City:
    """The files of one city, by sequence and frame."""

    name: str
    images: Mapping[str, Mapping[Place, Path]]
    cameras: Mapping[Place, Path]
    disparities: Mapping[Place, Path]
    labels: Mapping[Place, Path]


def read_cityscapes(root: Path | str, names: Sequence[str] | None = None, *, keep: float = 0.75) -> list[Scene]:
    """Scenes of Cityscapes, one a snippet of consecutive frames, called `<city>_<sequence>_<first frame>`.

    Transforms are not known: cam_to_world is None. The principal point is taken to count from pixel centres, as
    OpenCV's does. Disparity belongs to the left camera.

    Args:
        root: folder that holds `leftImg8bit_sequence` or `leftImg8bit`.
        names: cities, or snippets by the name of their scene; None reads all.
        keep: share of the rows, from the top, that is kept; the lowest quarter shows the car's own bonnet.

    Raises:
        DataError: a city or snippet is missing, or a file of it is not what it should be.
    """
    root = Path(root)
    there = cities(root)
    if not there:
        got = "none" if root.is_dir() else "no such folder"
        raise wrong_file(root, expected="leftImg8bit_sequence/<split>/<city> or leftImg8bit/<split>/<city>", got=got)
    wanted = {name.split("_")[0] for name in names or there}
    for city in sorted(wanted - set(there)):
        known = ", ".join(there[:5]) + (", ..." if len(there) > 5 else "")
        raise wrong_file(root, expected=f"a city named {city}", got=known)
    scenes = [scene for city in there if city in wanted for scene in _scenes(_city(root, city), keep)]
    if names is None:
        return scenes
    for name in names:
        if all(name not in (scene.name, city_of(scene.name)) for scene in scenes):
            raise wrong_file(root, expected=f"a snippet named {name}", got=f"{len(scenes)} others of that city")
    return [scene for scene in scenes if {scene.name, city_of(scene.name)} & {*names}]


def city_of(scene: str) -> str:
    """City of a scene by its name."""
    return scene.split("_")[0]


def image_folder(root: Path, side: str = "left") -> Path | None:
    """Folder of the images of a side: sequences before single frames; None where there is neither."""
    return _folder(root, f"{SIDES[side]}_sequence", SIDES[side])


def cities(root: Path) -> list[str]:
    """Names of the cities that have left images, in order."""
    folder = image_folder(root)
    return [] if folder is None else sorted({city.name for city in folder.glob("*/*") if city.is_dir()})


def city_folders(root: Path, city: str) -> tuple[Path, ...]:
    """The folders of a city's images."""
    sides = [folder for side in SIDES if (folder := image_folder(root, side)) is not None]
    return tuple(place for folder in sides for place in sorted(folder.glob(f"*/{city}")))


def _folder(root: Path, *kinds: str) -> Path | None:
    """The first of the kinds that is there, as it is or as the archive of all splits unpacks."""
    for kind in kinds:
        for place in (root / kind, root / f"{kind}_trainvaltest" / kind, root / f"{kind}_trainvaltest"):
            if place.is_dir():
                return place
    return None


def _city(root: Path, name: str) -> _City:
    images = {side: _files(_folder(root, f"{kind}_sequence", kind), name, kind) for side, kind in SIDES.items()}
    return _City(
        name=name,
        images={side: files for side, files in images.items() if files},
        cameras=_files(_folder(root, "camera"), name, "camera"),
        disparities=_files(_folder(root, "disparity_sequence", "disparity"), name, "disparity"),
        labels=_files(_folder(root, "gtFine"), name, "gtFine_labelIds"),
    )


def _files(folder: Path | None, city: str, what: str) -> dict[Place, Path]:
    pattern = re.compile(rf"{re.escape(city)}_(\d+)_(\d+)_{what}\.(png|jpg|jpeg|json)")
    found: dict[Place, Path] = {}
    for path in sorted(folder.glob(f"*/{city}/*")) if folder is not None else ():
        match = pattern.fullmatch(path.name)
        if match is None:
            continue
        place = (int(match[1]), int(match[2]))
        other = found.setdefault(place, path)
        if other is not path:
            raise DataError(f"{path}: frame {place[1]} of sequence {place[0]} is there twice, also as {other}")
    return found


def _scenes(city: _City, keep: float) -> list[Scene]:
    if not city.images.get("left"):
        return []
    height, width = image_size(next(iter(city.images["left"].values())))
    rows = round(height * keep)
    scenes = []
    for run in _runs(sorted(city.images["left"])):
        K, focal_baseline = _read_camera(city, run)
        camera = Camera(K, rows, width)
        shots = [
            Shot(
                image=files[place],
                frame=place[1],
                sensor=side,
                camera=camera,
                time=(place[1] - run[0][1]) / FRAME_RATE,
                labels=city.labels.get(place) if side == "left" else None,
                depth=city.disparities.get(place) if side == "left" else None,
                focal_baseline=focal_baseline,
                cut=height - rows,
            )
            for place in run
            for side, files in city.images.items()
            if place in files
        ]
        name = f"{city.name}_{run[0][0]:06d}_{run[0][1]:06d}"
        scenes.append(Scene(name=name, shots=tuple(shots), label_ids=CITYSCAPES_IDS))
    return scenes


def _runs(places: Sequence[Place]) -> list[list[Place]]:
    """Consecutive frames of a sequence; some cities number all their snippets through."""
    runs: list[list[Place]] = []
    for sequence, frame in places:
        if runs and runs[-1][-1] == (sequence, frame - 1):
            runs[-1].append((sequence, frame))
        else:
            runs.append([(sequence, frame)])
    return runs


def _read_camera(city: _City, run: Sequence[Place]) -> tuple[torch.Tensor, float]:
    """K of a snippet, from the file of whichever of its frames has one, and focal length times baseline."""
    path = next((city.cameras[place] for place in run if place in city.cameras), None)
    if path is None:
        left = city.images["left"][run[0]]
        raise wrong_file(left, expected="camera/<split>/<city>/..._camera.json of a frame of its snippet", got="none")
    try:
        content = json.loads(read_text(path))
        intrinsic, baseline = content["intrinsic"], float(content["extrinsic"]["baseline"])
        fx, fy, u0, v0 = (float(intrinsic[key]) for key in ("fx", "fy", "u0", "v0"))
    except (ValueError, KeyError, TypeError) as error:
        expected = "a camera of Cityscapes: intrinsic {fx, fy, u0, v0}, extrinsic {baseline}"
        raise wrong_file(
            path, expected=expected, got=f"no {error}" if isinstance(error, KeyError) else f"{error}"
        ) from None
    if not (all(map(math.isfinite, (fx, fy, u0, v0, baseline))) and min(fx, fy, baseline) > 0):
        raise wrong_file(
            path, expected="finite numbers, and fx, fy and baseline above 0", got=f"{fx}, {fy}, {baseline}"
        )
    K = torch.tensor([[fx, 0, u0 + 0.5], [0, fy, v0 + 0.5], [0, 0, 1]], dtype=torch.float64)
    return K, fx * baseline
