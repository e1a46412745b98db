"""Classes by the vote of several frames of a drive: a method for one image is asked of each, and its cells are counted.

Nothing is learnt for it: it needs where the camera was, and a method with classes of voxels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from scene3d.errors import UsageError
from scene3d.fusion.class_votes import classes_in, count_votes, elect
from scene3d.geometry.se3 import invert
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction, Prediction


@runtime_checkable
class PredictsScenes(Protocol):
    """Whatever answers with a completed scene."""

    def predict(self, frames: Frames) -> Prediction:
        """What it says of view 0."""
        ...


class VotedFrames:
    """Answers as its method does, but for the classes of cells, on which the frames before the reference vote too.

    Args:
        method: trained on single images; has classes.
        earlier: offsets of the frames that vote, as (-1, -2). Those that a drive does not have, or of which it does
            not know where the camera was, do not.
        scene: who says what is where in the reference's grid; None is the method itself.
    """

    def __init__(self, method: PredictsScenes, earlier: tuple[int, ...], scene: PredictsScenes | None = None) -> None:
        self.method, self.earlier, self.scene = method, earlier, scene or method

    @torch.no_grad()
    def predict(self, frames: Frames) -> CompletionPrediction:
        """The completed scene of the reference view, with the votes.

        Raises:
            UsageError: the method has no classes of cells.
        """
        scene = _with_classes(self.scene.predict(frames))
        heard = frames.lookups(self.earlier)
        if frames.posed is not None:
            heard = heard & frames.posed
        others = {}
        if frames.cam_to_world is not None:
            asked = [v for v in range(1, heard.shape[1]) if bool(heard[:, v].any())]
            others = {v: _with_classes(self.method.predict(_alone(frames, v))) for v in asked}
        own = _with_classes(self.method.predict(frames)) if self.scene is not self.method else scene
        votes = [
            self._votes(frames, b, scene, {0: own} | {v: said for v, said in others.items() if heard[b, v]})
            for b in range(len(heard))
        ]
        assert scene.classes is not None
        voted = [elect(each, classes) for each, classes in zip(votes, scene.classes, strict=True)]
        return replace(scene, classes=torch.stack(voted), votes=torch.stack(votes))

    def _votes(
        self, frames: Frames, index: int, scene: CompletionPrediction, said: dict[int, CompletionPrediction]
    ) -> Tensor:
        """What each frame says of the cells of the reference's grid, counted."""
        answers = []
        for view, prediction in said.items():
            grid_to_cam = scene.grid_to_cam[index].double()
            if view > 0:
                assert frames.cam_to_world is not None
                world = frames.cam_to_world[index].double()
                grid_to_cam = invert(world[view]) @ world[0] @ grid_to_cam
            answers.append(classes_in(prediction, index, scene.frame, grid_to_cam))
        return count_votes(answers)


def _alone(frames: Frames, view: int) -> Frames:
    """One of the views as the reference of a snippet without others, its grid as far from it as the reference's."""
    one = slice(view, view + 1)
    return Frames(
        image=frames.image[:, one],
        K=frames.K[:, one],
        present=torch.ones_like(frames.present[:, one]),
        names=frames.names,
        grid_to_cam=frames.grid_to_cam,
    )


def _with_classes(prediction: Prediction) -> CompletionPrediction:
    if not isinstance(prediction, CompletionPrediction) or prediction.classes is None:
        raise UsageError("votes: expected a method with classes of voxels, whose clusters have names, got one without")
    return prediction
