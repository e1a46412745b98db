"""Frames that vote on the cells of a drive's map: worked by hand in a room of one metre cells."""

from __future__ import annotations

import torch

from scene3d.fusion.class_map import ClassMap, ClassMapConfig
from scene3d.geometry.se3 import transform
from scene3d.geometry.voxels import VoxelFrame
from scene3d.structures.drive import DriveStep
from scene3d.structures.labels import SSC
from scene3d.structures.prediction import CompletionPrediction, DepthPrediction

FRAME = VoxelFrame(origin=(0.0, -4.0, -4.0), size=1.0, shape=(10, 8, 8))
CAR, ROAD, BUILDING = SSC.index("car"), SSC.index("road"), SSC.index("building")
# Camera axes from those of the grid: x right = -y, y down = -z, z forward = x.
GRID_TO_CAM = torch.tensor([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0], [0, 0, 0, 1]])
K = torch.tensor([[20.0, 0, 20], [0, 20, 20], [0, 0, 1]])


def step(cells: dict[tuple[int, int, int], int], *, ahead: float = 0.0, depth: float = 9.0, placed: bool = True):
    """A frame so many metres further along its own axis, that sees some cells of its grid as so many classes."""
    classes = torch.zeros(1, *FRAME.shape, dtype=torch.int64)
    for cell, label in cells.items():
        classes[(0, *cell)] = label
    scene = CompletionPrediction(
        depth=torch.full((1, 40, 40), depth),
        K=K[None],
        density=(classes > 0).float(),
        threshold=0.5,
        frame=FRAME,
        grid_to_cam=GRID_TO_CAM[None],
        classes=classes,
    )
    cam_to_world = torch.eye(4, dtype=torch.float64)
    cam_to_world[2, 3] = ahead
    return DriveStep(
        name=f"frame at {ahead:g} m",
        number=int(ahead),
        image=torch.zeros(3, 40, 40),
        prediction=DepthPrediction(depth=scene.depth, K=scene.K, is_metric=True),
        cam_to_world=cam_to_world if placed else None,
        scene=scene,
    )


def fused(*steps: DriveStep, **config: float) -> dict[tuple[int, ...], tuple[int, list[int]]]:
    """Class and votes for empty, road, car and building of each elected cell."""
    found = ClassMap(ClassMapConfig(**config))
    for each in steps:
        found.add(each)
    elected = found.elected()
    votes = elected.votes[:, [0, ROAD, CAR, BUILDING]].tolist()
    return {
        tuple(c): (label, v)
        for c, label, v in zip(elected.cells.tolist(), elected.classes.tolist(), votes, strict=True)
    }


def test_the_class_that_most_frames_say_is_elected_where_the_cell_stands_in_the_world():
    # One metre further on, the same cell is one nearer. Cell (6, 4, 4) of the grid begins at (6, 0, 0) metres.
    found = fused(step({(6, 4, 4): CAR}), step({(5, 4, 4): ROAD}, ahead=1), step({(4, 4, 4): CAR}, ahead=2))
    assert found == {(6, 0, 0): (CAR, [0, 1, 2, 0])}


def test_what_most_frames_see_empty_is_not_there_but_half_is_not_most():
    assert fused(step({(6, 4, 4): CAR}), step({}, ahead=1)) == {}
    assert fused(step({(6, 4, 4): CAR}), step({(5, 4, 4): CAR}, ahead=1), step({}, ahead=2))[6, 0, 0][1] == [1, 0, 2, 0]


def test_a_frame_has_no_vote_on_what_it_does_not_see():
    # The second stands with its back to the cell, the third has a wall in front of it, the fourth is too far away.
    first = step({(6, 4, 4): CAR})
    assert fused(first, step({}, ahead=8))[6, 0, 0][1] == [0, 0, 1, 0]
    assert fused(first, step({}, ahead=1, depth=3.0))[6, 0, 0][1] == [0, 0, 1, 0]
    assert fused(first, step({}, ahead=-2), reach=7.5)[6, 0, 0][1] == [0, 0, 1, 0]
    assert fused(step({(6, 4, 4): CAR}, depth=3.0)) == {}
    assert fused(step({(6, 4, 4): CAR}, placed=False)) == {}


def test_the_map_lies_in_the_world_as_the_first_grid_did():
    found = ClassMap()
    found.add(step({(6, 4, 4): CAR}))
    elected = found.elected()
    # The centre of the cell is (6.5, 0.5, 0.5) ahead, left and up: (-0.5, -0.5, 6.5) in the camera, which is the world.
    assert transform(elected.map_to_world, elected.centres).tolist() == [[-0.5, -0.5, 6.5]]


def test_memory_is_of_the_map_not_of_the_frames():
    wall = {(7, y, z): BUILDING for y in range(8) for z in range(8)}
    found = ClassMap()
    found.add(step(wall))
    once = len(found.elected().cells)
    for _ in range(5):
        found.add(step(wall))
    assert len(found._keys) == once == 64
    assert found.elected().votes[:, BUILDING].tolist() == [6] * 64


def test_a_full_map_goes_on_with_larger_cells_and_keeps_its_votes(caplog):
    wall = {(7, y, z): BUILDING for y in range(8) for z in range(8)}
    found = ClassMap(ClassMapConfig(most=20))
    found.add(step(wall))
    elected = found.elected()
    # 8 x 8 cells of a metre are 4 x 4 of two metres, each with the votes of four.
    assert elected.size == 2.0 and len(elected.cells) == 16
    assert elected.votes[:, BUILDING].tolist() == [4] * 16
    assert "more than 20 cells" in caplog.text


def test_a_turned_frame_leaves_no_holes():
    wall = {(x, y, z): BUILDING for x in (6, 7) for y in range(8) for z in range(8)}
    first, turned = step({}), step(wall)
    c, s = 0.9, (1 - 0.9**2) ** 0.5
    first_to_world = torch.tensor([[c, 0, s, 0], [0, 1, 0, 0], [-s, 0, c, 0], [0, 0, 0, 1]], dtype=torch.float64)
    found = ClassMap()
    found.add(DriveStep(**{**vars(first), "cam_to_world": first_to_world}))
    found.add(turned)
    elected = found.elected()
    # Every cell of the map whose centre lies within the wall is in it.
    centres = transform(elected.map_to_world, elected.centres)
    inside = (centres[:, 2] - 7).abs() < 1
    assert bool(inside.all())
    assert len(centres) > 0.9 * 128
