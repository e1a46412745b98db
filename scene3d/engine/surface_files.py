"""Everything that follows from a reconstructed surface, as files: mesh, views, a turning video, a report."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from scene3d.data.images import write_bytes
from scene3d.engine.fitting import SomeFrames, spread
from scene3d.engine.silhouettes import silhouettes_of
from scene3d.errors import MissingExtraError
from scene3d.fusion.mesh_cleaning import CleaningConfig, clean
from scene3d.fusion.meshing import MeshingConfig
from scene3d.geometry.turntable import turntable, up_of_cameras, upright
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import SurfacePrediction
from scene3d.structures.solids import Mesh, PointCloud
from scene3d.visualise.drive_report import drive_html
from scene3d.visualise.files import write_mesh
from scene3d.visualise.pictures import depth_picture, image_picture, normal_picture, panel, write_picture
from scene3d.visualise.video import VideoFile

log = logging.getLogger(__name__)

VIEWS = 8
"""Views that are drawn at most."""

TURN = 36
"""Pictures of a turn."""

SECONDS = 6.0
"""That a turn takes."""

TURN_PIXELS = 200 * 150
"""Of a picture of the turn, about; each pixel is rendered."""

REPORT_POINTS = 60_000
"""Vertices in the report."""


@runtime_checkable
class Surfaced(Protocol):
    """A method that has a surface to write."""

    unit_to_world: Tensor

    def predict(self, frames: Frames) -> SurfacePrediction:
        """What is seen of it."""
        ...

    def mesh(self, config: MeshingConfig) -> Mesh:
        """The surface itself, in the world."""
        ...


def write_surface(
    method: Surfaced,
    data: SomeFrames,
    folder: Path | str,
    *,
    meshing: MeshingConfig = MeshingConfig(),  # noqa: B008  (frozen)
    cleaning: CleaningConfig = CleaningConfig(),  # noqa: B008  (frozen)
    shown: SomeFrames | None = None,
    title: str = "Surface",
    facts: Mapping[str, str] | None = None,
    turn: int = TURN,
    masks: bool = False,
) -> Iterator[Path]:
    """Write a surface as it becomes known.

    - `mesh.ply`: coloured, in the world. `mesh.glb`: the same upright, about the region's middle, for viewers.
    - `views/NAME.png`: photograph, rendered colours, normals and depth, of held-out views where there are any.
    - `turntable.mp4`: colours and normals from all around, or from as far around as there were cameras.
    - `masks/NAME.png`: where the surface is seen in each view, if asked for.
    - `report.html`: the mesh's vertices, the cameras and the pictures.

    Args:
        method: that learned the surface.
        data: what it learned from; masks cut the mesh where the cleaning says so.
        folder: is made where it is missing.
        meshing, cleaning: of the mesh.
        shown: frames to draw; None draws some of `data`.
        title: of the report.
        facts: names and values to list there.
        turn: pictures of the video; 0 makes none.
        masks: whether to write those, of `data` and of `shown`.

    Raises:
        DataError: there is no surface in the region, or none is left after cleaning; or a file cannot be written.
    """
    folder = Path(folder)
    (folder / "views").mkdir(parents=True, exist_ok=True)
    pictures = []
    chosen = data if shown is None else shown
    for index in spread(len(chosen), VIEWS):
        frames = chosen[index]
        name, picture = _drawn(method, frames)
        write_picture(folder / "views" / f"{name}.png", picture)
        pictures.append((name, picture))
        yield folder / "views" / f"{name}.png"
    views = [data[i] for i in range(len(data))]
    if masks:
        yield from _masks(method, views + ([] if shown is None else [shown[i] for i in range(len(shown))]), folder)
    mesh = clean(method.mesh(meshing), cleaning, silhouettes_of(views))
    cam_to_world = torch.stack([frames.cam_to_world[0, 0] for frames in views if frames.cam_to_world is not None])
    write_mesh(folder / "mesh.ply", mesh)
    yield folder / "mesh.ply"
    write_mesh(folder / "mesh.glb", _standing(mesh, cam_to_world, method.unit_to_world.cpu()))
    yield folder / "mesh.glb"
    if turn and _write_turn(method, views[0], cam_to_world, folder / "turntable.mp4", turn):
        yield folder / "turntable.mp4"
    text = _report(mesh, views[0], cam_to_world, method, title, pictures, dict(facts or {}))
    write_bytes(folder / "report.html", text.encode())
    yield folder / "report.html"


def _drawn(method: Surfaced, frames: Frames) -> tuple[str, UInt8[Tensor, "H W 3"]]:
    """Name and panel of one view."""
    said = method.predict(frames.to(method.unit_to_world.device))
    pictures = [
        ("photograph", image_picture(frames.image[0, 0])),
        ("rendered", image_picture(said.colour[0])),
        ("normals", normal_picture(said.normals[0].permute(1, 2, 0).cpu())),
        ("depth", depth_picture(said.depth[0].cpu())),
    ]
    return _file_name(frames), panel(pictures, columns=2, width=frames.image.shape[-1])


def _masks(method: Surfaced, views: Sequence[Frames], folder: Path) -> Iterator[Path]:
    (folder / "masks").mkdir(exist_ok=True)
    for frames in views:
        solid = method.predict(frames.to(method.unit_to_world.device)).silhouette[0]
        path = folder / "masks" / f"{_file_name(frames)}.png"
        write_picture(path, (solid.cpu().to(torch.uint8) * 255)[..., None].expand(-1, -1, 3))
        yield path


def _file_name(frames: Frames) -> str:
    return frames.names[0].replace(" ", "_").replace("/", "_")


def _standing(mesh: Mesh, cam_to_world: Float[Tensor, "V 4 4"], unit_to_world: Float[Tensor, "4 4"]) -> Mesh:
    """About the region's middle, with what the cameras call up along z."""
    turned = (mesh.vertices.double() - unit_to_world[:3, 3]) @ upright(up_of_cameras(cam_to_world)).T
    return replace(mesh, vertices=turned.float())


