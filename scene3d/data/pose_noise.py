"""Transforms between instants made wrong on purpose: how well a method bears a car whose place is known badly."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from scene3d.data.snippet_config import PoseNoiseConfig
from scene3d.geometry.se3 import invert, rigid, rotation_of
from scene3d.structures.frames import Frames


def disturb(frames: Frames, config: PoseNoiseConfig, random: np.random.Generator) -> Frames:
    """One snippet whose car stood elsewhere at every instant but the reference's.

    Cameras of one instant are fixed to one car and move together, so their calibration stays what it is, and so does
    where view 0 stands.

    Args:
        frames: of B = 1, with `offset`.
        config: how far.
        random: what the noise is drawn from; not asked where there is none.
    """
    if frames.cam_to_world is None or frames.offset is None or not (config.degrees or config.metres):
        return frames
    moved = frames.cam_to_world.clone()
    offsets = frames.offset[0].tolist()
    for instant in dict.fromkeys(offset for offset in offsets if offset != 0):
        views = [view for view, offset in enumerate(offsets) if offset == instant]
        turn, step = random.normal(size=(2, 3))
        noise = rigid(
            rotation_of(torch.from_numpy(turn * math.radians(config.degrees))), torch.from_numpy(step * config.metres)
        ).to(moved)
        # Said in the axes of the instant's first camera, about which the car then turns.
        first = frames.cam_to_world[0, views[0]]
        moved[0, views] = first @ noise @ invert(first) @ frames.cam_to_world[0, views]
    return replace(frames, cam_to_world=moved)
