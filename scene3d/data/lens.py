"""A lens that bends straight lines, as OpenCV's k1 k2 p1 p2, and the pinhole view that is read through it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.geometry.camera import Camera
from scene3d.geometry.fisheye import Fisheye
from scene3d.structures.scene import Virtual

Distortion = tuple[float, float, float, float]
"""k1 and k2, radial, then p1 and p2, tangential."""


def view_through(
    K: Float[Tensor, "3 3"], height: int, width: int, distortion: Distortion
) -> tuple[Camera | Fisheye, Virtual | None]:
    """The camera of an image as it lies on disk, and the pinhole view to make of it; None where nothing is bent.

    The view keeps the size and K. Where the lens shows less than it, pixels are not covered; where it shows more, that
    is lost.

    Args:
        K: pixels, centres at +0.5, without skew.
        height, width: of the image.
        distortion: all 0 is a pinhole.

    Source: Brown, "Decentering distortion of lenses", 1966, with the names of OpenCV's calibration.
    """
    pinhole = Camera(K, height, width)
    if not any(distortion):
        return pinhole, None
    k1, k2, p1, p2 = distortion
    fx, fy, cx, cy = (float(K[i, j]) for i, j in ((0, 0), (1, 1), (0, 2), (1, 2)))
    # A unified camera whose centre is not moved off the sphere's (xi = 0) is a pinhole behind this very lens.
    bent = Fisheye(xi=0.0, k1=k1, k2=k2, p1=p1, p2=p2, gamma1=fx, gamma2=fy, u0=cx, v0=cy, height=height, width=width)
    return bent, Virtual(camera=pinhole, rotation=torch.eye(3, dtype=K.dtype))
