"""Trees of a few small files in the layouts of the data sets, for the readers' tests."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from scene3d.data.images import write_depth

HEIGHT, WIDTH, FOCAL, BASELINE, DEPTH = 24, 64, 32.0, 0.5, 4.0
"""Cameras of the trees; the wall that they look at is DEPTH metres from the first one."""

STEP = 0.125  # metres to the right a frame
VELO_TO_CAM = "0 -1 0 0 0 0 -1 0 1 0 0 0"


def wall(x: np.ndarray) -> np.ndarray:
    """Brightness, 0..255, of the wall at metres right of the world's origin: smooth, and different everywhere."""
    return 128 + 50 * np.sin(2.1 * x) + 40 * np.sin(0.9 * x + 1) + 30 * np.sin(4.3 * x + 2)


def wall_image(x: float) -> Image.Image:
    """What a camera sees that stands `x` metres right of the origin: stripes, redder from row to row."""
    columns = (np.arange(WIDTH) + 0.5 - WIDTH / 2) / FOCAL * DEPTH + x
    gray = np.broadcast_to(wall(columns), (HEIGHT, WIDTH))
    red = gray * np.linspace(0.6, 1, HEIGHT)[:, None]
    return Image.fromarray(np.stack([red, gray, gray], axis=-1).round().clip(0, 255).astype(np.uint8))


def projection(shift: float) -> str:
    """A KITTI projection, whose pixel centres are at integers, of a camera `shift` metres right of cam 0."""
    return f"{FOCAL} 0 {WIDTH / 2 - 0.5} {-FOCAL * shift} 0 {FOCAL} {HEIGHT / 2 - 0.5} 0 0 0 1 0"


def write_odometry(root: Path, frames: range | list[int] = range(5), name: str = "00", depth: bool = True) -> Path:
    """An odometry sequence that moves to the right along a wall, with exact depth of the left camera."""
    folder = root / "sequences" / name
    for side, shift in ((2, 0.0), (3, BASELINE)):
        (folder / f"image_{side}").mkdir(parents=True, exist_ok=True)
        for frame in frames:
            wall_image(frame * STEP + shift).save(folder / f"image_{side}" / f"{frame:06d}.png")
    if depth:
        (folder / "image_depth_annotated").mkdir(exist_ok=True)
        for frame in frames:
            write_depth(folder / "image_depth_annotated" / f"{frame:06d}.png", torch.full((HEIGHT, WIDTH), DEPTH))
    lines = [f"P{i}: {projection(BASELINE if i in (1, 3) else 0.0)}" for i in range(4)]
    (folder / "calib.txt").write_text("\n".join([*lines, f"Tr: {VELO_TO_CAM}", ""]))
    (folder / "velodyne").mkdir(exist_ok=True)
    for frame in list(frames)[::2]:
        write_wall_scan(folder / "velodyne" / f"{frame:06d}.bin")
    (root / "poses").mkdir(exist_ok=True)
    poses = [f"1 0 0 {i * STEP} 0 1 0 0 0 0 1 0" for i in range(max(frames) + 1)]
    (root / "poses" / f"{name}.txt").write_text("\n".join(poses))
    (folder / "times.txt").write_text("".join(f"{0.1 * i:.6e}\n" for i in range(max(frames) + 1)))
    return folder


def write_wall_scan(path: Path) -> None:
    """Points of the wall as the velodyne, which stands where cam 0 does, sees them: x forward, y left, z up."""
    y, z = np.meshgrid(np.linspace(-3, 3, 41), np.linspace(-1, 1, 11))
    points = np.stack([np.full_like(y, DEPTH), y, z, np.full_like(y, 0.5)], axis=-1)
    points.reshape(-1, 4).astype("<f4").tofile(path)


def write_raw(root: Path, frames: range | list[int] = range(4), *, oxts: bool = True) -> Path:
    """A raw drive that goes east at one metre a frame, the camera looking east."""
    date = root / "2011_09_26"
    folder = date / "2011_09_26_drive_0001_sync"
    for side in (2, 3):
        (folder / f"image_{side:02d}" / "data").mkdir(parents=True)
        for frame in frames:
            wall_image(0.0).save(folder / f"image_{side:02d}" / "data" / f"{frame:010d}.png")
    lines = ["calib_time: 09-Jan-2012 13:57:47", "corner_dist: 9.950000e-02", "R_rect_00: 1 0 0 0 1 0 0 0 1"]
    for side, shift in ((2, 0.0), (3, BASELINE)):
        lines += [f"S_rect_{side:02d}: {WIDTH:.6e} {HEIGHT:.6e}", f"P_rect_{side:02d}: {projection(shift)}"]
    (date / "calib_cam_to_cam.txt").write_text("\n".join(lines))
    (date / "calib_velo_to_cam.txt").write_text("calib_time: 15-Mar-2012 11:37:16\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 0\n")
    (date / "calib_imu_to_velo.txt").write_text("calib_time: 25-May-2012\nR: 1 0 0 0 1 0 0 0 1\nT: 0 0 0\n")
    (folder / "velodyne_points" / "data").mkdir(parents=True)
    write_wall_scan(folder / "velodyne_points" / "data" / f"{frames[0]:010d}.bin")
    if oxts:
        (folder / "oxts" / "data").mkdir(parents=True)
        for frame in frames:
            degrees = math.degrees(frame / (6378137 * math.cos(math.radians(49))))
            record = [49, 8 + degrees, 110, 0, 0, 0, *[0.0] * 24]
            (folder / "oxts" / "data" / f"{frame:010d}.txt").write_text(" ".join(f"{v:.14g}" for v in record))
    return folder


def write_cityscapes(
    root: Path, city: str = "aachen", split: str = "train", frames: range | list[int] = range(6)
) -> Path:
    """One city whose images show the wall in their upper three quarters, and black, the car itself, below.

    Frame 3 is the one with a camera, disparity and labels. The principal point lies in the middle of the upper part.
    """
    rows = HEIGHT * 4 // 3
    stem = {frame: f"{city}_000002_{frame:06d}" for frame in frames}

    def place(kind: str) -> Path:
        folder = root / kind / split / city
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    for kind, shift in (("leftImg8bit", 0.0), ("rightImg8bit", BASELINE)):
        for frame, name in stem.items():
            image = Image.new("RGB", (WIDTH, rows))
            image.paste(wall_image(frame * STEP + shift))
            image.save(place(f"{kind}_sequence") / f"{name}_{kind}.png")
    camera = {
        "extrinsic": {"baseline": BASELINE, "pitch": 0.0, "roll": 0.0, "x": 1.7, "y": 0.1, "yaw": 0.0, "z": 1.2},
        "intrinsic": {"fx": FOCAL, "fy": FOCAL, "u0": WIDTH / 2 - 0.5, "v0": HEIGHT / 2 - 0.5},
    }
    (place("camera") / f"{stem[3]}_camera.json").write_text(json.dumps(camera))
    # The wall has a disparity of FOCAL * BASELINE / DEPTH = 4 pixels, written as 4 * 256 + 1; column 0 is not measured.
    disparity = np.full((rows, WIDTH), 4 * 256 + 1, dtype=np.uint16)
    disparity[:, 0] = 0
    Image.fromarray(disparity).save(place("disparity") / f"{stem[3]}_disparity.png")
    labels = np.full((rows, WIDTH), 11, dtype=np.uint8)  # building
    labels[HEIGHT:] = 1  # ego vehicle
    Image.fromarray(labels).save(place("gtFine") / f"{stem[3]}_gtFine_labelIds.png")
    return root
