"""From photographs of one thing to its mesh, in a few lines.

    python examples/surface_from_photos.py [PHOTOGRAPHS] [OUT] [STEPS]

PHOTOGRAPHS is a folder in one of the layouts that `scene3d reconstruct` takes, or of plain photographs, whose cameras
are found first. Without it, a coloured ball is photographed.
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch

from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.turntable import turntable
from scene3d.recipe import reconstruct
from scene3d.visualise.pictures import write_picture


def photograph_a_ball(folder: Path, views: int = 16) -> None:
    """A ball of radius 1 before black, from two rings of cameras, as a folder of posed images."""
    folder.mkdir(parents=True, exist_ok=True)
    camera, entries = pinhole(60.0, 36, 48), []
    pixels = pixel_centres(camera.height, camera.width).reshape(-1, 2)
    ring = torch.eye(4, dtype=torch.float64).repeat(4, 1, 1)
    for k in range(4):  # cameras on four sides, 4 away, with y down
        angle = k * math.pi / 2
        ring[k, :3, 2] = torch.tensor([math.sin(angle), 0.3, math.cos(angle)]) / math.hypot(1, 0.3)
        ring[k, :3, 0] = torch.tensor([math.cos(angle), 0.0, -math.sin(angle)])
        ring[k, :3, 1] = torch.linalg.cross(ring[k, :3, 2], ring[k, :3, 0])
        ring[k, :3, 3] = -4 * ring[k, :3, 2]
    for number, cam_to_world in enumerate(turntable(ring, torch.zeros(3), views)):
        origins, directions = pixel_rays(pixels, camera.K, cam_to_world.float())
        towards = -(origins * directions).sum(dim=1)
        inside = 1 - origins.square().sum(dim=1) + towards**2
        normals = origins + (towards - inside.clamp(min=0).sqrt())[:, None] * directions
        colour = torch.where(inside[:, None] > 0, 0.5 + 0.4 * torch.sin(3 * normals), 0.0)
        for name, picture in ((f"{number}.png", colour), (f"{number}_mask.png", (inside > 0)[:, None].expand(-1, 3))):
            write_picture(folder / name, (picture * 255).to(torch.uint8).reshape(camera.height, camera.width, 3))
        place = {"K": camera.K.tolist(), "cam_to_world": cam_to_world.tolist()}
        entries.append({"file": f"{number}.png", "mask": f"{number}_mask.png", **place})
    (folder / "scene.json").write_text(json.dumps({"images": entries, "bounds": [[-1.2] * 3, [1.2] * 3]}))


def main(photographs: str = "", out: str = "out/surface", steps: str = "300") -> None:
    if not photographs:
        photographs = str(Path(out) / "photographs")
        photograph_a_ball(Path(photographs))
    made = reconstruct(photographs, out, steps=int(steps), turn=0)
    print(made.report.as_markdown() if made.report else "too few photographs to hold some out")
    print(*made.files, sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
