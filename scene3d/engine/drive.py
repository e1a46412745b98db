"""A method over the frames of one drive, in order: what it says of each, and where the camera was."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from itertools import islice
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from scene3d.data.views import view_to_world
from scene3d.errors import UsageError
from scene3d.geometry.se3 import invert
from scene3d.structures.drive import DriveStep
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction, Prediction
from scene3d.structures.scene import Shot

Places = Literal["auto", "given", "estimated"]


@runtime_checkable
class Drive(Protocol):
    """The snippets of one drive in the order of their frames; `scene3d.data.snippets.Snippets` of one scene is one."""

    def __len__(self) -> int: ...  # noqa: D105

    def __getitem__(self, index: int) -> Frames: ...  # noqa: D105

    def reference(self, index: int) -> Shot:
        """The shot that view 0 of a snippet is made of: its frame, its time, where its camera was."""
        ...


Snippet = tuple[Frames, Shot]
"""A frame with the views that support it, and the shot that view 0 is made of."""


def walk(
    predict: Callable[[Frames], Prediction],
    data: Drive | Iterable[Snippet],
    *,
    places: Places = "auto",
    every: int = 1,
) -> Iterator[DriveStep]:
    """Ask a method about each frame of a drive, and chain the cameras to a trajectory; one frame is in memory.

    The camera of a frame is placed by the data, where it knows this frame and one before; else from the frame
    before, by the method: by `cam_to_reference` of the view that is that frame. Where views of several cameras
    have its offset, the first is taken, so views of the reference's own camera come first in the recipe.

    Args:
        predict: `method.predict`, or `Predictor.predict_frames`, which moves the frames to its device.
        data: of one drive, in order.
        places: "given" takes transforms from the data alone, "estimated" from the method alone, which is not shown
            the data's; "auto" from the data where the depth is metric, else from the method, whose scale is that
            of the depth.
        every: take one frame in so many.

    Yields:
        Each frame on the CPU. `cam_to_world` is None where neither the data nor the method knows it, and in the
        frames after until the data knows one again; `note` says why.

    Raises:
        UsageError: the frames are not in order, as where the data holds several drives.
    """
    chain = _Chain()
    for frames, shot in _snippets(data, every):
        if chain.number is not None and shot.frame <= chain.number:
            raise UsageError(
                f"{frames.names[0]}: expected a frame after {chain.number}, got {shot.frame}",
                hint="walk over one drive at a time",
            )
        if places == "estimated":
            frames = replace(frames, cam_to_world=None, posed=None)
        said = predict(frames)
        prediction = _depth_of(said)
        asked = places == "given" or (places == "auto" and prediction.is_metric)
        given = view_to_world(shot) if asked else None
        relative = None if places == "given" else _previous_to_cam(frames, prediction, shot.frame, chain.number)
        placed = chain.add(shot.frame, given, relative, may_start=given is not None or places != "given")
        yield DriveStep(
            name=frames.names[0],
            number=shot.frame,
            image=frames.image[0, 0].cpu(),
            prediction=prediction,
            cam_to_world=placed,
            time=shot.time,
            scene=_scene_of(said),
            note="" if placed is not None else _why_not(prediction, places),
        )


def _snippets(data: Drive | Iterable[Snippet], every: int) -> Iterator[Snippet]:
    if isinstance(data, Drive):
        return ((data[index], data.reference(index)) for index in range(0, len(data), every))
    return islice(iter(data), 0, None, every)


class _Chain:
    """Where the cameras so far were, in double precision: a thousand products of matrices are not felt."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._started = False
        self._cam_to_world: Float[Tensor, "4 4"] | None = None
        self._given_to_world: Float[Tensor, "4 4"] | None = None

    def add(
        self,
        number: int,
        given: Float[Tensor, "4 4"] | None,
        previous_to_cam: Float[Tensor, "4 4"] | None,
        *,
        may_start: bool,
    ) -> Float[Tensor, "4 4"] | None:
        """`cam_to_world` of the next frame, with the first one as the world; None where it cannot be known.

        Args:
            number: of the frame.
            given: its `cam_to_world` in the world of the data.
            previous_to_cam: places the camera of the frame before in this one's.
            may_start: whether this frame can be the first.
        """
        placed: Float[Tensor, "4 4"] | None
        if not self._started and may_start:
            self._started = True
            placed = torch.eye(4, dtype=torch.float64)
        elif given is not None and self._given_to_world is not None:
            placed = self._given_to_world @ given.double()
        elif previous_to_cam is not None and self._cam_to_world is not None:
            placed = self._cam_to_world @ invert(previous_to_cam.double())
        else:
            placed = None
        if given is not None and placed is not None and self._given_to_world is None:
            self._given_to_world = placed @ invert(given.double())
        self.number, self._cam_to_world = number, placed
        return placed


def _previous_to_cam(
    frames: Frames, prediction: DepthPrediction, number: int, before: int | None
) -> Float[Tensor, "4 4"] | None:
    """What the method says of the camera of the frame before, if that is one of the views."""
    if before is None or frames.offset is None or prediction.cam_to_reference is None:
        return None
    views = ((frames.offset[0] == before - number) & frames.present[0]).nonzero()[:, 0].tolist()
    return prediction.cam_to_reference[0, views[0]] if views else None


def _depth_of(prediction: Prediction) -> DepthPrediction:
    """The depth alone, on the CPU."""
    if not isinstance(prediction, DepthPrediction):
        prediction = DepthPrediction(depth=prediction.depth, K=prediction.K, is_metric=prediction.is_metric)
    return replace(prediction, **_moved(prediction))


def _scene_of(prediction: Prediction) -> CompletionPrediction | None:
    """The classes of voxels, on the CPU, without what belongs to the image."""
    if not isinstance(prediction, CompletionPrediction) or prediction.classes is None:
        return None
    kept = replace(prediction, features=None, labels=None, points=None, calibration=None)
    return replace(kept, **_moved(kept))


def _moved(prediction: Prediction) -> dict[str, Any]:
    values = {f.name: getattr(prediction, f.name) for f in fields(prediction)}
    return {k: v.detach().cpu() for k, v in values.items() if isinstance(v, Tensor)}


def _why_not(prediction: DepthPrediction, places: Places) -> str:
    if places == "given":
        return "the data does not say where its camera was"
    if prediction.cam_to_reference is None:
        said = "the method does not estimate where the camera was"
    else:
        said = "the frame before is none of its views, or has no place itself"
    if places == "estimated":
        return said
    if prediction.is_metric:
        return f"the data does not say where its camera was, and {said}"
    return f"{said}; transforms of the data do not fit a depth that is not metric"
