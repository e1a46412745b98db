"""Photographs with known cameras -> sparse points with their tracks (pycolmap); the cameras stay as they are."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor

from scene3d.config import Config
from scene3d.data.colmap import pycolmap, sparse_of_model
from scene3d.data.guided_matching import GuidedMatchingConfig, guided_matches, pairs_to_match
from scene3d.data.images import write_image
from scene3d.data.views import ViewReader, pixels_on_disk, view_camera, view_to_world
from scene3d.errors import DataError
from scene3d.geometry.camera import Camera
from scene3d.geometry.epipolar import fundamental
from scene3d.geometry.se3 import invert
from scene3d.structures.scene import Scene
from scene3d.structures.sparse import SparsePoints

SKEW = 0.5
"""Pixels that K's skew may move the edge of an image by; COLMAP's pinhole has none."""


class TriangulationConfig(Config):
    """How points are found.

    Attributes:
        peak: contrast that a feature must have; COLMAP's is 0.0067. Smooth things have little.
        features: an image, at most.
        largest: longer sides of images are made this long to look for features, pixels.
        matching: what counts as a match.
        threads: -1 takes one a core.
        seed: of the random trials.
    """

    peak: float = Field(default=0.004, gt=0)
    features: int = Field(default=4096, ge=8)
    largest: int = Field(default=1600, ge=64)
    matching: GuidedMatchingConfig = GuidedMatchingConfig()
    threads: int = -1
    seed: int = 0


@dataclass(frozen=True)
class _View:
    """A pinhole view of a shot with the features found in it; the numbers are those of the database."""

    camera: Camera
    world_to_cam: Float[Tensor, "4 4"]
    camera_number: int
    number: int
    pixels: Float[Tensor, "N 2"]
    descriptors: Float[Tensor, "N C"]


def triangulate(scene: Scene, config: TriangulationConfig = TriangulationConfig()) -> SparsePoints:  # noqa: B008
    """Points of the surface that several shots of a scene see, without moving a camera.

    SIFT features are matched along epipolar lines (`guided_matches`) and their tracks are triangulated by COLMAP, which
    leaves out what reprojects by more than 4 pixels or is seen from within 1.5 degrees.

    Args:
        scene: every shot with its transform.
        config: how.

    Raises:
        DataError: a shot has no transform, all cameras are in one place, an image is damaged, or no point is found.
        MissingExtraError: pycolmap is not installed.

    Source: Lowe, "Distinctive image features from scale-invariant keypoints", IJCV 2004; Schoenberger and Frahm,
    "Structure-from-motion revisited", CVPR 2016.
    """
    cam_to_world = _transforms(scene)
    pairs = pairs_to_match(cam_to_world, config.matching)
    if not pairs:
        raise DataError(f"{scene.name}: expected cameras in different places that look the same way, got none")
    library = pycolmap()
    library.logging.minloglevel = library.logging.Level.FATAL.value
    library.set_random_seed(config.seed)
    with tempfile.TemporaryDirectory() as work:
        database = Path(work) / "database.db"
        try:
            views = _views(library, scene, cam_to_world, Path(work), database, config)
            _write_matches(library, database, views, pairs, config.matching)
            model = _triangulated(library, database, views, Path(work), config)
        except (RuntimeError, ValueError) as error:
            reason = (str(error).splitlines() or ["no reason given"])[0]
            raise DataError(f"{scene.name}: pycolmap stopped: {reason}") from error
    sparse = sparse_of_model(model, {view.number: place for place, view in enumerate(views)})
    if sparse is None:
        hint = "take them closer together, with texture"
        raise DataError(f"{scene.name}: expected points that several photographs show, got none", hint=hint)
    return _as_on_disk(scene, sparse)


def _transforms(scene: Scene) -> Float[Tensor, "V 4 4"]:
    placed = []
    for shot in scene.shots:
        cam_to_world = view_to_world(shot)
        if cam_to_world is None:
            raise DataError(f"{shot.image}: expected a known camera transform, got none")
        placed.append(cam_to_world.double())
    if not placed:
        raise DataError(f"{scene.name}: expected shots, got none")
    return torch.stack(placed)


def _views(
    library: Any,
    scene: Scene,
    cam_to_world: Float[Tensor, "V 4 4"],
    work: Path,
    database: Path,
    config: TriangulationConfig,
) -> list[_View]:
    """Write every shot as a pinhole image into `work`, find its features, and set its camera in the database."""
    cameras = []
    for place, shot in enumerate(scene.shots):
        camera = view_camera(shot, shot.camera.height, shot.camera.width)
        if abs(float(camera.K[0, 1] / camera.K[1, 1])) * camera.height / 2 > SKEW:
            raise DataError(f"{shot.image}: expected a camera without skew, got {float(camera.K[0, 1]):g} pixels")
        write_image(work / _name(place), ViewReader(camera.height, camera.width).pixels(shot).image)
        cameras.append(camera)
    options = library.FeatureExtractionOptions()
    options.num_threads, options.max_image_size = config.threads, config.largest
    options.sift.peak_threshold, options.sift.max_num_features = config.peak, config.features
    library.extract_features(
        database,
        work,
        image_names=[_name(place) for place in range(len(cameras))],
        camera_mode=library.CameraMode.PER_IMAGE,
        extraction_options=options,
        device=library.Device.cpu,
    )
    views = []
    with library.Database.open(database) as opened:
        for place, camera in enumerate(cameras):
            image = opened.read_image_with_name(_name(place))
            opened.update_camera(_pinhole(library, camera, image.camera_id))
            found = np.array(opened.read_descriptors(image.image_id).data, dtype=np.float32).reshape(-1, 128)
            pixels = np.array(opened.read_keypoints(image.image_id)[:, :2], dtype=np.float64).reshape(-1, 2)
            descriptors = torch.nn.functional.normalize(torch.from_numpy(found), dim=1)
            world_to_cam = invert(cam_to_world[place])
            numbers = image.camera_id, image.image_id
            views.append(_View(camera, world_to_cam, *numbers, torch.from_numpy(pixels), descriptors))
    return views


def _name(place: int) -> str:
    return f"{place:06d}.png"


def _pinhole(library: Any, camera: Camera, number: int) -> Any:
    K = camera.K.double()
    parameters = [float(K[0, 0]), float(K[1, 1]), float(K[0, 2]), float(K[1, 2])]
    size = {"width": camera.width, "height": camera.height}
    return library.Camera(model="PINHOLE", params=parameters, camera_id=number, **size)


def _write_matches(
    library: Any, database: Path, views: list[_View], pairs: list[tuple[int, int]], config: GuidedMatchingConfig
) -> None:
    with library.Database.open(database) as opened:
        for first, second in pairs:
            a, b = views[first], views[second]
            lines = fundamental(a.camera.K.double(), a.world_to_cam, b.camera.K.double(), b.world_to_cam)
            # At single precision lines are good to a hundredth of a pixel; the tables are large.
            pixels = a.pixels.float(), b.pixels.float()
            matches = guided_matches(pixels[0], a.descriptors, pixels[1], b.descriptors, lines.float(), config)
            if len(matches) == 0:
                continue
            geometry = library.TwoViewGeometry()
            geometry.config = library.TwoViewGeometryConfiguration.CALIBRATED
            geometry.inlier_matches = matches.numpy().astype(np.uint32)
            opened.write_two_view_geometry(a.number, b.number, geometry)


def _triangulated(library: Any, database: Path, views: list[_View], work: Path, config: TriangulationConfig) -> Any:
    """The `pycolmap.Reconstruction` of the matches, with the cameras of the views."""
    model = library.Reconstruction()
    for place, view in enumerate(views):
        model.add_camera_with_trivial_rig(_pinhole(library, view.camera, view.camera_number))
        image = library.Image(name=_name(place), camera_id=view.camera_number, image_id=view.number)
        matrix = view.world_to_cam.numpy()
        placed = library.Rigid3d(library.Rotation3d(matrix[:3, :3]), matrix[:3, 3])
        model.add_image_with_trivial_frame(image, placed)
    options = library.IncrementalPipelineOptions()
    options.num_threads, options.random_seed = config.threads, config.seed
    (work / "model").mkdir()
    return library.triangulate_points(model, database, work, work / "model", options=options)


def _as_on_disk(scene: Scene, sparse: SparsePoints) -> SparsePoints:
    """The tracks in the images as they lie on disk, of tracks in their pinhole views."""
    pixels = sparse.track_pixel.clone()
    for place, shot in enumerate(scene.shots):
        seen = sparse.track_shot == place
        pixels[seen] = pixels_on_disk(shot, pixels[seen])
    return replace(sparse, track_pixel=pixels)