def _write_turn(method: Surfaced, like: Frames, cam_to_world: Float[Tensor, "V 4 4"], path: Path, count: int) -> bool:
    """Colours beside normals, from places that no photograph was taken from."""
    height, width = like.image.shape[-2:]
    shrink = min((TURN_PIXELS / (height * width)) ** 0.5, 1.0)
    size = max(round(shrink * height), 2), max(round(shrink * width), 2)
    scale = like.K.new_tensor([size[1] / width, size[0] / height, 1.0])
    places = turntable(cam_to_world, method.unit_to_world[:3, 3].cpu(), count)
    try:
        with VideoFile(path, rate=max(count / SECONDS, 1.0)) as video:
            for place in places:
                frames = Frames(
                    image=like.image.new_zeros(1, 1, 3, *size),
                    K=like.K[:1, :1] * scale[:, None],
                    present=like.present[:1, :1],
                    cam_to_world=place[None, None],
                )
                said = method.predict(frames.to(method.unit_to_world.device))
                normals = normal_picture(said.normals[0].permute(1, 2, 0).cpu())
                video.add(torch.cat([image_picture(said.colour[0]), normals], dim=1))
    except MissingExtraError as error:
        log.warning("%s is left out: %s", path, error)
        return False
    return True


def _report(
    mesh: Mesh,
    like: Frames,
    cam_to_world: Float[Tensor, "V 4 4"],
    method: Surfaced,
    title: str,
    pictures: Sequence[tuple[str, UInt8[Tensor, "_ _ 3"]]],
    facts: dict[str, str],
) -> str:
    """The surface as points, in the axes of the first camera, with a radius of the region drawn as some metres."""
    radius = float(method.unit_to_world[0, 0])
    world_to_first = torch.linalg.inv(cam_to_world[0].double())
    kept = torch.tensor(spread(len(mesh.vertices), REPORT_POINTS))
    points = mesh.vertices[kept].double() @ world_to_first[:3, :3].T + world_to_first[:3, 3]
    cloud = PointCloud(points=points.float(), colours=None if mesh.colours is None else mesh.colours[kept])
    facts |= {"vertices": f"{len(mesh.vertices):,}", "triangles": f"{len(mesh.faces):,}"}
    return drive_html(
        cloud,
        (world_to_first @ cam_to_world.double()).float(),
        like.K[0, 0],
        (like.image.shape[-2], like.image.shape[-1]),
        title=title,
        pictures=pictures,
        facts=facts,
        unit=radius / 4,
    )
