from __future__ import annotations

import pytest
import torch

from scene3d.errors import UsageError
from scene3d.geometry.voxels import VoxelFrame
from scene3d.methods.voted_frames import VotedFrames
from scene3d.structures.frames import Frames
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction

FRAME = VoxelFrame(origin=(0.0, -2.0, -1.0), size=1.0, shape=(8, 4, 2))
VELODYNE_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
K = torch.tensor([[10.0, 0, 100], [0, 10, 100], [0, 0, 1]])


def _frames(ahead=(0.0, -1.0, -3.0), offsets=(0, -1, -2), present=(True, True, True)):
    """A car that drove along its own axis, its camera so many metres ahead of the reference; brightness says which."""
    cam_to_world = torch.eye(4).repeat(1, len(ahead), 1, 1)
    cam_to_world[0, :, 2, 3] = torch.tensor(ahead) + 1e6
    return Frames(
        image=torch.arange(len(ahead)).float()[None, :, None, None, None].expand(1, -1, 3, 200, 200) / 10,
        K=K.expand(1, len(ahead), 3, 3),
        present=torch.tensor([present]),
        offset=torch.tensor([offsets]),
        cam_to_world=cam_to_world.double(),
        grid_to_cam=VELODYNE_TO_CAM[None],
    )


class Post:
    """Sees one post, 5 m ahead of the reference, at the place where it stands, and calls it by the image's number."""

    ahead = (0.0, -1.0, -3.0)

    def __init__(self, names=(3, 4, 4)):
        self.names, self.asked = names, []

    def predict(self, frames):
        view = round(float(frames.image[0, 0, 0, 0, 0]) * 10)
        self.asked.append(view)
        classes = torch.zeros(1, *FRAME.shape, dtype=torch.int64)
        place = 5 - round(self.ahead[view])
        if place < 8:
            classes[0, place, 2, 1] = self.names[view]
        return CompletionPrediction(
            depth=torch.ones(1, 200, 200),
            K=frames.K[:, 0],
            density=(classes > 0).float(),
            threshold=0.5,
            frame=FRAME,
            grid_to_cam=frames.grid_to_cam,
            classes=classes,
        )


def test_frames_that_see_the_same_post_vote_on_its_name():
    found = VotedFrames(Post(names=(3, 4, 5)), (-1,)).predict(_frames())
    # A draw, which the reference decides.
    assert found.classes[0, 5, 2, 1] == 3
    assert found.votes[0, :, 5, 2, 1].tolist() == [0, 0, 0, 1, 1, *[0] * 11]
    # At -3 m the post stands in cell 8, beyond the grid of that frame, which has no vote then.
    more = VotedFrames(Post(names=(3, 4, 4)), (-1, -2)).predict(_frames())
    assert more.votes[0, :, 5, 2, 1].sum() == 2
    near = Post(names=(3, 4, 4))
    near.ahead = (0.0, -1.0, -2.0)
    voted = VotedFrames(near, (-1, -2)).predict(_frames(ahead=near.ahead))
    assert voted.classes[0, 5, 2, 1] == 4
    # Nothing else came to be or went away.
    assert (voted.classes > 0).sum() == 1
    # Of the empty cells, one right ahead is seen as empty by all three; one that none sees has no votes at all.
    assert voted.votes[0, 0, 3, 2, 1] == 3
    assert voted.votes[0, :, 0].sum(dim=0).max() <= 3


def test_only_frames_that_are_asked_and_there_are_looked_at():
    method = Post()
    VotedFrames(method, (-2,)).predict(_frames())
    assert method.asked == [0, 2]
    method = Post()
    found = VotedFrames(method, (-1, -2)).predict(_frames(present=(True, False, False)))
    assert method.asked == [0]
    assert torch.equal(found.classes, Post().predict(_frames()).classes)


def test_another_may_say_what_is_where():
    class Wall(Post):
        """A wall where the post stands, and beside it."""

        def predict(self, frames):
            found = super().predict(frames)
            found.classes[0, 5, 2:, 1] = 9
            return found

    found = VotedFrames(Post(names=(3, 4, 4)), (-1,), Wall()).predict(_frames())
    # The two votes for the post are a draw, to which the wall is no party: the lower class wins; beside it, nobody.
    assert found.classes[0, 5, 2:, 1].tolist() == [3, 9]


def test_a_method_without_classes_is_refused():
    class Flat:
        def predict(self, frames):
            return DepthPrediction(depth=torch.ones(1, 4, 4), K=frames.K[:, 0], is_metric=True)

    with pytest.raises(UsageError, match="votes: expected a method with classes of voxels"):
        VotedFrames(Flat(), (-1,)).predict(_frames())
