"""A stack of linear layers that can also say how its first output changes with its input."""

from __future__ import annotations

from typing import Literal, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

Activation = Literal["relu", "softplus"]

SHARPNESS = 100.0
"""Of the softplus: nearly a ReLU, and smooth enough for gradients of gradients (Gropp et al., IGR, ICML 2020)."""


class Mlp(nn.Module):
    """Linear layers with an activation between them.

    Args:
        inputs: channels that come in.
        width: of what lies between the layers.
        layers: hidden ones; there is one linear layer more.
        outputs: channels that come out.
        activation: "softplus" is smooth, so that `with_gradient` can be trained.
        skip: the linear layer, 1 to `layers`, that is given the input again beside what comes from before it, both
            divided by the root of 2; together they are `width` wide. None is no layer.
        normalised: whether the length of a weight is learnt apart from its direction (weight normalisation).
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        layers: int,
        outputs: int,
        *,
        activation: Activation = "relu",
        skip: int | None = None,
        normalised: bool = True,
    ) -> None:
        super().__init__()
        coming = [inputs] + [width] * layers
        going = [width] * layers + [outputs]
        if skip is not None:
            going[skip - 1] -= inputs
        linear = [nn.Linear(a, b) for a, b in zip(coming, going, strict=True)]
        self.layers = nn.ModuleList(map(weight_norm, linear) if normalised else linear)
        self.inputs, self.activation, self.skip = inputs, activation, skip

    def linear(self) -> list[nn.Linear]:
        """The layers, from the input to the output."""
        return [cast(nn.Linear, layer) for layer in self.layers]

    def forward(self, inputs: Float[Tensor, "N I"]) -> Float[Tensor, "N O"]:
        """The outputs alone."""
        return self._outputs(inputs, [layer.weight for layer in self.linear()], None)

    def with_gradient(self, inputs: Float[Tensor, "N I"]) -> tuple[Float[Tensor, "N O"], Float[Tensor, "N I"]]:
        """Outputs, and the derivative of the first of them by the input.

        The chain rule is written out, so the derivative is there without autograd, and training it is one backward.
        """
        # A parametrised weight is made anew each time it is asked for.
        weights = [layer.weight for layer in self.linear()]
        before: list[Tensor] = []
        outputs = self._outputs(inputs, weights, before)
        gradient = weights[-1][:1].expand(len(inputs), -1)
        again = torch.zeros_like(inputs)
        for i in range(len(weights) - 1, 0, -1):
            if i == self.skip:
                gradient = gradient / 2**0.5
                gradient, again = gradient[:, : -self.inputs], gradient[:, -self.inputs :]
            gradient = (gradient * self._slope(before[i - 1])) @ weights[i - 1]
        return outputs, gradient + again

    def _outputs(self, inputs: Tensor, weights: list[Tensor], before: list[Tensor] | None) -> Tensor:
        """The outputs; what goes into the activations is noted in `before`."""
        hidden = inputs
        for i, (layer, weight) in enumerate(zip(self.linear(), weights, strict=True)):
            if i == self.skip:
                hidden = torch.cat([hidden, inputs], dim=1) / 2**0.5
            hidden = nn.functional.linear(hidden, weight, layer.bias)
            if i == len(weights) - 1:
                break
            if before is not None:
                before.append(hidden)
            relu = self.activation == "relu"
            hidden = torch.relu(hidden) if relu else nn.functional.softplus(hidden, beta=SHARPNESS)
        return hidden

    def _slope(self, before: Tensor) -> Tensor:
        """Derivative of the activation."""
        return (before > 0).to(before.dtype) if self.activation == "relu" else torch.sigmoid(SHARPNESS * before)
