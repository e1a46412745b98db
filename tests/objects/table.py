"""A mottled ball on a mottled table, photographed from a ring of cameras: rays meet both in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor

from scene3d.geometry.boxes import OrientedBox
from scene3d.geometry.camera import inside, pinhole, pixel_centres, project
from scene3d.geometry.planes import Plane
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import invert, rigid, transform
from scene3d.nn.extractor import FeatureExtractor
from scene3d.structures.object_region import ObjectRegion
from scene3d.structures.scene import Scene, Shot
from scene3d.structures.sparse import SparsePoints

HEIGHT, WIDTH, FOCAL = 120, 160, 150.0
CENTRE, RADIUS = torch.tensor([0.3, -0.2, 1.0], dtype=torch.float64), 1.0
"""The ball touches the table, z = 0."""


@dataclass(frozen=True)
class Table:
    """The photographs, and where the ball is in each."""

    scene: Scene
    masks: list[Bool[Tensor, "H W"]]


class Colours(FeatureExtractor):
    """Mean colour of cells of 4 x 4 pixels: enough to tell a blue ball from a brown table."""

    def __init__(self) -> None:
        super().__init__(torch.nn.Identity, channels=3, stride=4, settings={})

    def dense(self, image):
        return torch.nn.functional.avg_pool2d(image, 4)


def photograph_table(folder: Path, views: int = 12) -> Table:
    """Write the photographs; the scene knows cameras but no points and no masks."""
    camera = pinhole(FOCAL, HEIGHT, WIDTH)
    shots, masks = [], []
    for i in range(views):
        cam_to_world = ring(i, views)
        colours, mask = _seen(camera.K.double(), cam_to_world)
        path = folder / f"{i:03d}.png"
        Image.fromarray((colours * 255).round().to(torch.uint8).numpy()).save(path)
        shots.append(Shot(image=path, frame=i, sensor="left", camera=camera, cam_to_world=cam_to_world))
        masks.append(mask)
    return Table(Scene(name="table", shots=tuple(shots)), masks)


def ring(i: int, views: int) -> Float[Tensor, "4 4"]:
    """``cam_to_world`` of a camera 5 from the ball and above it, looking at it."""
    angle = 2 * math.pi * i / views
    place = CENTRE + torch.tensor([4 * math.cos(angle), 4 * math.sin(angle), 2.5], dtype=torch.float64)
    forward = torch.nn.functional.normalize(CENTRE - place, dim=0)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, forward.new_tensor([0, 0, 1.0])), dim=0)
    return rigid(torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1), place)


def true_points(scene: Scene, number: int = 600) -> SparsePoints:
    """Points of ball and table with the views that see them, as a perfect triangulation would have them."""
    generator = torch.Generator().manual_seed(3)
    outward = torch.randn(number, 3, dtype=torch.float64, generator=generator)
    ball = CENTRE + RADIUS * torch.nn.functional.normalize(outward, dim=1)
    plan = 8 * torch.rand(number, 2, dtype=torch.float64, generator=generator) - 4
    points = torch.cat([ball, torch.cat([plan, torch.zeros_like(plan[:, :1])], dim=1)])
    tracks: list[list[tuple[int, list[float]]]] = [[] for _ in points]
    for place, shot in enumerate(scene.shots):
        pixels, depth = project(transform(invert(shot.cam_to_world), points), shot.camera.K.double())
        free = _hit(shot.cam_to_world[:3, 3].expand_as(points), points - shot.cam_to_world[:3, 3])[0] > 1 - 1e-6
        for n in (inside(pixels, depth, HEIGHT, WIDTH) & free).nonzero()[:, 0].tolist():
            tracks[n].append((place, pixels[n].tolist()))
    kept = [n for n, track in enumerate(tracks) if len(track) >= 3]
    seen = [each for n in kept for each in tracks[n]]
    starts = np.cumsum([0, *(len(tracks[n]) for n in kept)])
    points = points[kept]
    return SparsePoints(
        points=points,
        colours=(_colour(points, points[:, 2] > 1e-9) * 255).round().to(torch.uint8),
        errors=torch.full((len(points),), 0.3, dtype=torch.float64),
        track_start=torch.from_numpy(starts),
        track_shot=torch.tensor([place for place, _ in seen]),
        track_pixel=torch.tensor([pixel for _, pixel in seen], dtype=torch.float64),
    )


def _seen(K: Tensor, cam_to_world: Tensor) -> tuple[Float[Tensor, "H W 3"], Bool[Tensor, "H W"]]:
    """Colours and the ball's mask; each pixel the mean of 2 x 2 rays, the mask by its middle."""
    fine = K * K.new_tensor([2, 2, 1])[:, None]
    pixels = pixel_centres(2 * HEIGHT, 2 * WIDTH).double().reshape(-1, 2)
    origins, directions = pixel_rays(pixels, fine, cam_to_world)
    distance, on_ball = _hit(origins, directions)
    points = origins + distance.clamp(max=1e3)[:, None] * directions
    colours = torch.where(distance[:, None] < 1e3, _colour(points, on_ball), 0.0).unflatten(0, (2 * HEIGHT, 2 * WIDTH))
    _, mask = _hit(*pixel_rays(pixel_centres(HEIGHT, WIDTH).double().reshape(-1, 2), K, cam_to_world))
    return colours.reshape(HEIGHT, 2, WIDTH, 2, 3).mean(dim=(1, 3)), mask.unflatten(0, (HEIGHT, WIDTH))


def _hit(origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Where rays end, in lengths of their direction, and whether on the ball."""
    to_centre = origins - CENTRE
    a, b = (directions**2).sum(dim=1), (to_centre * directions).sum(dim=1)
    inside_root = b**2 - a * ((to_centre**2).sum(dim=1) - RADIUS**2)
    ball = torch.where(inside_root >= 0, (-b - inside_root.clamp(min=0).sqrt()) / a, torch.inf)
    floor = torch.where(directions[:, 2] < 0, -origins[:, 2] / directions[:, 2], torch.inf)
    return torch.minimum(ball, floor), ball < floor


def _colour(points: Tensor, on_ball: Tensor) -> Float[Tensor, "N 3"]:
    """Blue or brown, mottled by waves of many lengths that do not repeat."""
    generator = torch.Generator().manual_seed(7)
    waves = torch.randn(40, 3, dtype=torch.float64, generator=generator) * torch.logspace(0.3, 1.3, 40)[:, None]
    phases = 2 * math.pi * torch.rand(40, dtype=torch.float64, generator=generator)
    mottle = torch.sin(points @ waves.mT + phases).sum(dim=1, keepdim=True) / 18
    blue, brown = points.new_tensor([0.25, 0.4, 0.75]), points.new_tensor([0.55, 0.38, 0.22])
    return (torch.where(on_ball[:, None], blue, brown) * (1 + 0.6 * mottle.clamp(-1, 1))).clamp(0, 1)


def true_region(scene: Scene) -> ObjectRegion:
    """What `find_object` would find of the ball at best."""
    sparse = true_points(scene)
    box = torch.eye(4, dtype=torch.float64)
    box[:3, 3] = CENTRE
    return ObjectRegion(
        points=sparse.points,
        colours=sparse.colours,
        foreground=((sparse.points - CENTRE).norm(dim=1) - RADIUS).abs() < 1e-6,
        box=OrientedBox(box_to_world=box, half=torch.full((3,), RADIUS, dtype=torch.float64)),
        plane=Plane(normal=torch.tensor([0.0, 0, 1], dtype=torch.float64), offset=torch.tensor(0.0).double()),
    )
