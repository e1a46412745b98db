"""The unified (MEI) fisheye camera and its resampling to a pinhole.

Source: Mei and Rives, "Single view point omnidirectional camera calibration from planar grids", ICRA 2007.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import Camera, pixel_centres, unproject


@dataclass(frozen=True)
class Fisheye:
    """A unified camera: points are put on the unit sphere, moved by xi along z, then seen by a pinhole.

    Attributes:
        xi: offset of the projection centre; 0 is a pinhole.
        k1, k2: radial distortion of the normalised plane.
        p1, p2: tangential distortion of the normalised plane.
        gamma1, gamma2: generalised focal lengths, pixels.
        u0, v0: principal point, pixels, with pixel centres at +0.5.
        height, width: of the fisheye image, pixels.
    """

    xi: float
    k1: float
    k2: float
    p1: float
    p2: float
    gamma1: float
    gamma2: float
    u0: float
    v0: float
    height: int
    width: int


def project_fisheye(
    points_cam: Float[Tensor, "*batch 3"], camera: Fisheye
) -> tuple[Float[Tensor, "*batch 2"], Bool[Tensor, "*batch"]]:
    """Pixel (x, y) of points in camera coordinates, and whether the model can see them.

    A point is seen where its ray meets the normalised plane in front: z / |X| > -min(xi, 1 / xi).
    """
    on_sphere = torch.nn.functional.normalize(points_cam, dim=-1)
    limit = -min(camera.xi, 1 / camera.xi) if camera.xi > 0 else 0.0
    seen = on_sphere[..., 2] > limit
    shifted = (on_sphere[..., 2] + camera.xi).clamp(min=1e-6)
    plane = _distort(on_sphere[..., :2] / shifted[..., None], camera)
    focal = plane.new_tensor([camera.gamma1, camera.gamma2])
    return plane * focal + plane.new_tensor([camera.u0, camera.v0]), seen


def unproject_fisheye(
    pixels: Float[Tensor, "*batch 2"], camera: Fisheye, iterations: int = 30
) -> tuple[Float[Tensor, "*batch 3"], Bool[Tensor, "*batch"]]:
    """Unit ray through each pixel, and whether there is one.

    The distortion is undone by fixed-point iteration, which converges where the distortion is
    moderate; a pixel whose ray does not project back to within 0.01 pixel is marked as unseen.
    """
    focal, centre = (
        pixels.new_tensor([camera.gamma1, camera.gamma2]),
        pixels.new_tensor([camera.u0, camera.v0]),
    )
    target = (pixels - centre) / focal
    plane = target
    for _ in range(iterations):
        radial = _radial(plane, camera)
        plane = (target - _tangential(plane, camera)) / radial
    squared = (plane**2).sum(dim=-1)
    root = 1 + (1 - camera.xi**2) * squared
    factor = (camera.xi + root.clamp(min=0).sqrt()) / (squared + 1)
    rays = torch.nn.functional.normalize(
        torch.cat([plane * factor[..., None], (factor - camera.xi)[..., None]], dim=-1), dim=-1
    )
    back, seen = project_fisheye(rays, camera)
    return rays, seen & (root >= 0) & ((back - pixels).abs().amax(dim=-1) < 0.01)


def pinhole_lookup(
    fisheye: Fisheye, camera: Camera, pinhole_to_fisheye: Float[Tensor, "3 3"]
) -> tuple[Float[Tensor, "H W 2"], Bool[Tensor, "H W"]]:
    """Where in the fisheye image each pixel of a virtual pinhole camera looks, and whether it is there.

    Args:
        fisheye: the camera whose image exists.
        camera: the pinhole camera whose image is wanted; both share one centre.
        pinhole_to_fisheye: rotation between them.
    """
    pixels = pixel_centres(camera.height, camera.width).to(camera.K.dtype).reshape(-1, 2)
    rays = unproject(pixels, torch.ones_like(pixels[:, 0]), camera.K) @ pinhole_to_fisheye.mT
    source, seen = project_fisheye(rays, fisheye)
    x, y = source.unbind(dim=-1)
    seen = seen & (x >= 0) & (x <= fisheye.width) & (y >= 0) & (y <= fisheye.height)
    size = (camera.height, camera.width)
    return source.unflatten(0, size), seen.unflatten(0, size)


def _distort(plane: Float[Tensor, "*batch 2"], camera: Fisheye) -> Float[Tensor, "*batch 2"]:
    return plane * _radial(plane, camera) + _tangential(plane, camera)


def _radial(plane: Float[Tensor, "*batch 2"], camera: Fisheye) -> Float[Tensor, "*batch 1"]:
    squared = (plane**2).sum(dim=-1, keepdim=True)
    return 1 + camera.k1 * squared + camera.k2 * squared**2


def _tangential(plane: Float[Tensor, "*batch 2"], camera: Fisheye) -> Float[Tensor, "*batch 2"]:
    x, y = plane.unbind(dim=-1)
    squared = (plane**2).sum(dim=-1)
    return torch.stack(
        [
            2 * camera.p1 * x * y + camera.p2 * (squared + 2 * x**2),
            camera.p1 * (squared + 2 * y**2) + 2 * camera.p2 * x * y,
        ],
        dim=-1,
    )
