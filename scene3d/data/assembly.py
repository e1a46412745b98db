"""The shots of one sample -> Frames: reads the files, and says every transform relative to the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.data.cues import CueKind
from scene3d.data.depth_truth import measure_truth, read_truth
from scene3d.data.kitti_files import read_scan
from scene3d.data.normalisation import RegionConfig
from scene3d.data.object_files import read_object
from scene3d.data.snippet_config import VOXEL_SPACES, SnippetConfig, TruthKind, hint_file
from scene3d.data.sscbench import read_voxels
from scene3d.data.views import Pixels, ViewReader, view_camera, view_to_rig, view_to_world
from scene3d.errors import wrong_file
from scene3d.geometry.depth import points_to_depth
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.frames import Frames
from scene3d.structures.labels import IGNORE, SSC, SSCBENCH_TO_SSC, remap
from scene3d.structures.object_region import ObjectRegion
from scene3d.structures.scene import Scan, Scene, Shot, VoxelFile


@dataclass(frozen=True)
class Index:
    """A scene's files by frame number.

    Attributes:
        shots: by sensor and frame.
        example: one shot of each sensor, for the camera of a view that is absent.
        unit_to_world: places the unit ball of the region of interest; None without one.
        bounds: corners (min, max) in the world of what the surface is confined to; None for the ball alone.
        found: the object that the region is about; None where it is about none.
    """

    scene: Scene
    shots: Mapping[tuple[str, int], Shot]
    scans: Mapping[int, Scan]
    voxels: Mapping[int, VoxelFile]
    example: Mapping[str, Shot]
    unit_to_world: Float[Tensor, "4 4"] | None = None
    bounds: Float[Tensor, "2 3"] | None = None
    found: ObjectRegion | None = None

    def region_bounds(self) -> Float[Tensor, "2 3"]:
        """Corners (min, max) in the world of the box that holds the region of interest."""
        if self.bounds is not None:
            return self.bounds
        assert self.unit_to_world is not None
        radius = self.unit_to_world[0, 0]
        return torch.stack([self.unit_to_world[:3, 3] - radius, self.unit_to_world[:3, 3] + radius])


class Support(NamedTuple):
    """A view beside the reference: its camera, how many frames later, and the shot, where the drive has it."""

    sensor: str
    offset: int
    shot: Shot | None


def index_scene(scene: Scene, region: RegionConfig | None = None) -> Index:
    """The same scene with its files found by number.

    Raises:
        DataError: nothing says where the region of interest is, or what the surface is to be confined to.
    """
    return Index(
        scene=scene,
        shots={(shot.sensor, shot.frame): shot for shot in scene.shots},
        scans={scan.frame: scan for scan in scene.scans},
        voxels={grid.frame: grid for grid in scene.voxels},
        example={shot.sensor: shot for shot in reversed(scene.shots)},
        unit_to_world=None if region is None else region.of(scene).unit_to_world,
        bounds=None if region is None else region.box(scene),
        found=None if region is None or region.object is None else read_object(region.object),
    )


def sample_name(scene: Scene, shot: Shot) -> str:
    """What messages call a sample: drive, frame and sensor of its reference."""
    return f"{scene.name} {shot.frame:010d} {shot.sensor}"


def assemble(
    index: Index,
    reference: Shot,
    support: Sequence[Support],
    config: SnippetConfig,
    reader: ViewReader,
) -> Frames:
    """Read one sample.

    Args:
        index: the scene that the shots are of.
        reference: view 0.
        support: the other views; a view without a shot is absent: its pixels are 0, its transform the identity,
            its K that of its sensor.
        config: what to read.
        reader: reads at the size of the config.

    Raises:
        DataError: a file is not what it should be; the message names it.
    """
    shots = [reference, *(view.shot for view in support)]
    sensors = [reference.sensor, *(view.sensor for view in support)]
    if index.unit_to_world is None:
        cam_to_world, posed = _transforms(reference, shots[1:], motion=config.motion == "given")
    else:
        cam_to_world, posed = shots_in_world(shots), None
    K = torch.stack([_K(index.example.get(s, reference), config) for s in sensors])
    views = [_pixels(shot, reader) for shot in shots]
    grid = index.voxels.get(reference.frame) if config.wants("voxels") else None
    points = _points(reference, index) if config.wants("points") else None
    scans, scan_to_cam = _scans(reference, index, config.scans)
    cue_depth = _cues(shots, "depth", config, reader)
    grid_to_cam = None if grid is None else _relative(grid.grid_to_world, view_to_world(reference))
    return Frames(
        image=torch.stack([view.image for view in views])[None].float() / 255,
        K=K[None],
        present=torch.tensor([[shot is not None for shot in shots]]),
        valid=torch.stack([view.valid for view in views])[None],
        names=(sample_name(index.scene, reference),),
        number=torch.tensor([reference.frame]),
        offset=torch.tensor([[0, *(view.offset for view in support)]]),
        cam_to_world=cam_to_world,
        posed=posed,
        unit_to_world=None if index.unit_to_world is None else index.unit_to_world[None],
        bounds=None if index.bounds is None else index.bounds[None],
        objects=() if index.found is None else (index.found,),
        mask=shot_masks(shots, reader) if config.masks else None,
        depth=_depths(shots, K, index, config, reader) if config.wants("depth") else None,
        truth=None if config.truth is None else _truth(reference, index, config.truth, config.truth_folder),
        hint=None if config.hints is None else _hints(shots, index.scene.name, config.hints, reader),
        cue_depth=None if cue_depth is None else cue_depth[:, :, 0],
        cue_normals=_cues(shots, "normals", config, reader),
        labels=_labels(shots, index, reader) if config.wants("labels") else None,
        voxels=None if grid is None else _voxels(grid, config)[None],
        voxel_space=VOXEL_SPACES[config.voxel_space],
        grid_to_cam=None if grid_to_cam is None else grid_to_cam[None].float(),
        points=None if points is None else points[None],
        scans=scans,
        scan_to_cam=scan_to_cam,
    )


def _K(shot: Shot, config: SnippetConfig) -> Float[Tensor, "3 3"]:
    return view_camera(shot, config.height, config.width).K.float()


def _pixels(shot: Shot | None, reader: ViewReader) -> Pixels:
    if shot is not None:
        return reader.pixels(shot)
    size = (reader.height, reader.width)
    return Pixels(torch.zeros(3, *size, dtype=torch.uint8), torch.zeros(size, dtype=torch.bool))


def _voxels(grid: VoxelFile, config: SnippetConfig) -> Int[Tensor, "X Y Z"]:
    classes = read_voxels(grid)
    return remap(classes, SSCBENCH_TO_SSC) if config.voxel_space == SSC.name else classes


def _relative(
    thing_to_world: Float[Tensor, "4 4"] | None, cam_to_world: Float[Tensor, "4 4"] | None
) -> Float[Tensor, "4 4"] | None:
    """``thing_to_cam`` in float64; None where either is unknown."""
    if thing_to_world is None or cam_to_world is None:
        return None
    return invert(cam_to_world.double()) @ thing_to_world.double()


def _transforms(
    reference: Shot, support: Sequence[Shot | None], *, motion: bool
) -> tuple[Float[Tensor, "1 V 4 4"] | None, Bool[Tensor, "1 V"] | None]:
    """``cam_to_world`` with the reference camera as the world, and of which views it is known; None where of none."""
    matrices = [
        _to_reference(shot, reference) if shot is not None and (motion or shot.frame == reference.frame) else None
        for shot in support
    ]
    known = [found is not None or shot is None for found, shot in zip(matrices, support, strict=True)]
    located = motion and view_to_world(reference) is not None
    if not located and all(found is None for found in matrices):
        return None, None
    identity = torch.eye(4, dtype=torch.float64)
    filled = [identity, *(identity if found is None else found for found in matrices)]
    return torch.stack(filled)[None].float(), None if all(known) else torch.tensor([[True, *known]])


def shots_in_world(shots: Sequence[Shot | None]) -> Float[Tensor, "1 V 4 4"]:
    """``cam_to_world`` as the scene has it; of views that are absent the identity.

    Raises:
        DataError: an image has none.
    """
    found = []
    for shot in shots:
        matrix = torch.eye(4) if shot is None else view_to_world(shot)
        if matrix is None:
            assert shot is not None
            raise wrong_file(shot.image, expected="an image whose camera's place is known", got="one without")
        found.append(matrix.double())
    return torch.stack(found)[None]


def shot_masks(shots: Sequence[Shot | None], reader: ViewReader) -> Bool[Tensor, "1 V H W"]:
    """Where the object is in each view; nowhere in those that are absent.

    Raises:
        DataError: an image has no mask, or one that cannot be read or is black.
    """
    masks = []
    for shot in shots:
        if shot is not None and shot.mask is None:
            raise wrong_file(shot.image, expected="an image with a mask", got="one without", hint="masks: false")
        nothing = torch.zeros(reader.height, reader.width, dtype=torch.bool)
        mask = nothing if shot is None else reader.mask(shot)
        if shot is not None and not mask.any():
            assert shot.mask is not None
            raise wrong_file(shot.mask, expected="an object in the mask", got="none: it is black", hint="masks: false")
        masks.append(mask)
    return torch.stack(masks)[None]


def _to_reference(shot: Shot, reference: Shot) -> Float[Tensor, "4 4"] | None:
    """From the world where both are in it; else from the rig that both are on at one instant."""
    found = _relative(view_to_world(shot), view_to_world(reference))
    if found is None and shot.frame == reference.frame:
        return _relative(view_to_rig(shot), view_to_rig(reference))
    return found


def _points(shot: Shot, index: Index) -> Float[Tensor, "N 3"] | None:
    """The scan of a shot's own frame in the coordinates of its view."""
    scan = index.scans.get(shot.frame)
    scan_to_cam = None if scan is None else _relative(scan.scan_to_world, view_to_world(shot))
    if scan is None or scan_to_cam is None:
        return None
    return transform(scan_to_cam.float(), read_scan(scan.path)[:, :3])


