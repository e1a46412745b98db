"""What things are called: one table from the categories of the street to the ids of both data sets."""

from __future__ import annotations

from enum import IntEnum

import numpy as np


class Category(IntEnum):
    """What a surface belongs to."""

    SKY = 0
    ROAD = 1
    SIDEWALK = 2
    PARKING = 3
    OTHER_GROUND = 4
    TERRAIN = 5
    BUILDING = 6
    WALL = 7
    FENCE = 8
    POLE = 9
    TRAFFIC_LIGHT = 10
    TRAFFIC_SIGN = 11
    VEGETATION = 12
    PERSON = 13
    RIDER = 14
    CAR = 15
    TRUCK = 16
    BUS = 17
    MOTORCYCLE = 18
    BICYCLE = 19
    TRASH_BIN = 20
    BUS_STOP = 21
    BOX = 22


_IDS: dict[Category, tuple[int, int]] = {
    Category.SKY: (23, 0),
    Category.ROAD: (7, 40),
    Category.SIDEWALK: (8, 48),
    Category.PARKING: (9, 44),
    Category.OTHER_GROUND: (6, 49),
    Category.TERRAIN: (22, 72),
    Category.BUILDING: (11, 50),
    Category.WALL: (12, 52),
    Category.FENCE: (13, 51),
    Category.POLE: (17, 80),
    Category.TRAFFIC_LIGHT: (19, 99),
    Category.TRAFFIC_SIGN: (20, 81),
    Category.VEGETATION: (21, 70),
    Category.PERSON: (24, 30),
    Category.RIDER: (25, 31),
    Category.CAR: (26, 10),
    Category.TRUCK: (27, 18),
    Category.BUS: (28, 13),
    Category.MOTORCYCLE: (32, 15),
    Category.BICYCLE: (33, 11),
    Category.TRASH_BIN: (39, 99),
    Category.BUS_STOP: (36, 52),
    Category.BOX: (41, 99),
}

KITTI_360_ID = np.array([_IDS[category][0] for category in Category], dtype=np.uint8)
"""Raw id of a KITTI-360 semantic PNG, by category."""

SSCBENCH_ID = np.array([_IDS[category][1] for category in Category], dtype=np.uint16)
"""Raw id of an SSCBench ``.label`` file, by category; 0 is empty."""
