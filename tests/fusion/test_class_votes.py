from __future__ import annotations

import torch

from scene3d.fusion.class_votes import classes_in, count_votes, elect
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.labels import IGNORE
from scene3d.structures.prediction import CompletionPrediction

# In the camera's own axes: 4 wide, 2 high, from 2 to 6 m ahead, cells of 1 m.
FRAME = VoxelFrame(origin=(-2.0, -1.0, 2.0), size=1.0, shape=(4, 2, 4))


def _prediction(classes, focal=10.0):
    return CompletionPrediction(
        depth=torch.ones(1, 20, 40),
        K=torch.tensor([[[focal, 0, 20], [0, focal, 10], [0, 0, 1]]]),
        density=(classes > 0).float()[None],
        threshold=0.5,
        frame=FRAME,
        grid_to_cam=torch.eye(4)[None],
        classes=classes[None],
    )


def _classes():
    return torch.arange(32).reshape(FRAME.shape) % 16


def test_in_its_own_grid_a_prediction_says_what_it_says():
    said = classes_in(_prediction(_classes()), 0, FRAME, torch.eye(4))
    assert torch.equal(said, _classes())


def test_what_the_camera_does_not_see_nobody_says():
    # At a focal length of 30 pixels the image ends at 2/3 of the depth to the side: at 2.5 m, 1.67 m, so the centre
    # at 1.5 m is seen; and at 1/3 of it above and below: at 2.5 m, .83 m, so the centre at .5 m is seen too. At 100
    # pixels it ends at .5 m and .25 m there, where no centre is left.
    assert torch.equal(classes_in(_prediction(_classes(), 30.0), 0, FRAME, torch.eye(4)), _classes())
    narrow = classes_in(_prediction(_classes(), 100.0), 0, FRAME, torch.eye(4))
    assert (narrow[..., 0] == IGNORE).all()


def test_a_grid_a_metre_ahead_holds_the_same_cells_one_further():
    ahead = torch.eye(4)
    ahead[2, 3] = 1.0
    said = classes_in(_prediction(_classes()), 0, FRAME, ahead)
    assert torch.equal(said[..., :3], _classes()[..., 1:])
    assert (said[..., 3] == IGNORE).all()


def test_a_world_grid_may_be_larger_finer_and_turned():
    # Half as large cells; x of the world is z of the camera, and z its -x.
    world = VoxelFrame(origin=(0.0, -2.0, -4.0), size=0.5, shape=(16, 8, 16))
    world_to_cam = torch.tensor([[0.0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
    said = classes_in(_prediction(_classes()), 0, world, world_to_cam)
    assert (said != IGNORE).sum() == 8 * 32
    # The camera's cell (0, 0, 0) spans x from -2 to -1, y from -1 to 0, z from 2 to 3.
    assert (said[4:6, 2:4, 10:12] == 0).all()
    # Its neighbour at greater x, (1, 0, 0), is class 8.
    assert (said[4:6, 2:4, 10:12].flatten() != 8).all() and (said[4:6, 2:4, 8:10].flip(2)[..., :2] >= 0).all()
    found = {int(c): int((said == c).sum()) for c in said.unique() if c != IGNORE}
    assert found == {c: 16 for c in range(16)}


def test_most_votes_win_the_own_class_decides_between_equals_and_empty_stays_empty():
    cells = torch.tensor([[1, 2, 2], [3, 1, 1], [0, 2, 2], [5, 0, 0], [4, IGNORE, IGNORE], [6, 7, IGNORE]])
    answers = [frame[:, None, None] for frame in cells.T]
    votes = count_votes(answers)
    assert votes.shape == (16, 6, 1, 1)
    assert votes.sum(dim=0).flatten().tolist() == [3, 3, 3, 3, 1, 2]
    assert elect(votes, answers[0]).flatten().tolist() == [2, 1, 0, 5, 4, 6]


def test_a_cell_that_is_there_by_another_account_gets_the_class_of_the_others():
    # The scene says occupied without a class of its own (255): the votes decide, and without any it stays so.
    votes = count_votes([torch.tensor([[[3, 0]]])])
    assert elect(votes, torch.tensor([[[IGNORE, IGNORE]]])).flatten().tolist() == [3, IGNORE]
