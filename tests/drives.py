"""A short drive along a street with exact depth, and a method that answers it, for tests of what surrounds a method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from scene3d.data.street import Street, StreetConfig, make_street, render, rig
from scene3d.geometry.camera import Camera
from scene3d.geometry.se3 import invert
from scene3d.structures.drive import DriveStep
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import DepthPrediction
from scene3d.structures.scene import Shot


class StreetDrive:
    """Snippets of a frame and the one before it, rendered when asked for: a `scene3d.engine.drive.Drive`.

    Args:
        frames: how many.
        size: height and width, pixels.
        seed: of the street.
        traffic: share of the usual moving things.
        given: whether shots say where the camera was.
        step: frames from one snippet to the next.
    """

    def __init__(
        self,
        frames: int = 4,
        size: tuple[int, int] = (48, 160),
        *,
        seed: int = 3,
        traffic: float = 0.0,
        given: bool = True,
        step: int = 1,
    ) -> None:
        self.street: Street = make_street(seed, StreetConfig(frames=frames * step, traffic=traffic))
        self.camera: Camera = rig.perspective(size)[0]
        self.frames, self.given, self.step = frames, given, step

    def __len__(self) -> int:
        return self.frames

    def cam_to_world(self, number: int) -> Tensor:
        """In the world of the street."""
        return torch.from_numpy(self.street.body_to_world(number) @ rig.left_rect_to_body)

    def reference(self, index: int) -> Shot:
        """Without a file: nobody opens it here."""
        number = index * self.step
        place = self.cam_to_world(number) if self.given else None
        return Shot(
            image=Path(f"{number}.png"),
            frame=number,
            sensor="left",
            camera=self.camera,
            cam_to_world=place,
            time=0.1 * number,
        )

    def __getitem__(self, index: int) -> Frames:
        numbers = [index * self.step, (index - 1) * self.step]
        views = [self._view(number) if number >= 0 else None for number in numbers]
        absent = torch.zeros(3, self.camera.height, self.camera.width)
        image = torch.stack([absent if view is None else view[0] for view in views])
        depth = torch.stack([absent[0] if view is None else view[1] for view in views])
        return Frames(
            image=image[None],
            K=self.camera.K.expand(1, 2, 3, 3),
            present=torch.tensor([[view is not None for view in views]]),
            names=(f"street {numbers[0]:010d} left",),
            offset=torch.tensor([[0, -self.step]]),
            depth=depth[None],
        )

    def _view(self, number: int) -> tuple[Tensor, Tensor]:
        seen = render(self.street, number, self.camera, np.asarray(self.cam_to_world(number)), noise_seed=number)
        return torch.from_numpy(seen.image).permute(2, 0, 1).float() / 255, torch.from_numpy(seen.depth)


class TellsTheTruth:
    """Answers the depth that the frames hold and, where it knows the drive, the exact motion.

    Args:
        drive: None knows no motion.
        scale: of depth and motion; other than 1 is not metric.
    """

    def __init__(self, drive: StreetDrive | None = None, scale: float = 1.0) -> None:
        self.drive, self.scale = drive, scale

    def predict(self, frames: Frames) -> DepthPrediction:
        """Exact depth of view 0; confident where there is a second view."""
        assert frames.depth is not None and frames.offset is not None
        depth = frames.depth[:, 0] * self.scale
        said = DepthPrediction(
            depth=depth,
            K=frames.K[:, 0],
            is_metric=self.scale == 1.0,
            confidence=torch.full_like(depth, float(frames.present[0, 1])),
            deviation=torch.full_like(depth, 0.001),
            moving=torch.zeros_like(depth, dtype=torch.bool),
        )
        if self.drive is None:
            return said
        number = int(frames.names[0].split()[1])
        places = [self.drive.cam_to_world(max(0, number + int(offset))) for offset in frames.offset[0]]
        to_reference = torch.stack([invert(places[0]) @ place for place in places])
        to_reference[:, :3, 3] *= self.scale
        return replace(said, cam_to_reference=to_reference[None].float())


def wall_step(
    number: int,
    z: float,
    *,
    at: tuple[float, float, float] = (0.0, 0.0, 0.0),
    size: tuple[int, int] = (24, 32),
    colour: tuple[float, float, float] = (0.2, 0.4, 0.6),
    **said: object,
) -> DriveStep:
    """A camera at a place that looks straight at an even wall; the wall is at `z` of the world, metres."""
    height, width = size
    K = torch.tensor([[width / 2, 0, width / 2], [0, width / 2, height / 2], [0, 0, 1]])
    place = torch.eye(4, dtype=torch.float64)
    place[:3, 3] = torch.tensor(at)
    depth = torch.full((1, height, width), z - at[2])
    return DriveStep(
        name=f"wall {number:010d} left",
        number=number,
        image=torch.tensor(colour)[:, None, None].expand(3, height, width),
        prediction=DepthPrediction(depth=depth, K=K[None], is_metric=True, **said),  # type: ignore[arg-type]
        cam_to_world=place,
        time=0.1 * number,
    )
