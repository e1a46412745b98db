"""Class names, colours and the maps between the label spaces of driving data sets.

Images carry `CITYSCAPES` train ids; voxels carry `SSCBENCH` (18 classes, as the data set defines them),
which the unsupervised protocol folds into `SSC` (15 classes). In both voxel spaces 0 is empty.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

IGNORE = 255


@dataclass(frozen=True)
class LabelSpace:
    """Names and RGB colours (0..255) of the classes 0, 1, 2, ..."""

    name: str
    classes: tuple[str, ...]
    colours: tuple[tuple[int, int, int], ...]

    def index(self, name: str) -> int:
        """Index of a class by its name."""
        return self.classes.index(name)

    def __len__(self) -> int:
        return len(self.classes)


def _space(name: str, table: str) -> LabelSpace:
    rows = [line.rsplit(maxsplit=3) for line in table.strip().splitlines()]
    colours = tuple((int(r), int(g), int(b)) for _, r, g, b in rows)
    return LabelSpace(name, tuple(row[0].strip() for row in rows), colours)


CITYSCAPES = _space(
    "Cityscapes",
    """
    road 128 64 128
    sidewalk 244 35 232
    building 70 70 70
    wall 102 102 156
    fence 190 153 153
    pole 153 153 153
    traffic light 250 170 30
    traffic sign 220 220 0
    vegetation 107 142 35
    terrain 152 251 152
    sky 70 130 180
    person 220 20 60
    rider 255 0 0
    car 0 0 142
    truck 0 0 70
    bus 0 60 100
    train 0 80 100
    motorcycle 0 0 230
    bicycle 119 11 32
    """,
)

SSCBENCH = _space(
    "SSCBench",
    """
    empty 0 0 0
    car 100 150 245
    bicycle 100 230 245
    motorcycle 30 60 150
    truck 80 30 180
    other-vehicle 100 80 250
    person 255 30 30
    road 255 0 255
    parking 255 150 255
    sidewalk 75 0 75
    other-ground 175 0 75
    building 255 200 0
    fence 255 120 50
    vegetation 0 175 0
    terrain 150 240 80
    pole 255 240 150
    traffic-sign 255 0 0
    other-structure 255 150 0
    other-object 50 255 255
    """,
)

SSC = _space(
    "S4C 15",
    """
    empty 0 0 0
    car 100 150 245
    bicycle 100 230 245
    motorcycle 30 60 150
    truck 80 30 180
    other-vehicle 100 80 250
    person 255 30 30
    road 128 64 128
    sidewalk 244 35 232
    building 255 200 0
    fence 255 120 50
    vegetation 0 175 0
    terrain 150 240 80
    pole 255 240 150
    traffic-sign 255 0 0
    other-object 50 255 255
    """,
)

GROUND = ("road", "parking", "sidewalk", "other-ground", "terrain")
"""Voxel classes that make up the ground, in either space; left out of the figures "without ground"."""

SSCBENCH_TO_SSC = (0, 1, 2, 3, 4, 5, 6, 7, 8, 8, 12, 9, 10, 11, 12, 13, 14, 9, 15)
"""Index in `SSC` of each class of `SSCBENCH` (the S4C / SceneDINO protocol)."""

CITYSCAPES_TO_SSC = (7, 8, 9, 9, 10, 13, 15, 14, 11, 12, 0, 6, 0, 1, 4, 5, 5, 3, 2)
"""Index in `SSC` of each class of `CITYSCAPES`; sky and rider become empty (the same protocol)."""

SSC_TO_CITYSCAPES = (10, 13, 18, 17, 14, 15, 11, 0, 1, 2, 4, 8, 9, 5, 7, 6)
"""For each class of `SSC` one of `CITYSCAPES` that becomes it: sky for empty, bus for other vehicles, traffic light for
other objects."""

SSCBENCH_RAW_IDS = {
    **{10: 1, 11: 2, 15: 3, 18: 4, 13: 5, 16: 5, 20: 5, 256: 5, 257: 5, 259: 5, 30: 6, 254: 6},
    **{40: 7, 60: 7, 44: 8, 48: 9, 49: 10, 50: 11, 51: 12, 70: 13, 72: 14, 80: 15, 81: 16},
    **{52: 17, 99: 18, 252: 1, 258: 4},
}
"""Raw id of a `.label` file -> index in `SSCBENCH`; 0 stays empty, every other id is ignored (KITTI-360 map)."""

CITYSCAPES_IDS = {
    **{7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12},
    **{26: 13, 27: 14, 28: 15, 31: 16, 32: 17, 33: 18},
}
"""Id of a `gtFine_labelIds` PNG -> train id of `CITYSCAPES`; every other id is ignored."""

KITTI_360_IDS = {**CITYSCAPES_IDS, 34: 2, 35: 4, 37: 5}
"""Id of a KITTI-360 semantic PNG -> train id of `CITYSCAPES`; every other id is ignored."""


def remap(labels: Int[Tensor, "*shape"], table: tuple[int, ...]) -> Int[Tensor, "*shape"]:
    """Labels of one space said in another; what is ignored stays ignored."""
    full = torch.full((256,), IGNORE, dtype=torch.int64, device=labels.device)
    full[: len(table)] = torch.tensor(table, device=labels.device)
    return full[labels.long()]
