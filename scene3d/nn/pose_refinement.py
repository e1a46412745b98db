"""Small corrections of the cameras of a scene, learned along with what they see."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from scene3d.geometry.se3 import exp_twist


class PoseRefinement(nn.Module):
    """An increment in SE(3) for every image but one, at first none: what comes in goes out.

    A camera moves in its own frame, about its own centre: ``refined = cam_to_world @ exp(twist)``. One image
    stays, so that the scene does not drift as a whole; its size is still free, and held by whatever else is known of
    the scene. Rotations are radians and translations of the world's unit; where the scene is normalised to the unit
    ball one learning rate does for both.

    Args:
        images: of the scene.
        fixed: number of the one that stays.

    Source: Lin et al., "BARF: Bundle-adjusting neural radiance fields", ICCV 2021, section 3.1.
    """

    fixed: Bool[Tensor, "V"]  # noqa: UP037

    def __init__(self, images: int, fixed: int = 0) -> None:
        super().__init__()
        self.twist = nn.Parameter(torch.zeros(images, 6))
        self.register_buffer("fixed", torch.arange(images) == fixed, persistent=False)

    def forward(
        self,
        cam_to_world: Float[Tensor, "*batch 4 4"],
        image: Int[Tensor, "*batch"],
    ) -> Float[Tensor, "*batch 4 4"]:
        """Refined transforms of cameras.

        Args:
            cam_to_world: as the data say.
            image: which image each is of.
        """
        return cam_to_world @ self.refined_to_cam()[image].to(cam_to_world)

    def refined_to_cam(self) -> Float[Tensor, "V 4 4"]:
        """The increment of every image."""
        return exp_twist(torch.where(self.fixed[:, None], 0.0, self.twist))
