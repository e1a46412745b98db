"""What a camera or a laser sees of a street: images, depth, normals and labels, exact but for the camera noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from scene3d.data.street.categories import KITTI_360_ID, Category
from scene3d.data.street.ground import first_ground, march
from scene3d.data.street.shading import Hits, shade
from scene3d.data.street.street import Street
from scene3d.data.street.tracing import Tiles, first_hits
from scene3d.geometry.camera import Camera, pixel_centres
from scene3d.geometry.fisheye import Fisheye, unproject_fisheye

Array = np.ndarray

FAR = 400.0  # metres; what lies farther is sky
_EDGE = 8  # pixels along the side of a tile
_BLOCK = 16  # rays of a laser that are tried together
_CORNERS = (0, _EDGE - 1, _EDGE * _EDGE // 2 + _EDGE // 2, _EDGE * (_EDGE - 1), _EDGE * _EDGE - 1)


@dataclass(frozen=True, kw_only=True)
class View:
    """An image of a street and the truth behind every pixel.

    Attributes:
        image: RGB, 0..255; black where a fisheye sees nothing.
        depth: along the camera's z, metres; 0 is sky or not seen. A fisheye may have depths below 0.
        distance: along the ray, metres; 0 is sky or not seen.
        normal: unit vectors in the world, towards the camera; 0 where there is no surface.
        labels: raw ids of KITTI-360 (23 is sky, 0 is not seen).
    """

    image: UInt8[Array, "H W 3"]
    depth: Float[Array, "H W"]
    distance: Float[Array, "H W"]
    normal: Float[Array, "H W 3"]
    labels: UInt8[Array, "H W"]


def render(
    street: Street, frame: int, camera: Camera | Fisheye, cam_to_world: Float[Array, "4 4"], *, noise_seed: int | None
) -> View:
    """What a camera at ``cam_to_world`` sees at a frame.

    Args:
        street: the street.
        frame: which moment of the drive; moving things stand where they are then.
        camera: pinhole or fisheye.
        cam_to_world: of the camera, OpenCV axes.
        noise_seed: of the camera noise and exposure; None is a perfect camera.
    """
    rays, seen = _fisheye_rays(camera) if isinstance(camera, Fisheye) else _pinhole_rays(camera)
    height, width = camera.height, camera.width
    directions = (rays.reshape(-1, 3) @ cam_to_world[:3, :3].T.astype(np.float32)).reshape(*rays.shape)
    distance, index = _trace_tiles(street, frame, cam_to_world[:3, 3], directions)
    distance, index = (_untile(values, *rays.shape[:2])[:height, :width] for values in (distance, index))
    angle = _pixel_angle(camera)
    hits = Hits(
        origin=cam_to_world[:3, 3],
        direction=np.ascontiguousarray(directions[:height, :width]).reshape(-1, 3),
        distance=distance.reshape(-1),
        index=index.reshape(-1),
        angle=angle,
    )
    colour, normal, category = shade(street, frame, hits)
    labels = KITTI_360_ID[category].reshape(height, width)
    distance = np.where(np.isfinite(distance), distance, 0).astype(np.float32)
    image = _expose(street, colour.reshape(height, width, 3), noise_seed)
    if seen is not None:
        distance, labels = distance * seen, labels * seen
        image, normal = image * seen[..., None], normal.reshape(height, width, 3) * seen[..., None]
    return View(
        image=image,
        depth=distance * rays[:height, :width, 2],
        distance=distance,
        normal=normal.reshape(height, width, 3),
        labels=labels,
    )


def cast(
    street: Street, frame: int, origins: Float[Array, "N 3"], directions: Float[Array, "N 3"], far: float
) -> tuple[Float[Array, "N"], Int[Array, "N"]]:  # noqa: UP037
    """Distance along rays to the first surface (inf: none within ``far`` metres), and its raw KITTI-360 id (23: none).

    Rays that follow one another should be neighbours, as in a sweep of a laser: it is much faster.

    Args:
        street: the street.
        frame: which moment of the drive.
        origins: of the rays in the world, metres.
        directions: unit vectors in the world.
        far: longest distance, metres.
    """
    n = len(origins)
    if n == 0:
        return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.int64)
    base = np.asarray(origins, dtype=np.float64).mean(axis=0)
    padding = ((0, -n % _BLOCK), (0, 0))
    from_base = np.pad((origins - base).astype(np.float32), padding, mode="edge")
    along = np.pad(directions.astype(np.float32), padding, mode="edge")
    tiled = [np.ascontiguousarray(values.T).reshape(3, -1, _BLOCK) for values in (from_base, along)]
    shapes, _ = street.at(frame)
    distance, index = (values.reshape(-1)[:n] for values in first_hits(shapes, Tiles(base, *tiled), far))
    start, along = origins.astype(np.float32), along[:n]
    low, high = march(street.ground, start, along, far)
    maybe = np.flatnonzero(low < np.minimum(distance, far))
    ground = first_ground(street.ground, start[maybe], along[maybe], low[maybe], high[maybe])
    nearer = ground < np.minimum(distance[maybe], far)
    distance[maybe[nearer]], index[maybe[nearer]] = ground[nearer], -2
    category = np.full(n, int(Category.SKY))
    category[index >= 0] = shapes.category[index[index >= 0]]
    on_ground = np.flatnonzero(index == -2)
    points = origins[on_ground] + distance[on_ground, None] * directions[on_ground]
    x, y = points[:, 0].astype(np.float32), points[:, 1].astype(np.float32)
    category[on_ground] = street.ground.category(street.ground.place(x, y))
    return distance, KITTI_360_ID[category].astype(np.int64)


def _trace_tiles(street: Street, frame: int, origin: Array, directions: Array) -> tuple[Array, Array]:
    """Distance and index (-1 sky, -2 ground) of (T, K) rays of an image whose sides are whole tiles."""
    shapes, _ = street.at(frame)
    rows, columns = directions.shape[0] // _EDGE, directions.shape[1] // _EDGE
    tiled = directions.reshape(rows, _EDGE, columns, _EDGE, 3).transpose(4, 0, 2, 1, 3)
    tiled = np.ascontiguousarray(tiled.reshape(3, rows * columns, _EDGE * _EDGE))
    start = np.zeros((3, rows * columns, 1), dtype=np.float32)
    distance, index = first_hits(shapes, Tiles(origin.astype(np.float64), start, tiled), FAR)
    some = tiled[:, :, _CORNERS].reshape(3, -1).T
    low, high = march(street.ground, np.broadcast_to(origin.astype(np.float32), some.shape), some, FAR)
    low = 0.9 * low.reshape(-1, len(_CORNERS)).min(axis=1)
    high = np.minimum(1.12 * high.reshape(-1, len(_CORNERS)).max(axis=1), FAR)
    tile, ray = np.nonzero((distance > low[:, None]) & (low < 0.85 * FAR)[:, None])
    along = tiled[:, tile, ray].T
    ground = first_ground(
        street.ground, np.broadcast_to(origin.astype(np.float32), along.shape), along, low[tile], high[tile]
    )
    nearer = ground < distance[tile, ray]
    at = (tile[nearer], ray[nearer])
    distance[at], index[at] = ground[nearer], -2
    return distance, index


def _untile(values: Array, height: int, width: int) -> Array:
    rows, columns = height // _EDGE, width // _EDGE
    return values.reshape(rows, columns, _EDGE, _EDGE).transpose(0, 2, 1, 3).reshape(height, width)


def _whole_tiles(rays: Array) -> Array:
    height, width = rays.shape[:2]
    return np.pad(rays, ((0, -height % _EDGE), (0, -width % _EDGE), (0, 0)), mode="edge")


def _pinhole_rays(camera: Camera) -> tuple[Float[Array, "H8 W8 3"], None]:
    inverse = np.linalg.inv(camera.K.numpy().astype(np.float64))
    u, v = np.meshgrid(np.arange(camera.width) + 0.5, np.arange(camera.height) + 0.5)
    rays = np.stack([u, v, np.ones_like(u)], axis=-1) @ inverse.T
    rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
    return _whole_tiles(rays.astype(np.float32)), None


@lru_cache(maxsize=4)
def _fisheye_rays(camera: Fisheye) -> tuple[Float[Array, "H8 W8 3"], Bool[Array, "H W"]]:
    rays, seen = unproject_fisheye(pixel_centres(camera.height, camera.width), camera)
    forward = np.array([0, 0, 1], dtype=np.float32)
    return _whole_tiles(np.where(seen[..., None].numpy(), rays.numpy(), forward)), seen.numpy()


def _pixel_angle(camera: Camera | Fisheye) -> float:
    """Radians between neighbouring pixels in the middle of the image."""
    if isinstance(camera, Fisheye):
        return (1 + camera.xi) / camera.gamma1
    return 1 / float(camera.K[0, 0])


def _expose(street: Street, colour: Float[Array, "H W 3"], noise_seed: int | None) -> UInt8[Array, "H W 3"]:
    """Linear light to the camera's bytes: a soft shoulder for what is bright, then gamma, then noise."""
    gain = np.float32(0.95)
    config = street.config
    if noise_seed is None:
        noise = np.zeros(1, dtype=np.float32)
    else:
        rng = np.random.default_rng((street.seed, noise_seed))
        gain = gain * np.float32(1 + config.exposure * rng.uniform(-1, 1))
        noise = rng.standard_normal(colour.shape, dtype=np.float32) * np.float32(config.noise)
    light = np.maximum(colour * gain, 0)
    light = light * (1 + light * np.float32(0.1)) / (1 + np.float32(0.55) * light)
    return np.clip(255 * np.sqrt(light) + noise + 0.5, 0, 255).astype(np.uint8)
