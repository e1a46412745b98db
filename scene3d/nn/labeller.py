"""From features to classes: scores of some groups, and the class that each group is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from scene3d.structures.labels import CITYSCAPES, IGNORE

AT_ONCE = 2**14
"""Features, as wide as the teacher's, that are held at a time."""


@dataclass(frozen=True)
class Labeller:
    """Which class a feature is of: that of the group with the highest score.

    Groups are clusters with names, several of which may be one class, or the classes of a linear layer.

    Attributes:
        score: of N features, how well each fits each of K groups.
        names: class of each group; 255 has none.
        sharpness: what scores are multiplied by to be the logarithms of probabilities, but for a constant.
    """

    score: Callable[[Float[Tensor, "N C"]], Float[Tensor, "N K"]]
    names: Int[Tensor, "K"]  # noqa: UP037
    sharpness: float = 1.0

    @property
    def named(self) -> bool:
        """Whether any group has a class."""
        return bool((self.names != IGNORE).any())

    def called(self, names: Int[Tensor, "K"]) -> Labeller:  # noqa: UP037
        """The same groups by other names."""
        return replace(self, names=names.to(self.names))

    @torch.no_grad()
    def groups(self, features: Float[Tensor, "*batch C"]) -> Int[Tensor, "*batch"]:
        """Group with the highest score; the lowest index wins a tie."""
        flat = features.reshape(-1, features.shape[-1])
        parts = [self.score(part).argmax(dim=-1) for part in flat.split(AT_ONCE)]
        found = torch.cat(parts) if parts else flat.new_zeros(0, dtype=torch.int64)
        return found.reshape(features.shape[:-1])

    def classes(self, features: Float[Tensor, "*batch C"]) -> Int[Tensor, "*batch"]:
        """Class of the group with the highest score; 255 where it has none."""
        return self.names[self.groups(features)]

    @torch.no_grad()
    def probabilities(self, features: Float[Tensor, "N C"], classes: int) -> Float[Tensor, "N classes"]:
        """How probably each feature is of each class: the groups' softmax, added up over those of one name.

        Groups without a name are left out; with none left, everything is 0.
        """
        kept = (self.names != IGNORE).nonzero()[:, 0]
        parts = [torch.softmax(self.sharpness * self.score(part)[:, kept], dim=-1) for part in features.split(AT_ONCE)]
        each = torch.cat(parts) if parts else features.new_zeros(0, len(kept))
        return each.new_zeros(len(each), classes).index_add_(1, self.names[kept], each)


def check_names(classes: Int[Tensor, "K"], groups: int) -> None:  # noqa: UP037
    """Raise a ValueError unless there is one class of `CITYSCAPES`, or 255, for each of so many groups."""
    if classes.shape != (groups,):
        raise ValueError(f"classes: expected one for each of {groups} clusters, got {len(classes)}")
    if not bool(((classes >= 0) & (classes < len(CITYSCAPES)) | (classes == IGNORE)).all()):
        raise ValueError(f"classes: expected 0 to {len(CITYSCAPES) - 1} or {IGNORE}, got {classes.tolist()}")
