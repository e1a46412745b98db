"""Views of a coloured ball, rendered exactly, for the methods that learn surfaces."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.geometry.rays import pixel_rays
from scene3d.structures.frames import Frames

CENTRE = torch.tensor([10.0, -20.0, 30.0], dtype=torch.float64)
"""Of the ball, in the world."""

RADIUS = 3.0
"""Of the ball; the region of interest is half as large again."""

AWAY = 14.0
HEIGHT, WIDTH, FOCAL = 36, 48, 60.0


def unit_to_world(margin: float = 1.5) -> Tensor:
    """Of the region of interest."""
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] *= margin * RADIUS
    matrix[:3, 3] = CENTRE
    return matrix


def colours(normals: Tensor) -> Tensor:
    """Of places on the ball, told by their normals: bands, shaded."""
    towards = normals.new_tensor([(1, 2, 0), (0, 1, -2), (2, 0, 1)])
    waves = torch.sin(1.5 * normals @ towards.T)
    return 0.5 + 0.4 * waves


def orbit(number: int, of: int) -> Tensor:
    """``cam_to_world`` of a camera that looks at the middle; they stand in a band about the ball."""
    angle, height = 2 * math.pi * number / of, 0.5 * math.sin(5 * number)
    outward = torch.tensor([math.cos(angle), math.sin(angle), height], dtype=torch.float64)
    forward = -outward / outward.norm()
    right = torch.linalg.cross(forward, torch.tensor([0.0, 0, 1], dtype=torch.float64))
    right = right / right.norm()
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3] = torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)
    matrix[:3, 3] = CENTRE - AWAY * forward
    return matrix


def view(number: int, of: int = 12, *, masks: bool = True, behind: bool = False) -> Frames:
    """One view; before black, or before a sky that follows the direction."""
    camera, cam_to_world = pinhole(FOCAL, HEIGHT, WIDTH), orbit(number, of)
    pixels = pixel_centres(HEIGHT, WIDTH).reshape(-1, 2).double()
    origins, directions = pixel_rays(pixels, camera.K.double(), cam_to_world)
    towards = ((CENTRE - origins) * directions).sum(dim=1)
    aside = (CENTRE - origins).square().sum(dim=1) - towards**2
    hit = aside < RADIUS**2
    distance = towards - (RADIUS**2 - aside).clamp(min=0).sqrt()
    normals = (origins + distance[:, None] * directions - CENTRE) / RADIUS
    sky = 0.5 + 0.3 * directions if behind else torch.zeros_like(directions)
    image = torch.where(hit[:, None], colours(normals), sky).float().T.reshape(3, HEIGHT, WIDTH)
    # Along z: the ray's distance times how much of it goes along the axis.
    depth = torch.where(hit, distance * (directions @ cam_to_world[:3, 2]), 0).float().reshape(HEIGHT, WIDTH)
    return Frames(
        image=image[None, None],
        K=camera.K[None, None],
        present=torch.ones(1, 1, dtype=torch.bool),
        names=(f"globe {number}",),
        cam_to_world=cam_to_world[None, None],
        unit_to_world=unit_to_world()[None],
        mask=hit.reshape(1, 1, HEIGHT, WIDTH) if masks else None,
        depth=depth[None, None],
    )
