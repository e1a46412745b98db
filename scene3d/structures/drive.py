"""One frame of a drive with what a method said of it: what fusion, files and videos are made from."""

from __future__ import annotations

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from scene3d.structures.prediction import CompletionPrediction, DepthPrediction


@dataclass(frozen=True, kw_only=True)
class DriveStep:
    """A frame of a drive.

    Attributes:
        name: for messages: "drive frame sensor".
        number: of the frame in the drive.
        image: what was predicted from, RGB in [0, 1].
        prediction: of this one image, B = 1.
        cam_to_world: of its camera, in double precision; the world is the camera of the first frame that has a place,
            its lengths are of the scale of the depth. None where nobody knows.
        time: seconds since the start of the drive; None where the data does not say.
        scene: the completed scene with its classes, B = 1; None where the method names none.
        note: why there is no `cam_to_world`; empty where there is one.
    """

    name: str
    number: int
    image: Float[Tensor, "3 H W"]
    prediction: DepthPrediction
    cam_to_world: Float[Tensor, "4 4"] | None = None
    time: float | None = None
    scene: CompletionPrediction | None = None
    note: str = ""
