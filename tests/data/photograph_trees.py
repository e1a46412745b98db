"""Folders of a few small photographs in the layouts of the data sets; cameras on a circle look at its middle."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from scene3d.geometry.se3 import invert, rigid

HEIGHT, WIDTH = 12, 16
K = torch.tensor([[20.0, 0, 8.5], [0, 21.0, 6.25], [0, 0, 1]], dtype=torch.float64)
"""In our convention: pixel centres at +0.5."""

CENTRE = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
RADIUS = 4.0
TUM_SIZE = (480, 640)


def orbit(number: int, of: int = 4) -> Float[Tensor, "4 4"]:
    """``cam_to_world`` of a camera on the circle about CENTRE that looks at it; world z is up."""
    angle = 2 * math.pi * number / of
    outward = torch.tensor([math.cos(angle), math.sin(angle), 0.0], dtype=torch.float64)
    down = torch.tensor([0.0, 0.0, -1.0], dtype=torch.float64)
    forward = -outward
    rotation = torch.stack([torch.linalg.cross(down, forward), down, forward], dim=1)
    return rigid(rotation, CENTRE + RADIUS * outward)


def photograph(path: Path, brightness: int = 100, size: tuple[int, int] = (HEIGHT, WIDTH)) -> Path:
    """A gray image, of the size that K is for unless another height and width are asked for."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size[::-1], (brightness,) * 3).save(path)
    return path


def at_integers(matrix: Float[Tensor, "3 3"]) -> Float[Tensor, "3 3"]:
    """K as files say it whose pixel centres lie at integers."""
    return matrix - torch.tensor([[0, 0, 0.5], [0, 0, 0.5], [0, 0, 0]], dtype=torch.float64)


def write_neus(folder: Path, images: int = 3, *, masks: bool = True, **changes: np.ndarray) -> Path:
    """A case whose projections carry factors, one of them negative, as files do."""
    matrices: dict[str, np.ndarray] = {}
    for i in range(images):
        photograph(folder / "image" / f"{i:03d}.png")
        if masks:
            mask = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
            mask[3:9, 4:12] = 255
            (folder / "mask").mkdir(exist_ok=True)
            Image.fromarray(mask).save(folder / "mask" / f"{i:03d}.png")
        world = torch.eye(4, dtype=torch.float64)
        world[:3] = (-2.0, 1.0, 300.0)[i % 3] * at_integers(K) @ invert(orbit(i))[:3]
        scale = torch.eye(4, dtype=torch.float64)
        scale[:3, :3] *= 1.5
        scale[:3, 3] = CENTRE
        matrices |= {f"world_mat_{i}": world.numpy(), f"scale_mat_{i}": scale.numpy()}
    np.savez(folder / "cameras_sphere.npz", **{**matrices, **changes})
    return folder


def write_transforms(folder: Path, images: int = 3, frame: dict[str, Any] | None = None, **top: Any) -> Path:
    """A transforms.json whose cameras look along -z with y up."""
    gl_to_cv = torch.diag(torch.tensor([1.0, -1, -1, 1], dtype=torch.float64))
    frames = []
    for i in range(images):
        photograph(folder / "images" / f"{i:04d}.png")
        matrix = (orbit(i) @ gl_to_cv).tolist()
        frames.append({"file_path": f"images/{i:04d}.png", "transform_matrix": matrix, "sharpness": 3, **(frame or {})})
    said = {"fl_x": 20, "fl_y": 21, "cx": 8.5, "cy": 6.25, "w": WIDTH, "h": HEIGHT, "aabb_scale": 4}
    (folder / "transforms.json").write_text(json.dumps({**said, "frames": frames, **top}))
    return folder


def write_middlebury(folder: Path, images: int = 3) -> Path:
    """A par file, and a README with the box."""
    lines = [str(images)]
    for i in range(images):
        photograph(folder / f"toy{i:04d}.png")
        world_to_cam = invert(orbit(i))
        numbers = torch.cat([at_integers(K).flatten(), world_to_cam[:3, :3].flatten(), world_to_cam[:3, 3]])
        lines.append(" ".join([f"toy{i:04d}.png", *(f"{value:.17g}" for value in numbers.tolist())]))
    (folder / "toy_par.txt").write_text("\n".join(lines) + "\n")
    (folder / "README.txt").write_text(
        "A toy (plaster)\nThe box is\n(0.5 1.5 -2)\n(1.5 2.5 4e0)\n\nThat is all (really)\n"
    )
    return folder


def write_tum(folder: Path, images: int = 3) -> Path:
    """Colour every 0.1 s, depth and transforms a little later; the last image has no transform near it.

    Images have the size that the data set's own intrinsics are for.
    """
    from scipy.spatial.transform import Rotation

    colour, depth, truth = ["# color images"], ["# depth maps"], ["# ground truth"]
    for i in range(images + 1):
        photograph(folder / "rgb" / f"{i}.png", size=TUM_SIZE)
        colour.append(f"{100 + i / 10:.4f} rgb/{i}.png")
        if i == images:
            break
        (folder / "depth").mkdir(exist_ok=True)
        Image.fromarray(np.full(TUM_SIZE, 5000 * (i + 1), dtype=np.uint16)).save(folder / "depth" / f"{i}.png")
        depth.append(f"{100.004 + i / 10:.4f} depth/{i}.png")
        quaternion = Rotation.from_matrix(orbit(i)[:3, :3].numpy()).as_quat()
        numbers = [*orbit(i)[:3, 3].tolist(), *quaternion]
        truth.append(" ".join([f"{100.007 + i / 10:.4f}", *(f"{value:.12g}" for value in numbers)]))
    for name, lines in (("rgb", colour), ("depth", depth), ("groundtruth", truth)):
        (folder / f"{name}.txt").write_text("\n".join(lines) + "\n")
    return folder


def write_seven_scenes(folder: Path, images: int = 3) -> Path:
    """Depth of 1.5 m, and invalid in its first column."""
    for i in range(images):
        photograph(folder / f"frame-{10 * i:06d}.color.png")
        depth = np.full((HEIGHT, WIDTH), 1500, dtype=np.uint16)
        depth[:, 0] = 65535
        Image.fromarray(depth).save(folder / f"frame-{10 * i:06d}.depth.png")
        rows = "\n".join("\t".join(f"{value:.12g}" for value in row) for row in orbit(i).tolist())
        (folder / f"frame-{10 * i:06d}.pose.txt").write_text(rows + "\n")
    (folder / "camera-intrinsics.txt").write_text("20 0 8\n0 21 5.75\n0 0 1\n")
    return folder
