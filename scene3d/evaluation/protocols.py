"""The rules under which completed scenes are scored: which cells count, which classes there are, what is occupied."""

from __future__ import annotations

from dataclasses import dataclass

from scene3d.structures.labels import GROUND, SSC, SSCBENCH, LabelSpace


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Which cells a published or own protocol leaves out, and what its figures are called.

    Figures of different protocols are of different cells and classes, and are never to be compared.

    Attributes:
        name: printed with every figure.
        space: the classes of the truth.
        field_of_view: only cells whose centre projects into the reference image count.
        street_level: empty cells of the lowest layers with no labelled cell below are ignored; see
            `scene3d.evaluation.completion.below_street`.
        grow: the score is max-pooled over 3x3x3 cells before the threshold (the method's only).
        cut_off: density (1/m) from which a cell is occupied, where the protocol fixes it.
        slack: cells that are added to the union of each class's IoU.
    """

    name: str
    space: LabelSpace = SSC
    field_of_view: bool = True
    street_level: bool = False
    grow: bool = False
    cut_off: float | None = None
    slack: float = 0.0

    @property
    def ground(self) -> tuple[int, ...]:
        """The classes that make up the ground."""
        return tuple(self.space.index(name) for name in GROUND if name in self.space.classes)


S4C = Protocol(name="S4C 15-class", street_level=True, grow=True, cut_off=0.2)
"""Source: Hayler et al., "S4C: Self-supervised semantic scene completion with neural fields", 3DV 2024, and the code of
Jevtic et al., "Feed-forward SceneDINO", ICCV 2025, which scores by the same rules."""

SSCBENCH_OFFICIAL = Protocol(name="SSCBench 18-class", space=SSCBENCH, field_of_view=False, slack=1e-5)
"""Every cell that the data set does not ignore, seen or not.

Source: Li et al., "SSCBench", IROS 2024, whose metric is that of Cao and de Charette, "MonoScene", CVPR 2022."""

STREET_EXACT = Protocol(name="street exact 15-class")
"""The procedural street, whose truth is exact below the ground too."""

PROTOCOLS = {"street exact": STREET_EXACT, "S4C": S4C, "SSCBench": SSCBENCH_OFFICIAL}
"""By the names that a recipe gives them."""
