"""How well an object is found in photographs without masks: against the masks of a case in NeuS' layout.

    .venv/bin/python benchmarks/objects.py PATH [--out FOLDER] [--every 3]

The masks are taken off before anything looks at the scene, and read for scoring alone.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean

import torch
from torch import Tensor

from scene3d.data.images import write_image
from scene3d.data.neus import read_neus
from scene3d.data.object_files import write_object
from scene3d.data.shot_files import shot_mask
from scene3d.data.triangulation import TriangulationConfig, triangulate
from scene3d.evaluation.views import silhouette_iou
from scene3d.geometry.boxes import OrientedBox, outline_mask
from scene3d.objects.discovery import find_object
from scene3d.objects.projection import pixels_in, view_of
from scene3d.objects.silhouettes import silhouettes
from scene3d.structures.scene import Shot

REACH = 10
"""Pixels around a point that it vouches for."""


def main() -> None:
    options = _options()
    torch.set_num_threads(options.threads)
    (given,) = read_neus(options.path)
    shots = given.shots[:: options.every]
    masks = [shot_mask(shot) for shot in shots]
    scene = replace(given, shots=tuple(replace(shot, mask=None) for shot in shots), bounds=None)
    seconds = [time.perf_counter()]
    scene = replace(scene, sparse=triangulate(scene, TriangulationConfig(threads=options.threads)))
    seconds.append(time.perf_counter())
    region = find_object(scene)
    seconds.append(time.perf_counter())
    found = silhouettes(scene, region)
    seconds.append(time.perf_counter())
    ious = [silhouette_iou(mine, true) for mine, true in zip(found.masks, masks, strict=True)]
    object_points = region.points[region.foreground]
    hits = [_hits(shot, mask, object_points) for shot, mask in zip(shots, masks, strict=True)]
    taken = [after - before for before, after in zip(seconds, seconds[1:], strict=False)]
    print(f"{len(shots)} views; seconds for points, object, silhouettes: {', '.join(f'{t:.0f}' for t in taken)}")
    print(f"points: {len(scene.sparse.points)} found, {len(region.points)} believed, {len(object_points)} the object's")
    print(f"object's points inside of the masks: {mean(inside for inside, _ in hits):.3f}")
    print(f"mask within {REACH} pixels of an object's point: {mean(near for _, near in hits):.3f}")
    for name, box in (("points", region.box), ("silhouettes", found.box)):
        shares = [_share_in_box(shot, mask, box) for shot, mask in zip(shots, masks, strict=True)]
        print(f"mask in the outline of the {name}' box: {mean(shares):.4f}, half edges {box.half.tolist()}")
    print(f"silhouettes' IoU: mean {mean(ious):.4f}, least {min(ious):.4f}")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        write_object(options.out, region)
        for shot, mask in zip(shots, found.masks, strict=True):
            write_image(options.out / f"{shot.image.stem}.png", mask.to(torch.uint8).expand(3, -1, -1) * 255)


def _hits(shot: Shot, mask: Tensor, points: Tensor) -> tuple[float, float]:
    """Share of the points in view that the mask holds, and share of the mask that points are near to."""
    pixels, depth = pixels_in(shot, view_of(shot), points)
    column, row = pixels.long().unbind(dim=1)
    seen = (depth > 0) & (pixels >= 0).all(dim=1) & (column < mask.shape[1]) & (row < mask.shape[0])
    marked = torch.zeros(mask.shape)
    marked[row[seen], column[seen]] = 1
    near = torch.nn.functional.max_pool2d(marked[None], 2 * REACH + 1, stride=1, padding=REACH)[0] > 0
    return mask[row[seen], column[seen]].float().mean().item(), (near & mask).sum().item() / mask.sum().item()


def _share_in_box(shot: Shot, mask: Tensor, box: OrientedBox) -> float:
    """Share of a mask that lies in the outline of a box."""
    outline = outline_mask(pixels_in(shot, view_of(shot), box.corners())[0], *mask.shape)
    return (mask & outline).sum().item() / mask.sum().item()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path, help="a case with image/, mask/ and cameras_sphere.npz")
    parser.add_argument("--out", type=Path, help="folder for the object and its silhouettes")
    parser.add_argument("--every", type=int, default=1, help="take one of so many views")
    parser.add_argument("--threads", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
