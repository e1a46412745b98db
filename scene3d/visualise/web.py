"""viser: point clouds, meshes and cameras in a browser, served to this machine alone."""

from __future__ import annotations

from collections.abc import Mapping
from math import atan
from typing import Any

from jaxtyping import Float
from torch import Tensor

from scene3d.errors import MissingExtraError
from scene3d.geometry.camera import Camera
from scene3d.structures.solids import Mesh, PointCloud

HOST = "127.0.0.1"
"""Other machines cannot reach the server: there is no password on it."""


def serve(
    things: Mapping[str, PointCloud | Mesh | tuple[Camera, Float[Tensor, "4 4"]]],
    *,
    port: int = 8080,
    point_size: float = 0.05,
) -> Any:
    """A viser server that shows some things under their names; z is up, lengths are metres.

    Args:
        things: point clouds, meshes, and cameras with their `cam_to_world`.
        port: of the page; the next free one is taken where it is in use.
        point_size: of each point, metres.

    Returns:
        The running `viser.ViserServer`: `get_port()` tells the port, `stop()` ends it.

    Raises:
        MissingExtraError: viser is not installed.
    """
    try:
        import viser
    except ImportError as error:
        raise MissingExtraError("viser is not installed", hint='pip install "scene3d[view]"') from error
    server = viser.ViserServer(host=HOST, port=port, verbose=False)
    server.scene.set_up_direction("+z")
    for name, thing in things.items():
        if isinstance(thing, PointCloud):
            _add_points(server, name, thing, point_size)
        elif isinstance(thing, Mesh):
            _add_mesh(server, name, thing)
        else:
            _add_camera(server, name, *thing)
    return server


def _add_points(server: Any, name: str, cloud: PointCloud, size: float) -> None:
    colours = (128, 128, 128) if cloud.colours is None else cloud.colours.cpu().numpy()
    server.scene.add_point_cloud(f"/{name}", cloud.points.cpu().numpy(), colours, point_size=size)


def _add_mesh(server: Any, name: str, mesh: Mesh) -> None:
    import trimesh

    colours = None if mesh.colours is None else mesh.colours.cpu().numpy()
    vertices, faces = mesh.vertices.cpu().numpy(), mesh.faces.cpu().numpy()
    made = trimesh.Trimesh(vertices, faces, vertex_colors=colours, process=False)
    server.scene.add_mesh_trimesh(f"/{name}", made)


def _add_camera(server: Any, name: str, camera: Camera, cam_to_world: Tensor) -> None:
    from scipy.spatial.transform import Rotation

    matrix = cam_to_world.cpu().double().numpy()
    x, y, z, w = Rotation.from_matrix(matrix[:3, :3]).as_quat()
    server.scene.add_camera_frustum(
        f"/{name}",
        fov=2 * atan(camera.height / 2 / float(camera.K[1, 1])),
        aspect=camera.width / camera.height,
        scale=1.0,
        wxyz=(w, x, y, z),
        position=tuple(matrix[:3, 3]),
    )
