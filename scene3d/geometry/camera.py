"""The pinhole camera: intrinsics in pixels of their image, projection, and what resize, crop and flip do to K."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

CAM_TO_FORWARD = ((0.0, 0, 1, 0), (-1.0, 0, 0, 0), (0.0, -1, 0, 0), (0.0, 0, 0, 1))
"""Camera axes to x forward, y left, z up."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera: K in pixels of an image of ``height`` x ``width``.

    The centre of pixel (column i, row j) lies at (i + 0.5, j + 0.5), so resizing scales K,
    cropping subtracts, and flipping maps cx to width - cx.
    """

    K: Float[Tensor, "3 3"]
    height: int
    width: int

    def resize(self, height: int, width: int) -> Camera:
        """The camera of this image resized to ``height`` x ``width``."""
        scale = self.K.new_tensor([width / self.width, height / self.height, 1.0])
        return Camera(self.K * scale[:, None], height, width)

    def crop(self, top: int, left: int, height: int, width: int) -> Camera:
        """The camera of the window whose first row is ``top`` and first column ``left``."""
        K = self.K.clone()
        K[0, 2] -= left
        K[1, 2] -= top
        return Camera(K, height, width)

    def flip(self) -> Camera:
        """The camera of the mirrored image, which sees a world mirrored in x.

        Whoever flips the image also flips x of every transform of the scene (see ``flip_transform``).
        """
        K = self.K.clone()
        K[0, 2] = self.width - K[0, 2]
        K[0, 1] = -K[0, 1]
        return Camera(K, self.height, self.width)


def pinhole(focal: float, height: int, width: int) -> Camera:
    """A camera of equal focal lengths (pixels) whose axis goes through the middle of the image."""
    K = torch.tensor([[focal, 0.0, width / 2], [0.0, focal, height / 2], [0.0, 0.0, 1.0]])
    return Camera(K, height, width)


def flip_transform(cam_to_world: Float[Tensor, "*batch 4 4"]) -> Float[Tensor, "*batch 4 4"]:
    """The transform between mirrored cameras of a mirrored world: S T S with S = diag(-1, 1, 1, 1)."""
    sign = cam_to_world.new_tensor([-1.0, 1.0, 1.0, 1.0])
    return cam_to_world * sign[:, None] * sign[None, :]


def pixel_centres(height: int, width: int, *, device: torch.device | None = None) -> Float[Tensor, "H W 2"]:
    """(x, y) of every pixel's centre: 0.5, 1.5, ... in columns and rows."""
    y, x = torch.meshgrid(
        torch.arange(height, device=device) + 0.5, torch.arange(width, device=device) + 0.5, indexing="ij"
    )
    return torch.stack([x, y], dim=-1)


def project(
    points_cam: Float[Tensor, "*batch N 3"], K: Float[Tensor, "*#batch 3 3"], nearest: float = 1e-3
) -> tuple[Float[Tensor, "*batch N 2"], Float[Tensor, "*batch N"]]:
    """Pixel (x, y) and depth of points in camera coordinates.

    Points nearer than ``nearest`` metres, or behind the camera, are divided by ``nearest``: their
    pixel is meaningless, and the returned depth says so.
    """
    depth = points_cam[..., 2]
    scaled = points_cam / depth.clamp(min=nearest)[..., None]
    pixels = (scaled @ K.mT)[..., :2]
    return pixels, depth


def unproject(
    pixels: Float[Tensor, "*batch N 2"], depth: Float[Tensor, "*batch N"], K: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "*batch N 3"]:
    """Points in camera coordinates of pixels at a depth along z."""
    ones = torch.ones_like(pixels[..., :1])
    return torch.cat([pixels, ones], dim=-1) @ torch.linalg.inv(K).mT * depth[..., None]


def inside(
    pixels: Float[Tensor, "*batch 2"],
    depth: Float[Tensor, "*batch"],
    height: int,
    width: int,
    nearest: float = 1e-3,
) -> Bool[Tensor, "*batch"]:
    """True where a projected point lies in front of the camera and within the image."""
    x, y = pixels.unbind(dim=-1)
    return (depth > nearest) & (x >= 0) & (x <= width) & (y >= 0) & (y <= height)


def to_grid(pixels: Float[Tensor, "*batch 2"], height: int, width: int) -> Float[Tensor, "*batch 2"]:
    """Pixel coordinates as ``torch.nn.functional.grid_sample`` wants them with ``align_corners=False``."""
    return pixels * pixels.new_tensor([2 / width, 2 / height]) - 1
