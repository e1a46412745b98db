"""Colours of points, fetched from the images that see them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import inside, project
from scene3d.geometry.se3 import transform
from scene3d.ops.sample_views import sample_views


@dataclass(frozen=True)
class SourceViews:
    """V images of each of B scenes, and where their cameras stand in the field's coordinates.

    Attributes:
        image: RGB in [0, 1].
        K: in pixels of the images.
        field_to_cam: from the coordinates that points are given in.
        valid: False on pixels that show nothing (absent views, borders of a resampled fisheye).
    """

    image: Float[Tensor, "B V 3 H W"]
    K: Float[Tensor, "B V 3 3"]
    field_to_cam: Float[Tensor, "B V 4 4"]
    valid: Bool[Tensor, "B V H W"]

    def colours(self, points: Float[Tensor, "B N 3"]) -> tuple[Float[Tensor, "B V N 3"], Bool[Tensor, "B V N"]]:
        """Colour that each view shows at each point, and whether the view can see there at all."""
        batch, views, _, height, width = self.image.shape
        pixels, depth = project(transform(self.field_to_cam, points[:, None]), self.K)
        seen = inside(pixels, depth, height, width)
        maps = torch.cat([self.image, self.valid[:, :, None].to(self.image.dtype)], dim=2)
        sampled = sample_views(maps.flatten(0, 1).permute(0, 2, 3, 1).contiguous(), pixels.flatten(0, 1).detach())
        sampled = sampled.unflatten(0, (batch, views))
        return sampled[..., :3], seen & (sampled[..., 3] > 0.99)
