"""The three directions that edges in a room run along, from photographs whose cameras are known.

An edge in an image and the centre of its camera span a plane, and the edge itself lies somewhere in it: a direction
that many edges share is at right angles to the normals of all their planes. Source: Coughlan and Yuille, "Manhattan
World: compass direction from a single image by Bayesian inference", ICCV 1999, of which the vote of every pixel and the
search for three directions at right angles are taken, not the model of noise.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from scene3d.geometry.camera import pixel_centres
from scene3d.geometry.se3 import rotation_of

BLUR = 1.2
"""Standard deviation in pixels that an image is smoothed by before its edges are sought."""

RIM = 5
"""Pixels about what is not valid, and along the border, in which smoothing makes edges of its own."""

STRONGEST = 0.15
"""Share of an image's pixels that are taken for edges."""

STARTS = 3000
"""Turned frames to begin with: so many lie some 6 degrees apart, for a cube has 24 turns that change nothing."""

ROUNDS = ((0.1, 0.06), (0.05, 0.04), (0.025, 0.03), (0.01, 0.02))
"""By how much (radians) the best frames are turned at random in each round, and how far edges may be off, as a sine."""

KEPT, TURNS = 20, 20
"""Frames that each round goes on with, and how often each is turned."""

EDGES_TO_START, EDGES = 6000, 20_000
"""Edges that frames to begin with are judged by, and all others."""


class EdgePlanes(NamedTuple):
    """Planes through edges and the centres of the cameras that saw them.

    Attributes:
        normals: of unit length, in the world.
        strength: of the edges: by how much brightness changes a pixel.
    """

    normals: Float[Tensor, "N 3"]
    strength: Float[Tensor, "N"]  # noqa: UP037


def edge_planes(
    image: Float[Tensor, "3 H W"],
    K: Float[Tensor, "3 3"],
    cam_to_world: Float[Tensor, "4 4"],
    valid: Bool[Tensor, "H W"] | None = None,
) -> EdgePlanes:
    """Planes through the strongest edges of an image.

    Args:
        image: RGB in [0, 1].
        K: of a pinhole camera, in pixels of the image.
        cam_to_world: of the same.
        valid: where the image shows anything; None for everywhere.
    """
    from kornia.filters import gaussian_blur2d, spatial_gradient  # heavy to import

    size = 2 * RIM - 1
    smooth = gaussian_blur2d(image.mean(dim=0)[None, None], (size, size), (BLUR, BLUR))
    across, down = spatial_gradient(smooth, "diff")[0, 0]
    inner = torch.zeros(image.shape[-2:], dtype=torch.bool)
    inner[RIM:-RIM, RIM:-RIM] = True
    if valid is not None:
        inner &= torch.nn.functional.max_pool2d((~valid)[None].float(), 2 * RIM + 1, stride=1, padding=RIM)[0] == 0
    strength = torch.where(inner, torch.hypot(across, down), 0.0)
    weakest = strength.flatten().kthvalue(round((1 - STRONGEST) * strength.numel())).values
    strong = strength > weakest.clamp(min=0)
    # The edge through a pixel p is {q: g . (q - p) = 0}; K turns that line of the image into a plane.
    g = torch.stack([across, down], dim=-1)[strong]
    line = torch.cat([g, -(g * pixel_centres(*image.shape[-2:])[strong]).sum(dim=1, keepdim=True)], dim=1)
    normals = line @ K.to(line) @ cam_to_world[:3, :3].to(line).mT
    return EdgePlanes(torch.nn.functional.normalize(normals, dim=1), strength[strong])


def room_axes(planes: EdgePlanes) -> Float[Tensor, "3 3"]:
    """Unit axes in rows, at right angles, along which most of the edges run; their order and signs mean nothing.

    Stronger edges count for more: those of walls and furniture, before texture. The same planes give the same axes.

    Args:
        planes: at least one.
    """
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(planes.normals), generator=generator)
    few, many = (EdgePlanes(*(part[order[:count]] for part in planes)) for count in (EDGES_TO_START, EDGES))
    frames, width = torch.linalg.qr(torch.randn(STARTS, 3, 3, generator=generator))[0], ROUNDS[0][1]
    best = frames[_support(frames, few, width).topk(KEPT).indices]
    for angle, width in ROUNDS:
        twists = angle * torch.randn(TURNS, KEPT, 3, generator=generator)
        turned = best @ rotation_of(twists)
        frames = torch.cat([best, turned.flatten(0, 1)])
        best = frames[_support(frames, many, width).topk(KEPT).indices]
    return best[0]


def _support(frames: Float[Tensor, "F 3 3"], planes: EdgePlanes, width: float) -> Float[Tensor, "F"]:  # noqa: UP037
    """How strongly edges run along the axes of each frame; `width` is the sine that they may be off by."""
    found = []
    for some in frames.split(200):
        off = (planes.normals @ some.flatten(0, 1).mT).unflatten(1, (-1, 3)).abs().amin(dim=2)
        found.append(planes.strength @ torch.exp(-0.5 * (off / width).square()))
    return torch.cat(found)
