"""Cameras of images that were not learnt from, corrected before they are scored.

Where cameras are corrected while a scene is learned, or are known to some pixels only, a held-out view is rendered from
a place that is slightly wrong, and its PSNR says how wrong. Source: Lin et al., "BARF: Bundle-adjusting neural radiance
fields", ICCV 2021, section 4.2: the scene stays as it is, and the camera alone goes where it sees the image best.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from scene3d.errors import DataError
from scene3d.geometry.se3 import exp_twist
from scene3d.structures.frames import Frames
from scene3d.volume.image_rays import ImageRays, Refine, draw_rays

RATE = 1e-3
"""First learning rate, radians and units; it falls to nothing."""


def corrected_camera(
    frames: Frames,
    unit_to_world: Tensor,
    difference: Callable[[ImageRays], Tensor],
    *,
    rays: int,
    steps: int,
    refine: Refine | None = None,
) -> Frames:
    """The frames with the camera of view 0 moved so that what is seen differs least from the image.

    Args:
        frames: one snippet.
        unit_to_world: of the region of interest.
        difference: between the colours that rays see and those of the image, with a gradient to the rays.
        rays: random ones of each step; the same images always draw the same.
        steps: of Adam.
        refine: corrections that were learnt and come on top, as they do where the frames are predicted.

    Raises:
        DataError: the view has no transform.
    """
    if frames.cam_to_world is None or frames.number is None:
        name = frames.names[0] if frames.names else "frames"
        raise DataError(f"{name}: expected an image with a number and a camera whose place is known")

    def moving(cam_to_unit: Tensor, number: Tensor) -> Tensor:
        moved = cam_to_unit @ exp_twist(twist)
        return moved if refine is None else refine(moved, number)

    twist = torch.zeros(6, device=frames.K.device, requires_grad=True)
    optimiser = torch.optim.Adam([twist], lr=RATE)
    slower = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    with torch.random.fork_rng(), torch.enable_grad():
        torch.manual_seed(0)
        for _ in range(steps):
            seen = draw_rays(frames, unit_to_world, rays, refine=moving)
            (twist.grad,) = torch.autograd.grad(difference(seen), twist)
            optimiser.step()
            slower.step()
    moved = exp_twist(twist.detach().double())
    moved[:3, 3] *= float(unit_to_world[0, 0])
    placed = frames.cam_to_world.clone()
    placed[0, 0] = (placed[0, 0].double() @ moved.to(placed.device)).to(placed)
    return replace(frames, cam_to_world=placed)
