"""A linear probe: how much of the classes a single linear layer finds in frozen features, when it is told the labels.

It is a yardstick of features, never part of a method that claims to need no labels.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

ROUNDS = 300
DECAY = 1e-6
"""Of the squared weights in the loss: hardly any, but classes that a line separates have a finite answer."""


def fit_linear_probe(
    features: Float[Tensor, "N C"], labels: Int[Tensor, N], classes: int, *, rounds: int = ROUNDS
) -> tuple[Float[Tensor, "classes C"], Float[Tensor, "classes"]]:  # noqa: UP037
    """Weight and bias of the layer with the least cross-entropy.

    The loss is convex, so nothing is drawn and nothing need be tuned. Features are brought to mean 0 and deviation 1
    on the way, which the layer takes into itself.

    Args:
        features: frozen.
        labels: classes from 0.
        classes: how many; those without a label are never said.
        rounds: of L-BFGS.

    Raises:
        ValueError: there is no label.
    """
    if len(labels) == 0:
        raise ValueError("linear probe: expected labelled features, got none")
    mean, deviation = features.mean(dim=0), features.std(dim=0, correction=0).clamp(min=1e-6)
    inputs = (features - mean) / deviation
    weight = torch.zeros(classes, features.shape[1], dtype=features.dtype, device=features.device, requires_grad=True)
    bias = torch.zeros(classes, dtype=features.dtype, device=features.device, requires_grad=True)
    solver = torch.optim.LBFGS([weight, bias], max_iter=rounds, history_size=20, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        solver.zero_grad()
        value = cross_entropy(inputs @ weight.mT + bias, labels) + DECAY * (weight**2).sum()
        value.backward()
        return value

    with torch.enable_grad():
        solver.step(loss)
    folded = weight.detach() / deviation
    return folded, bias.detach() - folded @ mean
