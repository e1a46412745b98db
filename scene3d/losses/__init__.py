"""Losses: pure functions of tensors, and the bag in which a method hands them to the trainer."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class LossTerms:
    """Named terms of a loss with their weights; summed in one place, logged unweighted.

    Attributes:
        terms: scalars, still on the graph.
        weights: one for each term.
        observed: scalars to log that no gradient flows through: a depth ratio, a mean density.
    """

    terms: dict[str, Float[Tensor, ""]]
    weights: dict[str, float]
    observed: dict[str, Float[Tensor, ""]] = field(default_factory=dict)

    def total(self) -> Float[Tensor, ""]:
        """The weighted sum that is minimised."""
        return torch.stack([self.weights[name] * term for name, term in self.terms.items()]).sum()

    def joined(self, other: LossTerms) -> LossTerms:
        """These terms and others, all of other names."""
        return LossTerms(self.terms | other.terms, self.weights | other.weights, {**self.observed, **other.observed})
