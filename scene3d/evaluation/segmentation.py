"""How well pixels were classified, and which class each cluster of an unsupervised method is called.

Clusters are named on validation data only, once, and the names are stored with the method.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.errors import UsageError
from scene3d.evaluation.class_figures import class_iou
from scene3d.structures.labels import IGNORE


@dataclass(frozen=True)
class ClusterNames:
    """Which class each cluster is called.

    Attributes:
        classes: index of a class for each cluster, in order.
        matched_on: what decided it, "KITTI-360 val" or "examples"; never the test data.
    """

    classes: tuple[int, ...]
    matched_on: str

    def apply(self, clusters: Int[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
        """Classes in place of clusters; 255 stays ignored."""
        table = torch.full((256,), IGNORE, dtype=torch.int64, device=clusters.device)
        table[: len(self.classes)] = torch.tensor(self.classes, device=clusters.device)
        return table[clusters.long()]


def label_confusion(
    predicted: Int[Tensor, "*shape"], truth: Int[Tensor, "*shape"], classes: int, clusters: int | None = None
) -> Int[Tensor, "classes clusters"]:
    """Pixels of each true class (row) that were given each class or cluster (column); int64, 255 is left out.

    Args:
        predicted: indices below `clusters`.
        truth: classes; 255 = ignore.
        classes: number of classes.
        clusters: number of columns; the number of classes when absent.

    Raises:
        UsageError: a prediction is not among the columns: leaving a pixel out is not an answer.
    """
    columns = classes if clusters is None else clusters
    counted = truth != IGNORE
    if counted.any() and int(predicted[counted].max()) >= columns:
        raise UsageError(f"labels: expected classes below {columns}, got {int(predicted[counted].max())}")
    pairs = truth[counted].long() * columns + predicted[counted].long()
    return torch.bincount(pairs, minlength=classes * columns).reshape(classes, columns)


def name_clusters(confusion: Int[Tensor, "classes clusters"], matched_on: str) -> ClusterNames:
    """The one-to-one naming that gets most pixels right (Hungarian matching).

    With more clusters than classes, each left-over cluster takes the class it covers most; so does one that was
    matched with a class of which it covers nothing, just because somebody had to be.

    Source: Kuhn, "The Hungarian method for the assignment problem", 1955, as solved by scipy.

    Raises:
        UsageError: the confusion is of test data, on which nothing may be chosen; see `rematch`.
    """
    if matched_on.split()[-1:] == ["test"]:
        raise UsageError(f"clusters: expected labels of validation data to name them by, got {matched_on}")
    counts = confusion.cpu()
    rows, columns = _most_right(counts)
    names = counts.argmax(dim=0)
    earned = counts[rows, columns] > 0
    names[columns[earned]] = rows[earned]
    return ClusterNames(tuple(names.tolist()), matched_on)


def name_by_example(
    clusters: Int[Tensor, "N"],  # noqa: UP037
    classes: Int[Tensor, "N"],  # noqa: UP037
    alike: Float[Tensor, "K K"],
) -> ClusterNames:
    """Names by a few labelled pixels: each cluster takes the class that most of its pixels were given.

    A cluster that no labelled pixel is of takes the name of the most alike one that has a name; of two classes with as
    many pixels the first counts.

    Args:
        clusters: of the labelled pixels.
        classes: that somebody gave them.
        alike: how alike two clusters are, such as the cosine of their centres.

    Raises:
        UsageError: there is no labelled pixel.
    """
    if len(classes) == 0:
        raise UsageError("examples: expected at least one labelled pixel, got none")
    votes = torch.zeros(len(alike), int(classes.max()) + 1, dtype=torch.int64)
    votes.index_put_((clusters.cpu(), classes.cpu()), torch.ones(len(classes), dtype=torch.int64), accumulate=True)
    named = votes.sum(dim=1) > 0
    nearest = torch.where(named, alike.cpu(), -torch.inf).argmax(dim=1)
    of_which = torch.where(named, torch.arange(len(alike)), nearest)
    return ClusterNames(tuple(votes.argmax(dim=1)[of_which].tolist()), "examples")


def rematch(confusion: Int[Tensor, "C C"]) -> Int[Tensor, "C"]:  # noqa: UP037
    """Which true class each said class should have been called, one to one, for most to be right.

    This is the "Hungarian" row of published tables. It looks at what is scored, so it is an oracle: a bound of what
    better names would give, and nothing to be reported as a method's figure.
    """
    rows, columns = _most_right(confusion.cpu())
    names = torch.empty_like(rows)
    names[columns] = rows
    return names


def renamed(confusion: Int[Tensor, "C C"], names: Int[Tensor, "C"]) -> Int[Tensor, "C C"]:  # noqa: UP037
    """The confusion of a method that calls ``names[c]`` what this one calls c; `names` is one to one."""
    return confusion[:, torch.argsort(names).to(confusion.device)]


def _most_right(counts: Int[Tensor, "R C"]) -> tuple[Tensor, Tensor]:
    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(counts.numpy(), maximize=True)
    return torch.from_numpy(rows), torch.from_numpy(columns)


def accuracy(confusion: Int[Tensor, "C C"]) -> float:
    """Share of pixels that are right."""
    return (confusion.diagonal().sum() / confusion.sum().clamp(min=1)).item()


def mean_label_iou(confusion: Int[Tensor, "C C"]) -> float:
    """Mean IoU over all classes of images; classes that are absent count as 0 (SceneDINO's protocol)."""
    return class_iou(confusion).mean().item()


def mean_iou_of_present(confusion: Int[Tensor, "C C"]) -> float:
    """Mean IoU over the classes that are there or were said (STEGO's protocol); 0 without any."""
    present = confusion.sum(dim=0) + confusion.sum(dim=1) > 0
    return class_iou(confusion)[present].mean().item() if present.any() else 0.0
