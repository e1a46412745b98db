"""Train on images of your own: a reader is one function that ends at `Scene`, and the rest is there.

    python examples/your_own_dataset.py [FOLDER] [STEPS]

Here the images are of a procedural street, and what is known of them lies in a text file: focal length, then the place
of the camera in each frame.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

from scene3d.data.images import image_size, write_image
from scene3d.data.snippets import SnippetConfig, Snippets, ViewSpec
from scene3d.data.street import make_street, render, rig
from scene3d.engine.run import Run
from scene3d.engine.trainer import TrainConfig, Trainer
from scene3d.geometry.camera import pinhole
from scene3d.methods.scene_completion import SceneCompletionConfig
from scene3d.structures.scene import Scene, Shot


def record(folder: Path, frames: int = 4) -> None:
    """Stand-in for your camera."""
    folder.mkdir(parents=True, exist_ok=True)
    street, camera, places = make_street(seed=1), pinhole(80.0, 64, 208), []
    for frame in range(frames):
        cam_to_world = street.body_to_world(frame) @ rig.left_rect_to_body
        image = render(street, frame, camera, cam_to_world, noise_seed=frame).image
        write_image(folder / f"{frame:03d}.png", torch.from_numpy(image).permute(2, 0, 1))
        places.append(cam_to_world.reshape(-1))
    np.savetxt(folder / "cam_to_world.txt", places, header="focal length 80")


def read_my_drive(folder: Path) -> list[Scene]:
    """The reader: paths, cameras and transforms; no pixel is read yet."""
    shots = []
    for frame, row in enumerate(np.loadtxt(folder / "cam_to_world.txt")):
        image, cam_to_world = folder / f"{frame:03d}.png", torch.from_numpy(row.reshape(4, 4))
        camera = pinhole(80.0, *image_size(image))
        shots.append(Shot(image=image, frame=frame, sensor="front", camera=camera, cam_to_world=cam_to_world))
    return [Scene(name=folder.name, shots=tuple(shots))]


if __name__ == "__main__":
    folder, steps = Path(*sys.argv[1:2] or ["out/my_drive"]), int(*sys.argv[2:3] or [50])
    record(folder)
    views = (ViewSpec(sensor="front"), ViewSpec(sensor="front", offset=1))
    data = Snippets(read_my_drive(folder), SnippetConfig(views=views, height=64, width=208), training=True)
    run = Run(folder / "run", recipe={}, overwrite=True)
    outcome = Trainer(SceneCompletionConfig(patches=4).build(), data, TrainConfig(steps=steps), run).train()
    print(f"{len(data)} snippets, {outcome.step} steps, weights in {outcome.weights}")
