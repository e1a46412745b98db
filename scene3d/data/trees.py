"""Which data set a folder is, and the drives in it, before anything of them is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scene3d.config.mistakes import nearest
from scene3d.data.cityscapes import cities, city_folders, image_folder, read_cityscapes
from scene3d.data.colmap import LAYOUT as COLMAP
from scene3d.data.colmap import read_colmap
from scene3d.data.kitti import read_kitti_odometry, read_kitti_raw
from scene3d.data.kitti_360 import SENSORS, read_kitti_360
from scene3d.data.middlebury import LAYOUT as MIDDLEBURY
from scene3d.data.middlebury import read_middlebury
from scene3d.data.neus import LAYOUT as NEUS
from scene3d.data.neus import read_neus
from scene3d.data.posed_images import LAYOUT as POSED
from scene3d.data.posed_images import read_posed_images
from scene3d.data.rgbd import SEVEN_SCENES, TUM, read_seven_scenes, read_tum_rgbd
from scene3d.data.scene_folders import Layout
from scene3d.data.snippet_config import SnippetConfig
from scene3d.data.transforms_json import LAYOUT as TRANSFORMS_JSON
from scene3d.data.transforms_json import read_transforms_json
from scene3d.errors import DataError, UsageError, wrong_file
from scene3d.structures.scene import Scene

PHOTOGRAPHS: tuple[tuple[str, Layout, Callable[[Path], list[Scene]]], ...] = (
    ("posed_images", POSED, read_posed_images),
    ("neus", NEUS, read_neus),
    ("transforms_json", TRANSFORMS_JSON, read_transforms_json),
    ("middlebury", MIDDLEBURY, read_middlebury),
    ("colmap", COLMAP, read_colmap),
    ("tum_rgbd", TUM, read_tum_rgbd),
    ("seven_scenes", SEVEN_SCENES, read_seven_scenes),
)
"""Data sets of one scene a folder: kind, layout and reader; the first whose mark is there is taken."""

LAYOUTS = "a KITTI raw, KITTI odometry, KITTI-360 or Cityscapes tree, or a folder with one of " + ", ".join(
    layout.what for _, layout, _ in PHOTOGRAPHS
)


@dataclass(frozen=True)
class DriveFolders:
    """A drive that may not be readable: its folders, the first of which is called as it is, and its reader.

    Attributes:
        folders: of its files.
        read: makes its scenes.
        numbered: whether images whose name is a number are frames of that number, even if the reader leaves them out.
    """

    folders: tuple[Path, ...]
    read: Callable[[], list[Scene]]
    numbered: bool = True


def is_tree(root: Path) -> bool:
    """Whether a folder is a data set of a layout that is known."""
    try:
        return bool(drives_of(root))
    except DataError:
        return False


def drives_of(root: Path) -> list[DriveFolders]:
    """The drives of whichever layout this is.

    Raises:
        DataError: it is none that is known.
    """
    if (root / "data_2d_raw").is_dir() or (root / "calibration").is_dir():
        names = sorted(folder.name for folder in (root / "data_2d_raw").glob("*") if folder.is_dir())
        if not names:
            raise wrong_file(root / "data_2d_raw", expected="sequences", got="none")
        return [_kitti_360(root, name) for name in names]
    if (root / "sequences").is_dir():
        folders = [folder for folder in sorted((root / "sequences").glob("*")) if folder.is_dir()]
        return [DriveFolders((f,), partial(read_kitti_odometry, root, [f.name])) for f in folders]
    folders = [folder for folder in sorted(root.glob("????_??_??/*_drive_*")) if folder.is_dir()]
    if folders:
        return [DriveFolders((f,), partial(read_kitti_raw, root, [f.name])) for f in folders]
    if image_folder(root) is not None:
        return [DriveFolders(city_folders(root, city), partial(read_cityscapes, root, [city])) for city in cities(root)]
    for _, layout, read in PHOTOGRAPHS:
        if found := layout.found(root):
            return [DriveFolders((folder,), partial(read, folder), numbered=False) for folder in found]
    raise wrong_file(root, expected=LAYOUTS, got="none of them" if root.is_dir() else "no such folder")


def kind_of_photographs(root: Path | str) -> str | None:
    """Which kind of data config reads a folder of photographs with cameras; None where no layout fits."""
    return next((kind for kind, layout, _ in PHOTOGRAPHS if layout.found(Path(root))), None)


def read_drive(root: Path | str, name: str | None = None) -> Scene:
    """One drive of a data set.

    Args:
        root: of a layout that is known.
        name: of the drive; may be left out where there is one only.

    Raises:
        DataError: the folder is no data set, or the drive cannot be read.
        UsageError: there is no drive of that name, or there are several and no name.
    """
    root = Path(root)
    drives = {drive.folders[0].name: drive for drive in drives_of(root)}
    if name is None and len(drives) == 1:
        (name,) = drives
    if name is None:
        raise UsageError(f"{root}: expected the name of one of its drives, got none", hint=", ".join(drives))
    if name not in drives:
        raise UsageError(f"{root}: has no drive {name}{nearest(name, list(drives))}")
    (scene,) = drives[name].read()
    return scene


def along(scene: Scene, config: SnippetConfig) -> SnippetConfig:
    """What to read of each frame of a drive to predict it: the views of a recipe that it has, and no truth.

    A drive of one camera is read with that one, whatever the recipe calls its own.
    """
    sensors = {shot.sensor for shot in scene.shots}
    own = config.views[0].sensor
    views = config.views
    if own not in sensors and len(sensors) == 1:
        (only,) = sensors
        views = tuple(view.model_copy(update={"sensor": only}) for view in views if view.sensor == own)
    return SnippetConfig(
        views=views, height=config.height, width=config.width, motion=config.motion, require="reference"
    )


def _kitti_360(root: Path, name: str) -> DriveFolders:
    folders = (
        root / "data_2d_raw" / name,
        root / "data_2d_semantics" / "train" / name,
        root / "data_3d_raw" / name,
    )
    # The fisheye images are a download of their own; with one of the two cameras something is missing.
    fisheye = any((folders[0] / SENSORS[camera]).is_dir() for camera in ("fisheye_left", "fisheye_right"))
    return DriveFolders(folders, partial(read_kitti_360, root, [name], fisheye=fisheye))
