"""Photographs of a ball on disk, as posed images, for tests of the way from a folder to a mesh."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from scene3d.visualise.pictures import image_picture
from tests.methods.globes import RADIUS, unit_to_world, view


def write_globe(folder: Path, images: int = 16, *, masks: bool = True) -> Path:
    """A folder with a scene.json; the region of interest is given as bounds."""
    (folder / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    entries = []
    for number in range(images):
        frames = view(number, of=images)
        name = f"{number:03d}.png"
        Image.fromarray(image_picture(frames.image[0, 0]).numpy()).save(folder / "images" / name)
        entry = {
            "file": f"images/{name}",
            "K": frames.K[0, 0].tolist(),
            "cam_to_world": frames.cam_to_world[0, 0].tolist(),
        }
        if masks:
            Image.fromarray(frames.mask[0, 0].numpy()).save(folder / "masks" / name)
            entry["mask"] = f"masks/{name}"
        entries.append(entry)
    centre = unit_to_world()[:3, 3]
    bounds = [(centre - 1.2 * RADIUS).tolist(), (centre + 1.2 * RADIUS).tolist()]
    (folder / "scene.json").write_text(json.dumps({"images": entries, "bounds": bounds}))
    return folder