def _scans(
    reference: Shot, index: Index, count: int
) -> tuple[Float[Tensor, "1 S M 3"], Float[Tensor, "1 S 4 4"]] | tuple[None, None]:
    """The scans of the next instants, from the reference's own on; none where some are missing."""
    later = sorted(frame for frame in index.scans if frame >= reference.frame)[:count]
    found = [index.scans[frame] for frame in later]
    placed = [_relative(scan.scan_to_world, view_to_world(reference)) for scan in found]
    if not count or len(found) < count or later[0] != reference.frame or any(each is None for each in placed):
        return None, None
    clouds = [read_scan(scan.path)[:, :3] for scan in found]
    scans = torch.nn.utils.rnn.pad_sequence(clouds, batch_first=True, padding_value=torch.nan)
    return scans[None], torch.stack([each for each in placed if each is not None])[None].float()


def _depths(
    shots: Sequence[Shot | None],
    K: Float[Tensor, "V 3 3"],
    index: Index,
    config: SnippetConfig,
    reader: ViewReader,
) -> Float[Tensor, "1 V H W"]:
    size = (config.height, config.width)
    depths = []
    for shot, camera in zip(shots, K, strict=True):
        if shot is not None and config.depth != "scan":
            depths.append(reader.depth(shot))
            continue
        points = None if shot is None else _points(shot, index)
        depths.append(torch.zeros(size) if points is None else points_to_depth(points, camera, *size))
    return torch.stack(depths)[None]


