"""Completion figures worked out cell by cell from the definitions of the protocols, in plain Python.

Shares no line with the package: grids are nested lists, a camera is its numbers, and a protocol is what its paper says.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum

IGNORED = 255
GROUND = {"road", "parking", "sidewalk", "other-ground", "terrain"}
SSCBENCH_CLASSES = [
    "empty", "car", "bicycle", "motorcycle", "truck", "other-vehicle", "person",
    "road", "parking", "sidewalk", "other-ground", "building", "fence", "vegetation",
    "terrain", "pole", "traffic-sign", "other-structure", "other-object",
]  # fmt: skip
S4C_CLASSES = [name for name in SSCBENCH_CLASSES if name not in ("parking", "other-ground", "other-structure")]
Cell = tuple[int, int, int]


@dataclass
class View:
    """A pinhole camera that looks along +x of a grid, from `back` metres before its origin."""

    focal: float
    cx: float
    cy: float
    width: int
    height: int
    back: float

    def sees(self, x: float, y: float, z: float) -> bool:
        """Whether a point of the grid's axes (x forward, y left, z up) is in front of the camera and in its image."""
        depth = x + self.back
        if depth <= 0:
            return False
        column, row = self.cx - self.focal * y / depth, self.cy - self.focal * z / depth
        return 0 <= column < self.width and 0 <= row < self.height


@dataclass
class Scene:
    """One frame: truth, what was said, and where it lies."""

    truth: list
    density: list
    classes: list
    origin: tuple[float, float, float]
    size: float
    view: View

    @property
    def shape(self) -> Cell:
        return len(self.truth), len(self.truth[0]), len(self.truth[0][0])

    def cells(self) -> Iterator[Cell]:
        for x in range(self.shape[0]):
            for y in range(self.shape[1]):
                for z in range(self.shape[2]):
                    yield x, y, z

    def within(self, cell: Cell) -> bool:
        return all(0 <= index < count for index, count in zip(cell, self.shape, strict=True))

    def in_range(self, cell: Cell, metres: float) -> bool:
        """SSCBench: as far ahead as the range, half of it to either side, at all heights."""
        ahead, aside = (cell[0] + 1) * self.size, (cell[1] + 0.5 - self.shape[1] / 2) * self.size
        return ahead < metres + self.size / 2 and abs(aside) < metres / 2

    def centre(self, cell: Cell) -> tuple[float, float, float]:
        x, y, z = (start + self.size * (index + 0.5) for start, index in zip(self.origin, cell, strict=True))
        return x, y, z


def at(grid: list, cell: Cell) -> float:
    return grid[cell[0]][cell[1]][cell[2]]


def around(scene: Scene, cell: Cell) -> Iterator[Cell]:
    """The 26 neighbours within the grid, and the cell itself."""
    for a in (-1, 0, 1):
        for b in (-1, 0, 1):
            for c in (-1, 0, 1):
                other = (cell[0] + a, cell[1] + b, cell[2] + c)
                if scene.within(other):
                    yield other


def counts(scene: Scene, cell: Cell, protocol: str, region: str) -> bool:
    """Whether a cell is scored."""
    value = at(scene.truth, cell)
    if value == IGNORED:
        return False
    if protocol != "SSCBench" and not scene.view.sees(*scene.centre(cell)):
        return False
    if protocol == "S4C" and value == 0 and cell[2] < 7:
        below = [at(scene.truth, (cell[0], cell[1], z)) for z in range(cell[2])]
        if all(v in (0, IGNORED) for v in below):
            return False
    names = SSCBENCH_CLASSES if protocol == "SSCBench" else S4C_CLASSES
    if region.endswith("without ground") and names[int(value)] in GROUND:
        return False
    if region.startswith("shell") and value != 0:
        beside = [c for c in around(scene, cell) if sum(abs(a - b) for a, b in zip(c, cell, strict=True)) == 1]
        return any(at(scene.truth, other) == 0 for other in beside)
    return True


def said(scene: Scene, cell: Cell, protocol: str, threshold: float) -> int:
    """The class that was said of a cell; -1 where it was called occupied without one, 0 where it was called empty.

    The S4C protocol takes the highest density of the 3 x 3 x 3 cells around; a cell that has no class of its own has
    that of the cell that this density is of.
    """
    highest = cell
    if protocol == "S4C":
        highest = max(around(scene, cell), key=lambda c: at(scene.density, c))
    if at(scene.density, highest) < threshold:
        return 0
    own = int(at(scene.classes, cell)) or int(at(scene.classes, highest))
    if protocol == "SSCBench" and own:
        return SSCBENCH_CLASSES.index(S4C_CLASSES[own])
    return own or -1


def figures(
    scenes: list[Scene], protocol: str, threshold: float, metres: float, region: str
) -> tuple[float, float, float]:
    """IoU, precision and recall of occupancy, over the cells of all scenes."""
    right = wrong = missed = 0
    for scene in scenes:
        for cell in scene.cells():
            if not scene.in_range(cell, metres) or not counts(scene, cell, protocol, region):
                continue
            there, claimed = at(scene.truth, cell) != 0, said(scene, cell, protocol, threshold) != 0
            right += there and claimed
            wrong += claimed and not there
            missed += there and not claimed
    return tuple(right / max(right + other, 1) for other in (wrong + missed, wrong, missed))


def class_figures(
    scenes: list[Scene], protocol: str, threshold: float, metres: float
) -> dict[str, tuple[float, float, float]]:
    """IoU, precision and recall of each class but empty."""
    right, there, claimed = Counter(), Counter(), Counter()
    for scene in scenes:
        for cell in scene.cells():
            if scene.in_range(cell, metres) and counts(scene, cell, protocol, "solid"):
                true, answer = int(at(scene.truth, cell)), max(said(scene, cell, protocol, threshold), 0)
                there[true] += 1
                claimed[answer] += 1
                right[true] += true == answer
    slack = 1e-5 if protocol == "SSCBench" else 0.0
    names = SSCBENCH_CLASSES if protocol == "SSCBench" else S4C_CLASSES
    return {
        name: (
            right[i] / (max(there[i] + claimed[i] - right[i], 1) + slack),
            right[i] / max(claimed[i], 1),
            right[i] / max(there[i], 1),
        )
        for i, name in enumerate(names)
        if i
    }


def mean(values: list[float]) -> float:
    return fsum(values) / len(values)
