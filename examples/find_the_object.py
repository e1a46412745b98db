"""A thing on a table finds itself: photographs with cameras in, its surface and its masks out; no mask goes in.

    python examples/find_the_object.py [PHOTOGRAPHS] [OUT] [STEPS]

PHOTOGRAPHS is a folder in one of the layouts that `scene3d reconstruct` takes. Without it, a mottled ball on a mottled
table is photographed. Needs pip install "scene3d[sfm,standin]".
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import torch
from torch.nn.functional import normalize

from scene3d.data.object_files import read_object
from scene3d.geometry.camera import pinhole, pixel_centres
from scene3d.geometry.rays import pixel_rays
from scene3d.geometry.se3 import rigid
from scene3d.recipe import reconstruct
from scene3d.visualise.pictures import write_picture


def photograph_a_table(folder: Path, views: int = 12) -> None:
    """A ball of radius 1 that lies on the table z = -1, from a ring of cameras above it."""
    folder.mkdir(parents=True, exist_ok=True)
    camera, entries = pinhole(200.0, 150, 200), []
    waves = torch.randn(60, 3, generator=torch.Generator().manual_seed(0)) * torch.logspace(0.3, 1.4, 60)[:, None]
    for number in range(views):
        angle = 2 * math.pi * number / views
        place = torch.tensor([4 * math.cos(angle), 4 * math.sin(angle), 2.4])
        ahead, right = normalize(-place, dim=0), torch.tensor([-math.sin(angle), math.cos(angle), 0.0])
        cam_to_world = rigid(torch.stack([right, torch.linalg.cross(ahead, right), ahead], dim=1), place)
        origins, directions = pixel_rays(pixel_centres(150, 200).reshape(-1, 2), camera.K, cam_to_world)
        towards = -(origins * directions).sum(dim=1)
        half = (1 - origins.square().sum(dim=1) + towards**2).relu().sqrt()
        to_table = (-1 - origins[:, 2]) / directions[:, 2].clamp(max=-0.1)
        points = origins + torch.where(half > 0, towards - half, to_table)[:, None] * directions
        paint = torch.where(half[:, None] > 0, torch.tensor([0.3, 0.45, 0.8]), torch.tensor([0.6, 0.4, 0.25]))
        mottled = paint * (1 + 0.6 * (torch.sin(points @ waves.T).sum(dim=1, keepdim=True) / 16).clamp(-1, 1))
        write_picture(folder / f"{number}.png", (mottled.clamp(0, 1) * 255).to(torch.uint8).reshape(150, 200, 3))
        entries.append({"file": f"{number}.png", "K": camera.K.tolist(), "cam_to_world": cam_to_world.tolist()})
    (folder / "scene.json").write_text(json.dumps({"images": entries}))


def main(photographs: str = "", out: str = "out/object", steps: str = "600") -> None:
    if not photographs:
        photographs = str(Path(out) / "photographs")
        photograph_a_table(Path(photographs))
    made = reconstruct(photographs, out, find=True, steps=int(steps), turn=0)
    found = read_object(Path(out) / "object")
    print(f"{int(found.foreground.sum())} of {len(found.points)} points are the object's")
    print(*(path for path in made.files if path.parent.name != "views"), sep="\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
