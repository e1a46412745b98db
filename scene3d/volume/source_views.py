"""Colours of points, fetched from the images that see them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import inside, project
from scene3d.geometry.se3 import transform
from scene3d.ops.march_field import MarchViews
from scene3d.ops.sample_views import sample_views
from scene3d.ops.sample_views_composite import sample_views_composite


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

    def along_rays(
        self, points: Float[Tensor, "B R S 3"], weights: Float[Tensor, "B R S"]
    ) -> tuple[Float[Tensor, "B V R 3"], Float[Tensor, "B V R"]]:
        """Colour that each view shows along each ray, and the share of the ray's weight where it sees nothing.

        Gradients flow from the colours to the weights; where the views stand and look is given.
        """
        views = self.arrays()
        colour, seen = sample_views_composite(views.images, points, views.to_pixels, weights, views.shown)
        return colour, (weights.sum(dim=-1)[:, None] - seen).detach()

    @torch.no_grad()
    def at(self, points: Float[Tensor, "B N 3"]) -> tuple[Float[Tensor, "B V N 3"], Bool[Tensor, "B V N"]]:
        """Colour that each view shows where each point projects to, and whether it sees the point."""
        height, width = self.image.shape[-2:]
        pixels, depth = project(transform(self.field_to_cam, points[:, None]), self.K)
        shown = torch.cat([self.image, self.valid[:, :, None].to(self.image)], dim=2).permute(0, 1, 3, 4, 2)
        found = sample_views(shown.flatten(0, 1).contiguous(), pixels.flatten(0, 1)).unflatten(0, pixels.shape[:2])
        # Between a pixel that shows something and one that does not there is nothing to be seen.
        whole = found[..., 3] > 1 - 1e-4
        return found[..., :3], inside(pixels, depth, height, width) & whole

    def arrays(self) -> MarchViews:
        """As operators take them."""
        images = self.image.permute(0, 1, 3, 4, 2).contiguous()
        return MarchViews(images, self.K @ self.field_to_cam[..., :3, :], self.valid)
