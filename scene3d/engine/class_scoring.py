"""Classes of cells and of pixels over the frames of an evaluation: who said what, and what was true."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from scene3d.engine.rules import OURS, Rules
from scene3d.evaluation import tables
from scene3d.evaluation.class_figures import confusion
from scene3d.evaluation.consistency import Agreement, agreement
from scene3d.evaluation.published import PublishedCompletion
from scene3d.evaluation.segmentation import label_confusion, rematch, renamed
from scene3d.structures.labels import CITYSCAPES
from scene3d.structures.tables import Table

HUNGARIAN = "Hungarian oracle"
"""Added to the name of a row whose classes are matched on what is scored; see `rematch`."""

MAJORITY_LABELS = "majority training label image"


class Classed(NamedTuple):
    """Classes of cells, and which of the cells somebody calls occupied."""

    classes: Int[Tensor, "X Y Z"]
    score: Float[Tensor, "X Y Z"]
    thresholds: Mapping[tuple[str, float], float]


class ClassScorer:
    """Adds frame after frame; the tables lay out what came together.

    Args:
        rules: what counts.
    """

    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self._cells: dict[str, dict[float, Tensor]] = defaultdict(dict)
        self._labels: dict[str, Tensor] = {}
        self._agreement: dict[float, Agreement] = {}

    def add_cells(
        self, answers: Mapping[str, Classed], truth: Int[Tensor, "X Y Z"], known: Bool[Tensor, "X Y Z"]
    ) -> None:
        """Compare the cells of one frame that are known, by the name of each answer's row."""
        for name, (classes, score, thresholds) in answers.items():
            for extent, box in self._rules.crops.items():
                said = torch.where(score[box] >= thresholds["solid", extent], classes[box], 0)
                matrix = confusion(said, truth[box], known[box], len(self._rules.protocol.space))
                self._cells[name][extent] = self._cells[name].get(extent, 0) + matrix

    def add_votes(self, votes: Int[Tensor, "C X Y Z"]) -> None:
        """Count how often frames agree about cells, known or not."""
        for extent, box in self._rules.crops.items():
            found = agreement(votes[:, box[0], box[1], box[2]])
            before = self._agreement.get(extent)
            self._agreement[extent] = found if before is None else before + found

    def add_labels(
        self, answers: Mapping[str, Tensor], truth: Int[Tensor, "H W"], majority: Int[Tensor, "H W"] | None
    ) -> None:
        """Compare the pixels of one frame, also those of the training data's majority where it has their size."""
        if majority is not None and majority.shape == truth.shape:
            answers = {**answers, MAJORITY_LABELS: majority.to(truth.device)}
        for name, labels in answers.items():
            self._labels[name] = self._labels.get(name, 0) + label_confusion(labels, truth, len(CITYSCAPES))

    def cell_tables(self, published: PublishedCompletion | None) -> list[Table]:
        """Figures of cells, and how often frames agree about them; none where nothing was added."""
        found = []
        if self._cells:
            matrices = self._cells | _rematched(self._cells, max(self._rules.crops))
            found += tables.classes_tables(matrices, self._rules.protocol, self._rules.protocol_name, published)
        if self._agreement:
            found.append(tables.agreement_table({OURS: self._agreement}))
        return found

    def label_tables(self) -> list[Table]:
        """Figures of pixels; none where nothing was added."""
        if not self._labels:
            return []
        oracle = renamed(self._labels[OURS], rematch(self._labels[OURS]))
        return [tables.labels_table(self._labels | {f"{OURS}, {HUNGARIAN}": oracle})]


def _rematched(rows: Mapping[str, Mapping[float, Tensor]], widest: float) -> dict[str, dict[float, Tensor]]:
    """Our rows once more, with the names that get most cells of the widest range right."""
    return {
        f"{name}, {HUNGARIAN}": {r: renamed(matrix, rematch(matrices[widest])) for r, matrix in matrices.items()}
        for name, matrices in rows.items()
        if name.startswith(OURS)
    }