def _truth(shot: Shot, index: Index, kind: TruthKind, folder: Path | None) -> Float[Tensor, "1 H W"]:
    if folder is not None:
        return read_truth(folder, kind, index.scene.name, shot)[None]
    return measure_truth(shot, index.scans, kind)[None]


def _hints(shots: Sequence[Shot | None], scene: str, folder: Path, reader: ViewReader) -> Float[Tensor, "1 V H W"]:
    absent = torch.zeros(reader.height, reader.width)
    files = [None if shot is None else hint_file(folder, scene, shot.sensor, shot.frame) for shot in shots]
    return torch.stack([absent if file is None or not file.exists() else reader.hint(file) for file in files])[None]


def _cues(
    shots: Sequence[Shot | None], kind: CueKind, config: SnippetConfig, reader: ViewReader
) -> Float[Tensor, "1 V C H W"] | None:
    if config.cues is None or kind not in config.cues.kinds:
        return None
    absent = torch.zeros({"depth": 1, "normals": 3}[kind], reader.height, reader.width)
    folder = config.cues.folder
    return torch.stack([absent if shot is None else reader.cue(shot, folder, kind) for shot in shots])[None]


def _labels(shots: Sequence[Shot | None], index: Index, reader: ViewReader) -> Tensor:
    absent = torch.full((reader.height, reader.width), IGNORE)
    ids = index.scene.label_ids
    return torch.stack([absent if shot is None else reader.labels(shot, ids) for shot in shots])[None]
