"""The optimiser, its learning rate over the steps, gradient clipping, and the average of the weights."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from scene3d.config import Config


class OptimConfig(Config):
    """How weights follow gradients.

    Attributes:
        kind: adam adds weight decay to the gradient, adamw to the weights (Loshchilov, Hutter, ICLR 2019).
        rate: learning rate at its highest; a method's parameter groups scale it.
        decay: how the rate falls after the warm-up: not at all, by a half cosine to `floor` times the rate at
            the last step, or by `factor` at each step of `drops`.
        warm_up: steps in which the rate rises linearly from 0.
        floor: see `decay`.
        drops: see `decay`.
        factor: see `decay`.
        weight_decay: see `kind`.
        betas: decay rates of the two moments.
        epsilon: added to the root of the second moment.
        clip_norm: gradients are scaled down to this norm over all parameters; None lets them be.
        average: weight of the past in the running average of the weights, which predicts and is exported;
            0 is none. Early on it forgets faster, so that the random start does not linger.
    """

    kind: Literal["adam", "adamw"] = "adamw"
    rate: float = Field(default=1e-4, gt=0)
    decay: Literal["constant", "cosine", "step"] = "cosine"
    warm_up: int = Field(default=0, ge=0)
    floor: float = Field(default=0.01, ge=0, le=1)
    drops: tuple[int, ...] = ()
    factor: float = Field(default=0.1, gt=0, le=1)
    weight_decay: float = Field(default=0.0, ge=0)
    betas: tuple[float, float] = (0.9, 0.999)
    epsilon: float = Field(default=1e-8, gt=0)
    clip_norm: float | None = Field(default=1.0, gt=0)
    average: float = Field(default=0.0, ge=0, lt=1)


def make_optimiser(config: OptimConfig, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """The optimiser of a method's parameter groups; each keeps its `scale`.

    Args:
        config: what kind, and its numbers.
        groups: ``{"params": [...], "scale": factor on the rate}`` each; a missing scale is 1. What needs no
            gradient is left out.

    Raises:
        ValueError: nothing is left to learn.
    """
    learnt = [
        {"params": [p for p in group["params"] if p.requires_grad], "scale": float(group.get("scale", 1.0))}
        for group in groups
    ]
    learnt = [group for group in learnt if group["params"]]
    if not learnt:
        raise ValueError("parameter_groups: expected parameters that need a gradient, got none")
    made = torch.optim.AdamW if config.kind == "adamw" else torch.optim.Adam
    # One pass over each tensor instead of one for each step of the formula: a third of the time on a CPU.
    return made(
        learnt,
        lr=config.rate,
        betas=config.betas,
        eps=config.epsilon,
        weight_decay=config.weight_decay,
        fused=True,
    )


def rate_factor(config: OptimConfig, step: int, steps: int) -> float:
    """What the learning rate of a step is multiplied by.

    Args:
        config: the schedule.
        step: from 0.
        steps: of the whole training; a time limit does not shorten the schedule.
    """
    if step < config.warm_up:
        return (step + 1) / config.warm_up
    if config.decay == "step":
        return config.factor ** sum(step >= drop for drop in config.drops)
    if config.decay == "cosine":
        done = (step - config.warm_up) / max(steps - 1 - config.warm_up, 1)
        return config.floor + (1 - config.floor) * (1 + math.cos(math.pi * min(done, 1.0))) / 2
    return 1.0


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give each group the rate times its scale."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group["scale"]


def gradient_norm(parameters: list[nn.Parameter], clip: float | None) -> Float[Tensor, ""]:
    """Euclidean norm of all gradients together, which are then scaled down to `clip` where it is larger.

    Gradients of infinite or undefined norm are left as they are: it is for the caller to see it and skip.
    """
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not gradients:
        return torch.zeros(())
    norm = nn.utils.get_total_norm(gradients)
    if clip is not None and bool(torch.isfinite(norm)):
        nn.utils.clip_grads_with_norm_(parameters, clip, norm)
    return norm


class Average:
    """Exponential running average of a module's learnt weights and of batch normalisation's statistics.

    Other buffers, such as centres of clusters, are found anew now and then: a mean of theirs means nothing.

    Source: Polyak, Juditsky, "Acceleration of stochastic approximation by averaging", 1992; the shorter
    memory at the start is that of TensorFlow's ExponentialMovingAverage.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self._decay = decay
        self._count = 0
        self._mean = {name: tensor.detach().clone() for name, tensor in _averaged(module).items()}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take in the weights as they are now."""
        self._count += 1
        decay = min(self._decay, (1 + self._count) / (10 + self._count))
        for name, tensor in _averaged(module).items():
            self._mean[name].lerp_(tensor, 1 - decay)

    @contextmanager
    def swapped_into(self, module: nn.Module) -> Iterator[None]:
        """Inside, the module has the average for weights; after, its own again."""
        own = {name: tensor.detach().clone() for name, tensor in _averaged(module).items()}
        _copy_into(module, self._mean)
        try:
            yield
        finally:
            _copy_into(module, own)

    def state(self) -> dict[str, Any]:
        """Plain values, for a checkpoint."""
        return {"count": self._count, "mean": dict(self._mean)}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `state` was taken."""
        self._count = state["count"]
        for name, tensor in self._mean.items():
            tensor.copy_(state["mean"][name])


def _averaged(module: nn.Module) -> dict[str, Tensor]:
    """Learnt parameters, and the floating-point statistics of batch normalisation."""
    tensors: dict[str, Tensor] = {n: p for n, p in module.named_parameters() if p.requires_grad}
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            tensors |= {f"{name}.{n}" if name else n: b for n, b in part.named_buffers() if b.is_floating_point()}
    return tensors


@torch.no_grad()
def _copy_into(module: nn.Module, tensors: dict[str, Tensor]) -> None:
    for name, tensor in _averaged(module).items():
        tensor.copy_(tensors[name])
