"""How often frames of a drive say the same of the same cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Agreement:
    """Pairs of frames that see the same cell, summed over cells, of those that at least one of them calls occupied.

    Attributes:
        either: all of them.
        both: those where both frames call it occupied.
        same: those where both say the same class.
        said: how often each class but empty was said by a frame that has company.
    """

    either: int
    both: int
    same: int
    said: Float[Tensor, "C"]  # noqa: UP037

    def __add__(self, other: Agreement) -> Agreement:
        return Agreement(
            self.either + other.either, self.both + other.both, self.same + other.same, self.said + other.said
        )

    @property
    def occupied(self) -> float:
        """Share of pairs that agree about something being there; 0 without any."""
        return self.both / max(self.either, 1)

    @property
    def classes(self) -> float:
        """Share of pairs that both see something and call it by the same name; 0 without any."""
        return self.same / max(self.both, 1)

    @property
    def by_chance(self) -> float:
        """What that share would be if every frame said classes as often as it does, but anywhere."""
        return (self.said / self.said.sum().clamp(min=1)).square().sum().item()


def agreement(votes: Int[Tensor, "C *cells"]) -> Agreement:  # noqa: UP037
    """Of the cells of one scene.

    Args:
        votes: how many frames say each class of each cell; those of class 0 see it empty.
    """
    votes = votes.flatten(1).double()
    occupied = votes[1:].sum(dim=0)
    both, seen = _pairs(occupied), _pairs(votes.sum(dim=0))
    return Agreement(
        either=int((seen - _pairs(votes[0])).sum()),
        both=int(both.sum()),
        same=int(_pairs(votes[1:]).sum()),
        said=torch.where(occupied >= 2, votes[1:], 0).sum(dim=1),
    )


@dataclass(frozen=True)
class ElectedVotes:
    """How the cells of a map were elected, by the class that was; of cells on which at least two frames have a say.

    Attributes:
        cells: how many.
        cast: votes for any class but empty.
        agreeing: those of them for the class that was elected.
    """

    cells: Int[Tensor, "C"]  # noqa: UP037
    cast: Int[Tensor, "C"]  # noqa: UP037
    agreeing: Int[Tensor, "C"]  # noqa: UP037

    def share(self, classes: Sequence[int]) -> float | None:
        """Share of the votes on cells of some classes that are for what was elected; None without a vote."""
        chosen = list(classes)
        cast = int(self.cast[chosen].sum())
        return int(self.agreeing[chosen].sum()) / cast if cast else None


def elected_votes(votes: Int[Tensor, "N C"], elected: Int[Tensor, "N"]) -> ElectedVotes:  # noqa: UP037
    """Of the cells of a map.

    Args:
        votes: how many frames say each class of each cell; those of class 0 see it empty, and do not count.
        elected: class of each cell.
    """
    said = votes[:, 1:].sum(dim=1, dtype=torch.int64)
    several = said >= 2
    agreeing = votes.gather(1, elected[:, None])[:, 0].long()

    def by_class(counts: Tensor) -> Tensor:
        return counts.new_zeros(votes.shape[1]).index_add_(0, elected[several], counts[several])

    return ElectedVotes(cells=by_class(torch.ones_like(said)), cast=by_class(said), agreeing=by_class(agreeing))


def _pairs(count: Tensor) -> Tensor:
    return count * (count - 1) / 2
