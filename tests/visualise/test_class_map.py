from __future__ import annotations

import torch

from scene3d.structures.labels import SSC
from scene3d.structures.solids import ClassCells
from scene3d.visualise.class_map import TILE, class_mesh, class_points, plan_picture, street_picture
from scene3d.visualise.painter import SKY

CAR, ROAD = SSC.index("car"), SSC.index("road")


def cells(*places: tuple[int, int, int], label: int = ROAD, size: float = 0.5) -> ClassCells:
    map_to_world = torch.eye(4, dtype=torch.float64)
    map_to_world[0, 3] = 10.0
    return ClassCells(
        cells=torch.tensor(places),
        classes=torch.full((len(places),), label),
        votes=torch.ones(len(places), len(SSC), dtype=torch.int32),
        size=size,
        map_to_world=map_to_world,
    )


def test_points_are_centres_in_the_world_with_the_colours_of_their_classes():
    cloud = class_points(cells((2, -1, 0), label=CAR))
    assert cloud.points.tolist() == [[11.25, -0.25, 0.25]]
    assert cloud.colours is not None and tuple(cloud.colours[0].tolist()) == SSC.colours[CAR]
    assert cloud.labels is not None and cloud.labels.tolist() == [CAR]


def test_two_cells_are_one_box_in_the_world():
    mesh = class_mesh(cells((2, -1, 0), (3, -1, 0)))
    assert mesh.vertices.amin(dim=0).tolist() == [11.0, -0.5, 0.0]
    assert mesh.vertices.amax(dim=0).tolist() == [12.0, 0.0, 0.5]
    assert len(mesh.faces) == 12


def test_cells_a_long_way_apart_cost_no_more_than_their_own():
    # A box around both would hold 10^15 cells.
    mesh = class_mesh(cells((0, 0, 0), (10**6, 10**6, 0)))
    assert len(mesh.faces) == 24
    # Each side of the border between two tiles has its own box.
    assert len(class_mesh(cells((TILE - 1, 0, 0), (TILE, 0, 0))).faces) == 24


def test_from_above_the_highest_cell_is_seen_left_is_up_and_the_way_is_dark():
    found = cells((0, 4, 0), (0, 4, 2), (9, 0, 2), label=ROAD)
    found = ClassCells(**{**vars(found), "classes": torch.tensor([ROAD, CAR, ROAD])})
    places = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    places[:, 0, 3] = torch.tensor([10.1, 14.0])
    places[:, 1, 3] = 1.2
    picture = plan_picture(found, places)
    height, width = picture.shape[:2]
    scale = width // 10
    assert (height, width) == (5 * scale, 10 * scale)
    blue = picture[scale // 4, scale // 4].tolist()
    assert blue[2] > blue[0]  # the car, at the left, lies above the road
    assert picture[-1, -1].tolist() != list(SKY) and picture[-1, 0].tolist() == list(SKY)
    # 1.2 m to the left is 2.4 cells from below.
    assert picture[height - round(2.4 * scale), width // 3].max() < 40


def test_the_street_is_seen_from_where_the_drive_begins():
    ground = cells(*((x, y, 0) for x in range(40) for y in range(-10, 10)))
    places = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    places[:, 0, 3] = torch.tensor([10.0, 20.0])
    places[:, 2, 3] = 1.5
    picture = street_picture(ground, places)
    middle = picture[400, 480].int()
    assert (middle - torch.tensor(SSC.colours[ROAD])).abs().max() < 60
    assert picture[5, 5].tolist() == list(SKY)
