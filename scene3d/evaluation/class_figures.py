"""Figures of classes, from how many cells or pixels of each true class were given each class."""

from __future__ import annotations

from math import fsum
from statistics import fmean

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def confusion(
    predicted: Int[Tensor, "*cells"],
    truth: Int[Tensor, "*cells"],
    region: Bool[Tensor, "*cells"],
    classes: int,
) -> Int[Tensor, "classes classes"]:
    """How many cells (or pixels) of each true class (row) were given each class (column); int64."""
    pairs = truth[region].long() * classes + predicted[region].long()
    return torch.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def class_iou(confusion: Int[Tensor, "C C"], slack: float = 0.0) -> Float[Tensor, "C"]:  # noqa: UP037
    """IoU of every class; 0 for a class that is neither there nor said. `slack` is added to each union."""
    union = confusion.sum(dim=0) + confusion.sum(dim=1) - confusion.diagonal()
    return confusion.diagonal().double() / (union.clamp(min=1).double() + slack)


def class_precision(confusion: Int[Tensor, "C C"]) -> Float[Tensor, "C"]:  # noqa: UP037
    """Share of what was called each class that is of it; 0 for a class that was never said."""
    return confusion.diagonal().double() / confusion.sum(dim=0).clamp(min=1)


def class_recall(confusion: Int[Tensor, "C C"]) -> Float[Tensor, "C"]:  # noqa: UP037
    """Share of each class that was called so; 0 for a class that is not there."""
    return confusion.diagonal().double() / confusion.sum(dim=1).clamp(min=1)


def mean_iou(confusion: Int[Tensor, "C C"], slack: float = 0.0) -> float:
    """Mean IoU of the classes 1, 2, ...; 0 (empty) is left out, absent classes count as 0 (S4C)."""
    return fmean(class_iou(confusion, slack)[1:].tolist())


def weighted_iou(confusion: Int[Tensor, "C C"], slack: float = 0.0) -> float:
    """IoU of the classes 1, 2, ..., each weighted by its share of the occupied cells of the truth; 0 without any."""
    cells = confusion.sum(dim=1)[1:].tolist()
    if not sum(cells):
        return 0.0
    iou = class_iou(confusion, slack)[1:].tolist()
    return fsum(n * figure for n, figure in zip(cells, iou, strict=True)) / sum(cells)
