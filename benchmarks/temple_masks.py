"""Middlebury's temple with masks of its own: what is not dark velvet, in the box that comes with it.

    python benchmarks/temple_masks.py TEMPLE_RING OUT

OUT becomes a folder of posed images, which `configs/surface/temple_ring.yaml` learns from.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from scene3d.data.images import read_image
from scene3d.data.middlebury import read_middlebury
from scene3d.data.posed_writing import write_posed_images
from scene3d.geometry.boxes import outline_mask
from scene3d.geometry.camera import project
from scene3d.geometry.se3 import invert, transform
from scene3d.structures.scene import Scene, Shot

HOLE = 200
"""Pixels; larger holes in a mask are seen through."""

MARGIN = 2.0
"""Pixels about the outline of the projected box."""


def object_mask(shot: Shot, bounds: torch.Tensor) -> np.ndarray:
    """Bright or brownish pixels, opened, with small holes filled, in the outline that the box projects to."""
    red, _, blue = read_image(shot.image).numpy().astype(np.int64)
    found = (red > 52) | ((red - blue > 17) & (red > 36))
    found = ndimage.binary_opening(found, np.ones((3, 3)))
    holes, count = ndimage.label(~found)
    small = np.bincount(holes.ravel(), minlength=count + 1) < HOLE
    found |= small[holes] & (holes > 0)
    corners = transform(invert(shot.cam_to_world), torch.cartesian_prod(*bounds.unbind(dim=1)))
    pixels, _ = project(corners, shot.camera.K)
    return found & outline_mask(pixels, *found.shape, MARGIN).numpy()


def write_masked(scene: Scene, out: Path) -> None:
    """The scene as posed images with their masks."""
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as work:
        shots = []
        for shot in scene.shots:
            file = Path(work) / f"{shot.image.stem}.png"
            Image.fromarray(object_mask(shot, scene.bounds).astype(np.uint8) * 255).save(file)
            shots.append(replace(shot, mask=file))
        write_posed_images(replace(scene, shots=tuple(shots)), out)


def main(ring: str, out: str) -> None:
    write_masked(read_middlebury(ring)[0], Path(out))


if __name__ == "__main__":
    main(*sys.argv[1:])
